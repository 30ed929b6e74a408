"""Two CPU processes train to the weights of one: by data parallelism, and with the model's parts spread over both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from ilp_bench.dataset import make, write
from ilp_bench.train.processes import Processes
from ilp_bench.train.run import train
from ilp_bench.train.trainer import EpochBatches
from ilp_bench.train.workshop import Workshop

CONFIGS = Path(__file__).parents[2] / "scripts" / "accelerate"
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("processes")
    data = make("mini", 0, pairs=3, stages=2, causes=("rare_patterns", "left_side_forgetting"))
    write(data, root / "data")
    train("nano", "vanilla", data, root / "one", rate=1e-3, device="cpu")
    return root


@pytest.mark.parametrize(
    ("name", "launcher"),
    [
        ("shared", [*LAUNCH, "--multi_gpu", "--num_processes", "2", "-m", "ilp_bench"]),
        (
            "sharded",
            [*LAUNCH, "--config_file", str(CONFIGS / "fsdp.yaml"), "--num_processes", "2", "--mixed_precision", "no"]
            + [str(Path(__file__).with_name("fsdp_on_cpu.py"))],
        ),
    ],
)
def test_two_processes_give_the_weights_of_one(alone: Path, name: str, launcher: list[str]) -> None:
    out = alone / name
    call = [*launcher, "train", "--base", "nano", "--recipe", "vanilla", "--data", str(alone / "data")]
    call += ["--out", str(out), "--rate", "1e-3", "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-20000:]
    assert done.stdout.count(f"{out}: ") == 1
    one, two = load_file(alone / "one" / "model.safetensors"), load_file(out / "model.safetensors")
    assert one.keys() == two.keys()
    assert max((one[key] - two[key]).abs().max().item() for key in one) < 1e-4
    reports = [json.loads((folder / "training.json").read_text()) for folder in (alone / "one", out)]
    assert [report["processes"] for report in reports] == [1, 2]
    assert reports[0]["tokens"] == reports[1]["tokens"]
    assert reports[0]["steps"] == reports[1]["steps"]


def test_nothing_is_let_go_of_before_all_processes_are_done_with_it(tmp_path: Path) -> None:
    seen: list[set[str]] = []

    class Team(Processes):
        def wait(self) -> None:
            seen.append({file.name for file in shop.folder.iterdir()})

    shop = Workshop(tmp_path / "out", {}, Team())
    with shop:
        for number in range(2):
            shop.trainer(number).mkdir()
            shop.finish(torch.nn.Linear(1, 1), {})
    _, _, _, before, after = seen
    assert {"phase-0.safetensors", "trainer-1"} <= before
    assert {"phase-0.safetensors", "trainer-1"}.isdisjoint(after)


def test_every_process_gets_its_share_of_a_batch() -> None:
    whole = EpochBatches(33, 16, 0, Processes(), None)
    shares = [list(EpochBatches(33, 16, 0, Processes(rank, 2), None)) for rank in (0, 1)]
    for batch, one, two in zip(whole, *shares, strict=True):
        assert sorted(batch) == sorted({*one, *two})
        assert min(len(one), len(two)) >= 1


@pytest.mark.parametrize("name", ["fsdp", "deepspeed"])
def test_configs_are_what_accelerate_reads(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    file = CONFIGS / f"{name}.yaml"
    assert (
        load_config_from_file(str(file)).distributed_type.value == yaml.safe_load(file.read_text())["distributed_type"]
    )
