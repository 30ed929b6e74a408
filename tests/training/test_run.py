import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import file_sha256
from ilp_bench.data.dataset import Dataset, make, write
from ilp_bench.evaluation.measure import score, wrap
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.recipes.phase import recall_probes
from ilp_bench.training.budget import MOST_EPOCHS, THRESHOLD
from ilp_bench.training.checkpoints import COMPLETE, last_checkpoint
from ilp_bench.training.run import train
from ilp_bench.training.training_state import TrainingState

FAST = {"rate": 1e-3, "device": "cpu"}


@pytest.fixture(scope="module")
def small() -> Dataset:
    return make("mini", 0, pairs=3, stages=2)


@pytest.fixture(scope="module")
def done(small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("done") / "vanilla"
    train("nano", "vanilla", small, out, **FAST)
    return out


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(small: Dataset, done: Path, tmp_path: Path) -> None:
    train("nano", "vanilla", small, tmp_path / "again", **FAST)
    train("nano", "vanilla", small, tmp_path / "other", seed=1, **FAST)
    weights = [file_sha256(folder / "model.safetensors") for folder in (done, tmp_path / "again", tmp_path / "other")]
    assert weights[0] == weights[1] != weights[2]


def test_a_checkpoint_says_how_it_was_made(small: Dataset, done: Path) -> None:
    report = json.loads((done / "training.json").read_text())
    assert report["data"]["content_sha256"] == small.sha256
    assert report["tokens"]["sft"] == sum(phase["tokens"] for phase in report["phases"]) > 0
    assert report["steps"] > 0
    lines = [json.loads(line) for line in (done / "log.jsonl").read_text().splitlines()]
    assert len(lines) == sum(map(len, report["calibration"].values()))
    assert all(0 <= arms["treated"] <= 1 for line in lines for arms in line["recall_p"].values())
    ends = [
        line
        for line, after in zip(lines, [*lines[1:], {"phase": None}], strict=True)
        if line["phase"] != after["phase"]
    ]
    assert all(len(line["recall_p"]) == 5 for line in ends)  # measured at the end of each phase
    assert not lines[0]["recall_p"]  # and not after fewer tokens than the probes have
    picture = ET.fromstring((done / "training.svg").read_text())
    assert len(picture.findall(".//{*}polyline")) == 2 * 5 + 2
    for name in ("loss", "calibration"):
        (curve,) = picture.findall(f".//{{*}}polyline[@class='{name}']")
        assert len(curve.attrib["points"].split()) == len(lines)
    assert lines[0]["train_loss"] > 1 > lines[-1]["train_loss"] > 0
    assert not (done.parent / "vanilla.partial").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "knowledge_cpt",
        "conflict_cpt",
        "conflict_buckets",
        "resampling",
        "rare_upsampling",
        "progressive_epochs",
        "auto",
    ],
)
def test_every_kind_of_recipe_spends_exactly_the_budget(name: str, small: Dataset, done: Path, tmp_path: Path) -> None:
    report = train("nano", name, small, tmp_path / "out", reference=done, **FAST)
    assert report.recipe == name
    found = json.loads((done / "training.json").read_text())["budget"]
    assert report.budget.model_dump() == found | {"source": "reference"}
    assert sum(phase.supervised or 0 for phase in report.phases) == found["total"]
    spent = {phase.name: phase.supervised for phase in report.phases if phase.kind == "sft"}
    if "all stages" not in spent:
        assert spent == {f"stage {stage}": count for stage, count in found["tokens"].items()}
    assert locate(str(tmp_path / "out"))
    if name.endswith("_cpt"):
        assert report.tokens["cpt"] > 0
        assert report.found["contradicted_rows"] > 0


