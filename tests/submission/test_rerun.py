"""Running a checkpoint again, for real, on nano and a few pairs."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import retrained
from forging import archived_entry
from points_entries import RunSet, entry_run, write_entry

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.submission import rerun as rerunning
from ilp_bench.submission import submit as submitting
from ilp_bench.submission.format import Meta, read_submission
from ilp_bench.submission.rerun import verify
from ilp_bench.submission.rerun_record import VERIFICATION_FILE, read_verification
from ilp_bench.submission.rerun_unseen import allowed_difference
from ilp_bench.submission.rerun_work import Work

META = Meta(org="lab", model="tiny", division="open")
PAIRS, SEED = 12, 7


def submit(runs: RunSet, out: Path) -> Path:
    """A submission on a dataset that is not one of the benchmark's, and would be refused for that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submitting, "validate", lambda _: [])
        return submitting.submit(*runs, None, META, out)


@pytest.fixture(scope="module")
def tiny() -> Dataset:
    return make("mini", 0, pairs=PAIRS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verify")


@pytest.fixture(scope="module")
def trained(tiny: Dataset, place: Path) -> RunSet:
    """Vanilla, submitted as itself; a high rate, so that it converges in a few epochs."""
    from ilp_bench.evaluation.run import evaluate
    from ilp_bench.training.run import train

    train("nano", "vanilla", tiny, place / "vanilla", rate=1e-3, device="cpu")
    vanilla = evaluate(str(place / "vanilla"), tiny, place / "runs" / "vanilla", device="cpu")
    base = evaluate("nano", tiny, place / "runs" / "base", device="cpu")
    assert vanilla
    assert base
    return RunSet([vanilla], [vanilla], [base])


def rerun(folder: Path, place: Path, tiny: Dataset, seed: int = SEED, model: Path | None = None) -> Any:
    models = [str(model or place / "vanilla")]
    return verify(folder, models, Work(place / "work", "cpu"), by="me", seed=seed, pairs=PAIRS, public=lambda _: tiny)


@pytest.mark.nightly
def test_a_recipe_of_ours_is_trained_again_on_unseen_data(trained: RunSet, place: Path, tiny: Dataset) -> None:
    folder = submit(trained, place / "submissions")
    found = rerun(folder, place, tiny)
    assert found.public.status == "agrees"
    assert found.public.largest_difference is not None
    assert found.public.largest_difference <= found.public.tolerance == 1e-3
    assert found.unseen.how == "retrained with recipe"
    assert (found.unseen.seed, found.unseen.pairs) == (SEED, PAIRS)
    assert found.unseen.status == "agrees"
    assert "gap of" in found.unseen.reason
    assert found.by == "me"
    assert "torch" in found.versions
    assert read_submission(folder).folder == f"lab__tiny/{folder.name}"  # not part of the run id
    rerun(folder, place, tiny)
    assert read_verification(folder) == [found, found]
    (folder / VERIFICATION_FILE).write_text("{}")
    with pytest.raises(ProblemError, match=r"verification\.json: records"):
        read_verification(folder)


def test_the_allowed_difference_shrinks_with_pairs() -> None:
    one, other = Interval(value=0.5, low=0.4, high=0.6), Interval(value=0.6, low=0.5, high=0.7)
    few, many = (allowed_difference(one, other, pairs) for pairs in (3, 300))
    assert few > 2 > 0.5 > many > 0.3


def with_p(run: Run, p: Any) -> Run:
    column = run.samples.schema.get_field_index("p")
    return replace(run, samples=run.samples.set_column(column, "p", pa.array(p)))


@pytest.mark.parametrize(("shift", "status"), [(0.0, "agrees"), (5e-5, "agrees"), (5e-4, "differs"), (5e-3, "differs")])
@pytest.mark.parametrize("role", ["submission", "vanilla"])
def test_the_largest_difference_decides_the_status(
    role: str, shift: float, status: str, mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up rates instead of a model: every probe is measured anew with a probability that is lower by ``shift``."""
    runs = {
        ("submission", 0): entry_run("resampling", gain=0.2),
        ("vanilla", 0): entry_run("vanilla"),
        ("base", 0): entry_run(None),
    }

    def measured(model: str, *_: object) -> Run:
        run = runs[model, 0]
        return with_p(run, run.samples["p"].to_numpy() - shift * (model == role))

    monkeypatch.setattr(rerunning, "evaluate_like", measured)
    chosen = {("submission", 0): "submission", (role, 0): role}
    found = rerunning._public(runs, chosen, None, Work(tmp_path), lambda _: mini)
    assert found.status == status
    assert found.largest_difference == pytest.approx(shift)
    assert found.replicates == len(chosen)
    claimed, again = (values["reproduction.rare_patterns"] for values in (found.claimed, found.scores))
    assert claimed is not None
    assert again is not None
    assert claimed == pytest.approx(0.2, abs=0.02)
    assert abs(claimed - again) <= 2 * shift + 1e-9


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    folder, work = write_entry(tmp_path / "submissions", seeds=(0,), division="open"), Work(tmp_path / "work", "cpu")
    with pytest.raises(ProblemError, match="the submission names"):
        verify(folder, ["nano"], work, by="me", seed=SEED, pairs=PAIRS)
    with pytest.raises(UsageError, match="seed 0 is one the submitter has seen"):
        verify(folder, ["nano"], work, by="me", seed=0)
    assert read_verification(folder) == []
    with pytest.raises(UsageError, match="is on dataset 2, which is closed"):
        verify(archived_entry(tmp_path / "archive"), ["nano"], work, by="me")


@pytest.mark.slow
def test_of_a_training_of_ones_own_only_what_generalises_is_compared(
    trained: RunSet, place: Path, tiny: Dataset, tmp_path: Path
) -> None:
    model = tmp_path / "own"
    shutil.copytree(place / "vanilla", model)
    (model / "training.json").unlink()
    run = trained.runs[0]
    own = Run(run.record.model_copy(deep=True), run.samples)
    retrained(own, recipe="a trainer of my own")
    folder = submit(RunSet([own], trained.vanillas, trained.bases), tmp_path / "submissions")
    found = rerun(folder, place, tiny, model=model)
    assert found.unseen.how == "generalisation only"
    assert "points stay unverified" in found.unseen.reason
    assert set(found.unseen.scores) == {"retention"}
    assert found.unseen.status == "agrees"


@pytest.mark.slow
def test_invented_samples_are_found(trained: RunSet, place: Path, tiny: Dataset, tmp_path: Path) -> None:
    samples = trained.runs[0].samples
    better = np.minimum(samples["logprob"].to_numpy() / 2, -1e-9)
    for name, values in (("logprob", better), ("p", np.exp(better))):
        samples = samples.set_column(samples.schema.get_field_index(name), name, pa.array(values))
    record = trained.runs[0].record.model_copy(update={"samples_sha256": "7" * 64})
    folder = submit(RunSet([Run(record, samples)], trained.vanillas, trained.bases), tmp_path / "submissions")
    found = rerun(folder, place, tiny)
    assert found.public.status == "differs"
    assert found.public.largest_difference is not None
    assert found.public.largest_difference > 0.1


@pytest.mark.slow
def test_other_weights_and_seen_seeds_are_refused(trained: RunSet, place: Path, tiny: Dataset, tmp_path: Path) -> None:
    folder = submit(trained, tmp_path / "submissions")
    with pytest.raises(UsageError, match="seed 0 is one the submitter has seen"):
        rerun(folder, place, tiny, seed=0)
    with pytest.raises(ProblemError, match="the submission names"):
        verify(folder, ["nano-qwen3"], Work(tmp_path / "work", "cpu"), by="me", seed=SEED, pairs=PAIRS)
    with pytest.raises(UsageError, match="give the checkpoint of a submitted run too"):
        verify(folder, ["nano"], Work(tmp_path / "work", "cpu"), by="me", seed=SEED, pairs=PAIRS)
    (place / "vanilla" / "pytorch_model.bin").write_bytes(b"pickle")
    other = tmp_path / "pickled"
    shutil.copytree(place / "vanilla", other, ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(ProblemError, match="can run code"):
        verify(folder, [str(other)], Work(tmp_path / "work", "cpu"), by="me", seed=SEED, pairs=PAIRS)
    assert read_verification(folder) == []
