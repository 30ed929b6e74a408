"""Running a checkpoint again, for real, on nano and a few pairs."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import by_arm, make_run

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.records.run_record import Run, Runs
from ilp_bench.scoring.recovery import Interval, score
from ilp_bench.submission import rerun as rerunning
from ilp_bench.submission.format import read_submission
from ilp_bench.submission.rerun import verify
from ilp_bench.submission.rerun_record import VERIFICATION_FILE, read_verification
from ilp_bench.submission.rerun_unseen import allowed_difference
from ilp_bench.submission.rerun_work import Work
from ilp_bench.submission.version_2 import ArchivedMeta as Meta
from ilp_bench.submission.version_2 import submit

META = Meta(org="lab", model="tiny", division="open")
PAIRS, SEED = 2, 7


@pytest.fixture(scope="module")
def tiny() -> Dataset:
    return make("mini", 0, pairs=PAIRS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verify")


@pytest.fixture(scope="module")
def trained(tiny: Dataset, place: Path) -> Runs:
    """Vanilla, submitted as itself; a high rate, so that it converges in a few epochs."""
    from ilp_bench.evaluation.run import evaluate
    from ilp_bench.training.run import train

    train("nano", "vanilla", tiny, place / "vanilla", rate=1e-3, device="cpu")
    vanilla = evaluate(str(place / "vanilla"), tiny, place / "runs" / "vanilla", device="cpu")
    base = evaluate("nano", tiny, place / "runs" / "base", device="cpu")
    assert vanilla
    return Runs(vanilla, vanilla, base)


def rerun(folder: Path, place: Path, tiny: Dataset, seed: int = SEED, model: Path | None = None) -> Any:
    models = [str(model or place / "vanilla")]
    return verify(folder, models, Work(place / "work", "cpu"), by="me", seed=seed, pairs=PAIRS, public=lambda _: tiny)


@pytest.mark.slow
def test_a_recipe_of_ours_is_trained_again_on_unseen_data(trained: Runs, place: Path, tiny: Dataset) -> None:
    folder = submit([trained], META, place / "submissions")
    found = rerun(folder, place, tiny)
    assert found.public.status == "agrees"
    assert found.public.largest_difference is not None
    assert found.public.largest_difference <= found.public.tolerance == 1e-3
    assert found.unseen.how == "retrained with recipe"
    assert (found.unseen.seed, found.unseen.pairs) == (SEED, PAIRS)
    assert found.unseen.status == "agrees"
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


@pytest.mark.parametrize(("shift", "status"), [(0.0, "agrees"), (5e-4, "agrees"), (5e-3, "differs")])
def test_the_largest_difference_decides_the_status(
    shift: float, status: str, mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up rates instead of a model: every probe is measured anew with a probability that is lower by ``shift``."""
    vanilla, claimed = make_run(mini, "vanilla", by_arm(0.1, 0.9)), make_run(mini, "combined", by_arm(0.3, 0.9))
    lower = pa.array(claimed.samples["p"].to_numpy() - shift)
    column = claimed.samples.schema.get_field_index("p")
    again = replace(claimed, samples=claimed.samples.set_column(column, "p", lower))
    monkeypatch.setattr(rerunning, "evaluate_like", lambda *_: again)
    found = rerunning._public([Runs(claimed, vanilla)], {0: "checkpoint"}, Work(tmp_path), lambda _: mini)
    assert found.status == status
    assert found.largest_difference == pytest.approx(shift)
    assert found.claimed["rare_patterns"] == pytest.approx(score(claimed, vanilla).causes[-1].recovery.value)


def test_weights_of_another_model_are_refused(mini: Dataset, tmp_path: Path) -> None:
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    folder = submit([Runs(vanilla, vanilla)], META, tmp_path / "submissions")
    with pytest.raises(ProblemError, match="the submission names"):
        verify(folder, ["nano"], Work(tmp_path / "work", "cpu"), by="me", seed=SEED, pairs=PAIRS)
    with pytest.raises(UsageError, match="seed 0 is one the submitter has seen"):
        verify(folder, ["nano"], Work(tmp_path / "work", "cpu"), by="me", seed=0)
    assert read_verification(folder) == []


@pytest.mark.slow
def test_of_a_training_of_ones_own_only_what_generalises_is_compared(
    trained: Runs, place: Path, tiny: Dataset, tmp_path: Path
) -> None:
    model = tmp_path / "own"
    shutil.copytree(place / "vanilla", model)
    (model / "training.json").unlink()
    own = Run(trained.submission.record.model_copy(update={"training": None}), trained.submission.samples)
    folder = submit([Runs(own, trained.vanilla, trained.base)], META, tmp_path / "submissions")
    found = rerun(folder, place, tiny, model=model)
    assert found.unseen.how == "generalisation only"
    assert "recovery stays unverified" in found.unseen.reason
    assert set(found.unseen.scores) == {"retention"}
    assert found.unseen.status == "agrees"


@pytest.mark.slow
def test_invented_samples_are_found(trained: Runs, place: Path, tiny: Dataset, tmp_path: Path) -> None:
    samples = trained.submission.samples
    better = np.minimum(samples["logprob"].to_numpy() / 2, -1e-9)
    for name, values in (("logprob", better), ("p", np.exp(better))):
        samples = samples.set_column(samples.schema.get_field_index(name), name, pa.array(values))
    record = trained.submission.record.model_copy(update={"samples_sha256": "7" * 64})
    folder = submit([Runs(Run(record, samples), trained.vanilla, trained.base)], META, tmp_path / "submissions")
    found = rerun(folder, place, tiny)
    assert found.public.status == "differs"
    assert found.public.largest_difference is not None
    assert found.public.largest_difference > 0.1


@pytest.mark.slow
def test_other_weights_and_seen_seeds_are_refused(trained: Runs, place: Path, tiny: Dataset, tmp_path: Path) -> None:
    folder = submit([trained], META, tmp_path / "submissions")
    with pytest.raises(UsageError, match="seed 0 is one the submitter has seen"):
        rerun(folder, place, tiny, seed=0)
    with pytest.raises(ProblemError, match="the submission names"):
        verify(folder, ["nano"], Work(tmp_path / "work", "cpu"), by="me", seed=SEED, pairs=PAIRS)
    (place / "vanilla" / "pytorch_model.bin").write_bytes(b"pickle")
    other = tmp_path / "pickled"
    shutil.copytree(place / "vanilla", other, ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(ProblemError, match="can run code"):
        verify(folder, [str(other)], Work(tmp_path / "work", "cpu"), by="me", seed=SEED, pairs=PAIRS)
    assert read_verification(folder) == []