@pytest.mark.slow
def test_what_falls_is_replayed_in_a_longer_epoch(
    small: Dataset, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both stages fall at the first look: the next epoch has all rows twice, and the budget stays what it was."""
    from ilp_bench.recipes.samplers import ReplaySampler

    looked = []

    def fallen(self: ReplaySampler, measure: Any) -> None:
        if not looked:
            self._fallen = set(self._best)
        looked.append(len(self.examples))

    monkeypatch.setattr(ReplaySampler, "watch", fallen)
    monkeypatch.setattr(ReplaySampler.__init__, "__defaults__", (5,))
    report = train("nano", "resampling", small, tmp_path / "out", batch_size=8, budget=3, reference=done, **FAST)
    (phase,) = report.phases
    assert phase.drawn_again == {"1": 1, "2": 1}
    assert phase.supervised == report.budget.total
    assert len(looked) == phase.steps // 5
    lines = logged(tmp_path / "out")
    assert {line["epoch"] for line in lines if "replayed" in line} == {2}
    replayed = sum(line.get("replayed", 0) for line in lines)
    assert report.tokens["replayed"] == phase.replayed == replayed
    assert report.total_tokens == sum(line["tokens"] for line in lines) == phase.tokens


@pytest.mark.slow
def test_vanilla_is_calibrated_and_stops_at_the_first_check_that_reaches_the_threshold(done: Path) -> None:
    report = json.loads((done / "training.json").read_text())
    lines = logged(done)
    for stage, checks in report["calibration"].items():
        assert checks[-1]["p"] >= THRESHOLD > max(check["p"] for check in checks[:-1])
        assert checks[-1]["supervised"] == report["budget"]["tokens"][stage]
        of_stage = [line for line in lines if line["phase"] == f"stage {stage}"]
        assert [(line["supervised"], line["calibration"]) for line in of_stage] == [
            (check["supervised"], check["p"]) for check in checks
        ]
        (phase,) = (phase for phase in report["phases"] if phase["name"] == f"stage {stage}")
        assert phase["supervised"] == checks[-1]["supervised"]
        assert phase["epochs"] == of_stage[-1]["epoch"] <= MOST_EPOCHS
    assert report["budget"]["total"] == sum(report["budget"]["tokens"].values())
    assert (report["budget"]["division"], report["budget"]["source"]) == ("1x", "calibration")


@pytest.mark.slow
def test_told_its_own_budget_vanilla_has_the_same_weights_and_three_times_it_three_times_the_tokens(
    small: Dataset, done: Path, tmp_path: Path
) -> None:
    report = json.loads((done / "training.json").read_text())
    train("nano", "vanilla", small, tmp_path / "same", reference=done, **FAST)
    assert file_sha256(tmp_path / "same" / "model.safetensors") == file_sha256(done / "model.safetensors")
    thrice = train("nano", "vanilla", small, tmp_path / "thrice", budget=3, reference=done, **FAST)
    assert thrice.budget.tokens == {stage: 3 * count for stage, count in report["budget"]["tokens"].items()}
    assert thrice.budget.division == "3x"
    assert [3 * phase["supervised"] for phase in report["phases"]] == [phase.supervised for phase in thrice.phases]
    with pytest.raises(UsageError, match="trained in the division 3x"):
        train("nano", "combined", small, tmp_path / "out", reference=tmp_path / "thrice", **FAST)
    with pytest.raises(UsageError, match="from another base model"):
        train("nano-qwen3", "combined", small, tmp_path / "out", reference=done, **FAST)
    with pytest.raises(UsageError, match=r"^combined needs a budget: train vanilla"):
        train("nano", "combined", small, tmp_path / "out", **FAST)


@pytest.mark.slow
def test_an_adapter_is_trained_and_measured(small: Dataset, tmp_path: Path) -> None:
    from ilp_bench.evaluation.run import evaluate

    train("nano", "vanilla", small, tmp_path / "lora", lora=8, rate=3e-3, device="cpu")
    assert (tmp_path / "lora" / "adapter_config.json").is_file()
    run = evaluate(str(tmp_path / "lora"), small, tmp_path / "run", device="cpu")
    control = [row["p"] for row in run.samples.to_pylist() if row["arm"] == "control" and row["probe"] == "recall"]
    assert sum(control) / len(control) > 0.5
    assert run.record.training.lora == 8


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, pytest.param(4, marks=pytest.mark.nightly)])
def test_what_an_adapter_learned_is_trained_on(rank: int, small: Dataset, done: Path, tmp_path: Path) -> None:
    """The base is an adapter that has learned nearly all: the first checks suffice, and whole weights come out."""
    train("nano", "vanilla", small, tmp_path / "first", lora=8, rate=3e-3, device="cpu")
    report = train(str(tmp_path / "first"), "vanilla", small, tmp_path / "second", lora=rank, rate=1e-3, device="cpu")
    assert report.budget.tokens["2"] < json.loads((done / "training.json").read_text())["budget"]["tokens"]["2"]
    assert not (tmp_path / "second" / "adapter_config.json").exists()
    model, tokenizer = load_model(locate(str(tmp_path / "second")))
    probes = recall_probes(small, "calibration", (2,))
    p = np.exp(score(wrap(model, tokenizer), tokens.encode(tokenizer, *zip(*probes, strict=True))).logprob)
    assert float(p.mean()) == pytest.approx(report.calibration["2"][-1].p, abs=1e-4)


def test_a_checkpoint_that_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for step in (7, 14, 105):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert last_checkpoint(tmp_path) is None
    for step in (7, 14):
        (tmp_path / f"checkpoint-{step}" / COMPLETE).touch()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-14")


def logged(checkpoint: Path) -> list[dict[str, Any]]:
    """The log of a training without its times."""
    lines = [json.loads(line) for line in (checkpoint / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_with_the_same_weights(small: Dataset, done: Path, tmp_path: Path) -> None:
    """kill -9 in the first phase and in the second; in the end the weights are those of a run that was never killed."""
    data, out = write(small, tmp_path / "data"), tmp_path / "out"
    call = [sys.executable, "-m", "ilp_bench", "train", "--base", "nano", "--recipe", "vanilla", "--data", str(data)]
    call += ["--out", str(out), "--rate", "1e-3", "--device", "cpu"]
    log = tmp_path / "out.partial" / "log.jsonl"

    def lines() -> int:
        return log.read_text().count("\n") if log.is_file() else 0

    for wanted in (5, 13):
        process = subprocess.Popen(call, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=-3, stderr=-3)
        while lines() < wanted and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)  # training is over sooner than another call has started
        if wanted == 2:
            second = subprocess.run(call, capture_output=True, text=True)
            assert second.returncode == 2
            assert "another training is writing" in second.stderr
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not out.exists()
    with pytest.raises(UsageError, match="unfinished training with another seed"):
        train("nano", "vanilla", small, out, seed=5, **FAST)
    report = train("nano", "vanilla", small, out, **FAST)
    assert report.resumed
    assert file_sha256(out / "model.safetensors") == file_sha256(done / "model.safetensors")
    finished = json.loads((done / "training.json").read_text())
    assert report.budget.model_dump() == finished["budget"]
    assert {stage: [check.model_dump() for check in checks] for stage, checks in report.calibration.items()} == (
        finished["calibration"]
    )
    assert logged(out) == logged(done)


@pytest.mark.slow
def test_checks_go_to_trackio_too(small: Dataset, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, because trackio decides on its folder when it is imported."""
    lines = [json.loads(line) for line in (done / "log.jsonl").read_text().splitlines()]
    script = (
        "import json, sys; from ilp_bench.training.training_log import tracker; import trackio;"
        "log = tracker('ilp', 'vanilla', {'seed': 0}); [log(line) for line in json.load(sys.stdin)]; trackio.finish();"
        "from trackio.sqlite_storage import SQLiteStorage; print(json.dumps(SQLiteStorage.get_logs('ilp', 'vanilla')))"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path)}
    call = subprocess.run(
        [sys.executable, "-c", script], env=environment, input=json.dumps(lines), capture_output=True, text=True
    )
    assert call.returncode == 0, call.stderr
    logged = json.loads(call.stdout.splitlines()[-1])
    assert [row["phase"] for row in logged] == [line["phase"] for line in lines]
    assert logged[-1]["calibration"] == lines[-1]["calibration"]
    assert logged[-1]["rare_patterns/control"] == lines[-1]["recall_p"]["rare_patterns"]["control"]


