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
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.records.run_record import Run, write_run
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.submission import rerun as rerunning
from ilp_bench.submission import rerun_unseen as rerunning_unseen
from ilp_bench.submission import submit as submitting
from ilp_bench.submission.format import Meta, read_submission
from ilp_bench.submission.rerun import verify
from ilp_bench.submission.rerun_record import VERIFICATION_FILE, read_verification
from ilp_bench.submission.rerun_unseen import allowed_difference
from ilp_bench.submission.rerun_work import SEED_FILE, Work, evaluate_like, library_versions, unseen_seed

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


def prompts(sha: str, template: str, date: str | None = None) -> dict[str, Any]:
    about = {"sha256": sha * 64, "template_date": date}
    return {"prompt_format": "chat", "template_sha256": template * 64, "prompts": about}


def test_a_template_of_its_own_is_not_confirmed(mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same p in other prompts than the entry says: a template may give the answer away."""
    said, other = prompts("1", "a"), prompts("2", "b")
    runs = {
        ("submission", 0): entry_run("resampling", gain=0.2, **said),
        ("vanilla", 0): entry_run("vanilla", **said),
        ("base", 0): entry_run(None, **said),
    }
    claimed = runs["submission", 0]
    for about, status in ((said, "agrees"), (other, "differs"), (prompts("1", "b"), "agrees")):
        record = claimed.record.model_validate(claimed.record.model_dump() | about)
        monkeypatch.setattr(rerunning, "evaluate_like", lambda *_, record=record: Run(record, claimed.samples))
        found = rerunning._public(runs, {("submission", 0): "it"}, None, Work(tmp_path), lambda _: mini)
        assert (found.status, bool(found.reason)) == (status, status == "differs")
        assert found.largest_difference == 0.0


def test_a_random_seed_is_kept_until_the_record_is_written(tmp_path: Path) -> None:
    seed = unseen_seed(tmp_path / "work", {0, 1})
    assert seed >= 1000
    assert unseen_seed(tmp_path / "work", {0, 1}) == seed
    assert unseen_seed(tmp_path / "work", {seed}) != seed
    (tmp_path / "work" / SEED_FILE).write_text("no number")
    assert unseen_seed(tmp_path / "work", set()) >= 1000


@pytest.mark.parametrize(("name", "complaint"), [("a\nb", "more than one line"), ("Zo\u202e", r"U\+202E")])
def test_a_name_that_no_record_can_hold_is_refused_before_anything_is_run(
    name: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=complaint):
        verify(tmp_path / "nothing", ["nano"], Work(tmp_path / "work"), by=name)


def test_other_settings_are_another_training(mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entries that are run again in one folder, and two runs of an entry, never take each other's checkpoint."""
    trained: list[dict[str, Any]] = []

    def train(*args: Any, **settings: Any) -> None:
        trained.append(settings)
        args[3].mkdir(parents=True)
        (args[3] / "training.json").write_text("{}")

    monkeypatch.setattr("ilp_bench.training.run.train", train)
    first = entry_run("resampling").record.training
    assert first

    def again(recipe: str = "resampling", reference: Path | None = tmp_path / "vanilla", **changes: Any) -> Path:
        record = TrainingRecord.model_validate(first.model_dump() | changes)
        return rerunning_unseen._trained(record, recipe, "nano", mini, tmp_path, Work(tmp_path, "cpu"), reference)

    assert again() == again()
    assert len(trained) == 1
    others = [again(**{name: 7}) for name in ("seed", "batch_size", "lora")] + [again(learning_rate=0.1)]
    assert len({again(), *others}) == 5
    again(budget=first.model_dump()["budget"] | {"division": "2x"})
    assert trained[-1]["budget"] == 2
    assert again("vanilla") == again("vanilla", None)  # at 1x it finds its budget, whoever needs it


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"general": "corpus.txt"}, "a replay corpus or a sentence encoder"),
        ({"encoder": "lab/encoder"}, "a replay corpus or a sentence encoder"),
        ({"budget": None}, "names no budget"),
        ({"recipe": "theirs"}, "a recipe of ours"),
        ({"base": {"name": "nano", "weights_sha256": "0" * 64}}, "has other weights"),
    ],
)
def test_what_cannot_be_trained_again_as_it_was_is_not_trained(change: dict[str, Any], reason: str) -> None:
    run = entry_run("resampling")
    base = {"name": "nano", "weights_sha256": weights_sha256(locate("nano"))}
    retrained(run, base=base)
    assert rerunning_unseen._retrainable(run) == ("nano", "")
    retrained(run, **change)
    found, why = rerunning_unseen._retrainable(run)
    assert found is None
    assert reason in why


def test_a_run_by_other_libraries_is_not_taken_for_a_new_one(tiny: Dataset, tmp_path: Path) -> None:
    run = entry_run(None)
    record = run.record.model_dump(mode="json", exclude={"samples_sha256"})
    record["model"]["weights_sha256"] = weights_sha256(locate("nano"))
    record["data"] = tiny.manifest.identity
    write_run(tmp_path / "run", record | {"versions": library_versions()}, run.samples)
    work = Work(tmp_path, "cpu")
    assert evaluate_like("nano", tiny, run, tmp_path / "run", work).record.versions == library_versions()
    write_run(tmp_path / "old", record | {"versions": library_versions() | {"torch": "1.0"}}, run.samples)
    with pytest.raises(ProblemError, match=r"other library versions .*torch 1\.0.*remove that folder"):
        evaluate_like("nano", tiny, run, tmp_path / "old", work)


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
