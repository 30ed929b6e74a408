"""Two CPU processes train to the weights of one: by data parallelism, and with the model's parts spread over both."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from ilp_bench.core.distributed import Processes
from ilp_bench.core.metrics import learned
from ilp_bench.data.dataset import load, make, write
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.recipes.phase import Phase
from ilp_bench.records.training_record import PhaseRecord
from ilp_bench.training.budget import Goal
from ilp_bench.training.checkpoints import COMPLETE
from ilp_bench.training.measurements import Measurements
from ilp_bench.training.run import train
from ilp_bench.training.trainer import CPT_BATCH, Setting
from ilp_bench.training.training_log import Log
from ilp_bench.training.training_state import TrainingState

HERE = Path(__file__).parent
CONFIGS = HERE.parents[1] / "scripts" / "accelerate"


CPU = ["--num_processes", "2", "--mixed_precision", "no"]
LAUNCHERS = {
    "shared": ["--multi_gpu", *CPU, "-m", "ilp_bench"],
    "fsdp": ["--config_file", str(CONFIGS / "fsdp.yaml"), *CPU, str(HERE / "fsdp_on_cpu.py")],
    "deepspeed": ["--config_file", str(CONFIGS / "deepspeed.yaml"), *CPU, str(HERE / "deepspeed_on_cpu.py")],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("processes")
    causes = "knowledge_gap", "rare_patterns", "left_side_forgetting"
    write(make("mini", 0, pairs=3, stages=2, causes=causes), root / "data")
    return root


@pytest.fixture(scope="module")
def one(root: Path) -> Path:
    """Vanilla, trained in one process."""
    train("nano", "vanilla", load(root / "data"), root / "one", rate=1e-3, device="cpu")
    return root / "one"


def launched(name: str, recipe: str, root: Path) -> dict[str, Any]:
    """What ``training.json`` says after a training in two processes."""
    out = root / f"{name}-{recipe}"
    call = [sys.executable, "-m", "accelerate.commands.launch", *LAUNCHERS[name], "train", "--base", "nano"]
    call += ["--recipe", recipe, "--data", str(root / "data"), "--out", str(out), "--rate", "1e-3", "--device", "cpu"]
    call += ["--budget-from", str(root / "one")] if recipe != "vanilla" else []
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    if name == "deepspeed":
        if "DEEPSPEED" not in os.environ:
            pytest.skip("DEEPSPEED names no folder with it: scripts/deepspeed makes one")
        environment |= {"PYTHONPATH": os.environ["DEEPSPEED"], "DS_ACCELERATOR": "cpu"}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-20000:]
    assert done.stdout.count(f"{out}: ") == 1
    report: dict[str, Any] = json.loads((out / "training.json").read_text())
    assert report["processes"] == 2
    return report


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHERS)
def test_two_processes_give_the_weights_of_one(root: Path, one: Path, name: str) -> None:
    alone, together = json.loads((one / "training.json").read_text()), launched(name, "vanilla", root)
    for key in ("tokens", "steps", "budget"):
        assert alone[key] == together[key]
    first, second = (load_file(folder / "model.safetensors") for folder in (one, root / f"{name}-vanilla"))
    assert first.keys() == second.keys()
    assert max((first[key] - second[key]).abs().max().item() for key in first) < 1e-4


@pytest.mark.nightly
@pytest.mark.parametrize("name", LAUNCHERS)
def test_two_processes_pretrain_in_parts_of_a_step(root: Path, one: Path, name: str) -> None:
    """Texts are dealt out anew, so the losses are near one another; wrong scaling would make them twice or half."""
    if not (root / "pretrained").exists():
        train("nano", "knowledge_cpt", load(root / "data"), root / "pretrained", rate=1e-3, reference=one, device="cpu")
    alone, *_ = json.loads((root / "pretrained" / "training.json").read_text())["phases"]
    together, *rest = launched(name, "knowledge_cpt", root)["phases"]
    budget = json.loads((one / "training.json").read_text())["budget"]["tokens"]
    assert [phase["supervised"] for phase in rest] == [budget["1"], budget["2"]]
    assert alone["kind"] == together["kind"] == "cpt"
    assert alone["steps"] == together["steps"] == -(-alone["examples"] // (16 * CPT_BATCH))
    assert together["loss"] == pytest.approx(alone["loss"], rel=0.2)


def test_texts_are_dealt_out_anew_where_other_processes_go_on(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one process has of an epoch of pre-training is of no use to two."""
    from ilp_bench.training import phase_runner as epochs

    class Two(Processes):
        def wait(self) -> None:
            pass

    for step, processes in ((9, 1), (11, 2)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        about = {"checks": 0, "steps": step, "losses": [1.0], "seconds": 2.0, "processes": processes}
        (tmp_path / f"checkpoint-{step}" / COMPLETE).write_text(json.dumps(about))
    model, tokenizer = load_model(locate("nano"))
    log = Log(tmp_path / "log.jsonl", load(root / "data"))

    def phase_run(processes: Processes, kind: Any) -> epochs.PhaseRun:
        setting = Setting(1e-4, 16, "cpu", 0, processes)
        return epochs.PhaseRun(
            model, tokenizer, Phase("x", kind, [("", "Some words.")] * 9), setting, tmp_path, log, Goal()
        )

    assert phase_run(Two(0, 2), "cpt").trainer.losses == [1.0]
    assert phase_run(Processes(), "sft").checkpoint == str(tmp_path / "checkpoint-11")
    assert phase_run(Processes(), "cpt").checkpoint is None
    assert not list(tmp_path.glob("checkpoint-*"))


def test_rates_by_which_batches_are_chosen_are_the_same_in_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured on two machines, they may differ in their last digits, and with them the order of rows."""
    measured = [np.array([0.25, 0.5]), np.array([0.5, 0.25])]

    class Accelerator:
        num_processes = 2

        def reduce(self, tensor: torch.Tensor, reduction: str) -> torch.Tensor:
            assert reduction == "mean"
            assert tensor.dtype == torch.float64
            return (torch.tensor(learned(measured[0])) + torch.tensor(learned(measured[1]))) / 2

    both = []
    for p in measured:
        trainer = SimpleNamespace(accelerator=Accelerator(), args=SimpleNamespace(device="cpu"))
        measure = Measurements(trainer, None, "")
        monkeypatch.setattr(measure, "p", lambda examples, p=p: p)
        both.append(measure.rates([("a", "b"), ("c", "d")]).tolist())
    assert both[0] == both[1]
    trainer.accelerator.num_processes = 1
    assert measure.rates([]).tolist() == learned(measured[1]).tolist()


def test_nothing_is_discarded_before_all_processes_are_done_with_it(tmp_path: Path) -> None:
    seen: list[set[str]] = []

    class RecordingProcesses(Processes):
        def wait(self) -> None:
            seen.append({file.name for file in state.folder.iterdir()})

    phase = PhaseRecord(name="x", kind="sft", examples=1, epochs=1, steps=1, tokens=1, loss=1.0, seconds=1.0)
    state = TrainingState(tmp_path / "out", {}, RecordingProcesses())
    with state:
        for number in range(2):
            state.trainer(number).mkdir()
            state.finish(torch.nn.Linear(1, 1), phase)
    _, _, _, before, after = seen
    assert {"phase-0.safetensors", "trainer-1"} <= before
    assert {"phase-0.safetensors", "trainer-1"}.isdisjoint(after)


@pytest.mark.parametrize("name", ["fsdp", "deepspeed"])
def test_configs_are_what_accelerate_reads(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    file = CONFIGS / f"{name}.yaml"
    assert (
        load_config_from_file(str(file)).distributed_type.value == yaml.safe_load(file.read_text())["distributed_type"]
    )