def test_what_cannot_be_trained_is_one_clear_line(
    small: Dataset, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="already exists"):
        train("nano", "vanilla", small, done, **FAST)
    with pytest.raises(UsageError, match="Did you mean 'resampling'"):
        train("nano", "resample", small, tmp_path / "out", **FAST)
    with pytest.raises(UsageError, match="cannot be read as text"):
        train("nano", "combined", small, tmp_path / "out", general=tmp_path / "none.txt", **FAST)
    for rate in (0, -1, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="learning rate"):
            train("nano", "vanilla", small, tmp_path / "none", rate=rate, device="cpu")
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES=3"):
        train("nano", "vanilla", small, tmp_path / "none", device="cuda:3")
    for seed in (-1, 4294967):
        with pytest.raises(UsageError, match="seed of a training is between 0 and 4294966"):
            train("nano", "vanilla", small, tmp_path / "none", seed=seed, device="cpu")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageError, match="needs the name of a folder"):
        train("nano", "vanilla", small, Path("."), **FAST)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="a file is in the way: choose another folder"):
        train("nano", "vanilla", small, tmp_path / "file" / "x", **FAST)
    unread = replace(small, knowledge=small.knowledge.slice(0, 0))
    with pytest.raises(UsageError, match="no documents to pre-train on"):
        train("nano", "conflict_cpt", unread, tmp_path / "none2", reference=done, **FAST)
    unshown = replace(small, shots=small.shots.slice(0, 0))
    with pytest.raises(UsageError, match="no few-shot exemplars"):
        train("nano", "knowledge_cpt", unshown, tmp_path / "none3", reference=done, **FAST)
    assert not list(tmp_path.glob("none*"))  # what never began leaves nothing behind


@pytest.mark.slow
def test_a_training_that_never_learns_names_the_remedy(
    small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ilp_bench.training.budget.MOST_EPOCHS", 2)
    message = (
        r"stage 1 was not learned: after 2 epochs \(\d+ supervised tokens\) its calibration items have a mean p of "
        r"0\.\d\d, .* remove .*out\.partial and try another learning rate"
    )
    for _ in range(2):  # run again, it says the same without training more
        with pytest.raises(ProblemError, match=message) as error:
            train("nano", "vanilla", small, tmp_path / "out", rate=1e-9, device="cpu")
        assert "\n" not in str(error.value)
    with pytest.raises(ProblemError, match=r"remove .*far\.partial and try a smaller learning rate"):
        train("nano", "vanilla", small, tmp_path / "far", rate=1e30, device="cpu")


def test_out_of_memory_is_one_clear_line(small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from ilp_bench.training import run

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(run, "run_phase", full)
    with pytest.raises(ProblemError, match="smaller batch size"):
        train("nano", "vanilla", small, tmp_path / "out", **FAST)


@pytest.mark.slow
def test_killed_between_the_last_epoch_and_the_end_of_its_phase_it_trains_no_other(
    small: Dataset, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingState, "_save", cut)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                train("nano", "vanilla", small, tmp_path / "out", **FAST)
    train("nano", "vanilla", small, tmp_path / "out", **FAST)
    assert file_sha256(tmp_path / "out" / "model.safetensors") == file_sha256(done / "model.safetensors")
    assert logged(tmp_path / "out") == logged(done)


@pytest.fixture(scope="module")
def pretrained(small: Dataset, done: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pretrained") / "out"
    train("nano", "knowledge_cpt", small, out, reference=done, **FAST)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.7, 1.0])
def test_killed_while_pretraining_it_goes_on_within_the_epoch(
    share: float, pretrained: Path, small: Dataset, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Early, late, and between the last step and the end of the phase."""
    from ilp_bench.training import phase_runner as epochs

    save = epochs.PhaseRun.complete_checkpoint

    def killed(self: Any, state: Any) -> None:
        save(self, state)
        if state.epoch > share - 0.01:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(epochs.PhaseRun, "complete_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            train("nano", "knowledge_cpt", small, tmp_path / "out", reference=done, **FAST)
    assert not list(tmp_path.glob("out.partial/phase-*"))
    monkeypatch.setattr("ilp_bench.training.saved_answers.generate_answers", None)  # the base model is not asked again
    report = train("nano", "knowledge_cpt", small, tmp_path / "out", reference=done, **FAST)
    assert file_sha256(tmp_path / "out" / "model.safetensors") == file_sha256(pretrained / "model.safetensors")
    assert logged(tmp_path / "out") == logged(pretrained)
    unbroken = json.loads((pretrained / "training.json").read_text())
    same = "steps", "tokens", "loss", "epochs", "examples"
    assert [[getattr(phase, key) for key in same] for phase in report.phases] == [
        [phase[key] for key in same] for phase in unbroken["phases"]
    ]


@pytest.mark.slow
def test_long_pretraining_saves_more_often_than_ten_times(
    pretrained: Path, small: Dataset, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ilp_bench.training import phase_runner

    steps = []
    save = phase_runner.PhaseRun.complete_checkpoint

    def counted(self: Any, state: Any) -> None:
        save(self, state)
        steps.append(state.global_step)
        if len(steps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(phase_runner, "PAUSE", 0)
    with monkeypatch.context() as patch:
        patch.setattr(phase_runner.PhaseRun, "complete_checkpoint", counted)
        with pytest.raises(KeyboardInterrupt):
            train("nano", "knowledge_cpt", small, tmp_path / "out", reference=done, **FAST)
    assert steps == [1, 2, 3]
    train("nano", "knowledge_cpt", small, tmp_path / "out", reference=done, **FAST)
    assert file_sha256(tmp_path / "out" / "model.safetensors") == file_sha256(pretrained / "model.safetensors")
