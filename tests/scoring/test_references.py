"""References: made of runs, read again, used instead of runs, refused where they do not fit."""

import json
from pathlib import Path

import pyarrow.compute as pc
import pytest
from points_runs import make_run

import ilp_bench
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.records import reference_record
from ilp_bench.records.run_record import Run
from ilp_bench.scoring import references
from ilp_bench.scoring.arm_means import arm_means
from ilp_bench.scoring.comparisons import compare
from ilp_bench.scoring.make_reference import make_reference
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.placebo import placebo, share_excluding_zero
from ilp_bench.scoring.rank_reasons import MIN_VANILLA_RUNS
from ilp_bench.scoring.references import Reference, find_reference, read_reference
from ilp_bench.scoring.score_points import active_pairs, score_points

VANILLAS = [make_run("vanilla", training_seed=seed) for seed in range(3)]
BASE = make_run(None)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return make_reference([*VANILLAS, BASE], tmp_path_factory.mktemp("references") / "stub-mini-1x")


@pytest.fixture
def committed(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> Reference:
    for module in (references, reference_record):
        monkeypatch.setattr(module, "references_path", lambda: reference.folder.parent)
    return reference


def mine(seed: int = 0, **changes: object) -> Run:
    return make_run("combined", seed, treated=0.5, **changes)  # type: ignore[arg-type]


def test_a_reference_gives_the_scores_that_its_runs_give(reference: Reference) -> None:
    with_runs, with_reference = score_points([mine()], VANILLAS, [BASE]), score_points([mine()], reference=reference)
    assert with_reference.interval_kind == "runs"
    assert with_reference.ranked, with_reference.not_ranked_because
    assert with_reference.reference
    assert with_reference.reference.runs
    for kind in KINDS:
        left, right = getattr(with_runs, kind), getattr(with_reference, kind)
        assert right.share.value == pytest.approx(left.share.value, abs=1e-6)
        for one, other in zip(left.causes, right.causes, strict=True):
            assert other.active_pairs == one.active_pairs
            assert other.points.value == pytest.approx(one.points.value, abs=1e-6)
            assert other.points.low == pytest.approx(one.points.low, abs=1e-5)
            assert other.reference_gap == pytest.approx(one.gap.value, abs=1e-6)
    assert with_reference.retention == pytest.approx(with_runs.retention, abs=1e-6)


def test_vanilla_runs_of_one_dataset_have_one_budget(tmp_path: Path) -> None:
    other = make_run("vanilla", training_seed=5)
    assert other.record.training
    budget = {"division": "1x", "tokens": {"1": 600}, "total": 600, "source": "calibration"}
    longer = other.record.model_copy(
        update={
            "training": type(other.record.training).model_validate(
                other.record.training.model_dump() | {"budget": budget}
            )
        }
    )
    with pytest.raises(ProblemError, match="seed 0 spent different budgets"):
        make_reference([*VANILLAS, BASE, Run(longer, other.samples)], tmp_path / "out")


def test_its_constants_follow_from_its_files(reference: Reference, tmp_path: Path) -> None:
    stored = [run for one in reference.comparisons for run in (*one.vanillas, one.base) if run]
    again = make_reference(stored, tmp_path / "again")
    assert again.record.gaps == reference.record.gaps
    assert again.record.run_sd == reference.record.run_sd
    assert set(reference.record.gaps["reproduction"]) == set(PAPER_CAUSES)
    assert (reference.folder / "seed-0.parquet").stat().st_size < 100_000
    assert reference.record.datasets[0].budget == 500


def test_the_committed_one_is_the_default(committed: Reference, tmp_path: Path) -> None:
    scores = ilp_bench.score(mine())
    assert scores.model_dump()["reference"]["name"] == committed.name
    assert ilp_bench.score(mine(), reference=committed.name) == scores
    without = ilp_bench.score(mine(), VANILLAS[0], BASE, reference="none")
    assert without.model_dump()["reference"] is None
    assert find_reference(mine(division="3x").record) is None
    with pytest.raises(UsageError, match="Did you mean 'stub-mini-1x'"):
        ilp_bench.score(mine(), reference="stub-mini-x1")


def test_runs_given_come_before_those_of_the_reference(committed: Reference) -> None:
    scores = score_points([mine()], VANILLAS[:1], [BASE], committed)
    assert scores.interval_kind == "runs"
    assert scores.reference
    assert not scores.reference.runs
    elsewhere = score_points([mine(5)], [make_run("vanilla", 5)], [make_run(None, 5)], committed)
    assert elsewhere.ranked, elsewhere.not_ranked_because


def test_a_vanilla_run_counts_once_however_often_it_is_given_or_measured(committed: Reference) -> None:
    """Else it would say that runs do not differ, and three copies would settle which causes count."""
    with pytest.raises(ProblemError, match="two vanilla runs are the same weights on the same dataset"):
        score_points([mine()], [VANILLAS[0]] * 3, [BASE])
    samples = VANILLAS[0].samples
    p = pc.add(samples["p"], 1e-7)
    again = Run(
        VANILLAS[0].record.model_copy(update={"samples_sha256": "f" * 64}),
        samples.set_column(samples.schema.get_field_index("p"), "p", p),
    )
    _, further, _ = compare([mine()], [again], (), committed)
    weights = [run.record.model.weights_sha256 for one in further for run in one.vanillas]
    assert sorted(weights) == sorted(run.record.model.weights_sha256 for run in VANILLAS)


def test_two_base_runs_on_one_dataset_are_refused() -> None:
    other = Run(BASE.record.model_copy(update={"samples_sha256": "f" * 64}), BASE.samples)
    with pytest.raises(ProblemError, match="two base runs on the dataset of seed"):
        score_points([mine()], VANILLAS[:1], [BASE, other])
    assert score_points([mine()], VANILLAS[:1], [BASE, BASE]) == score_points([mine()], VANILLAS[:1], [BASE])


def test_a_reference_run_is_not_compared_with_itself(reference: Reference) -> None:
    scores = score_points(VANILLAS[:1], reference=reference)
    assert scores.reproduction.causes[0].points
    assert scores.reproduction.causes[0].points.value != 0


def refused(message: str, run: Run, reference: Reference) -> None:
    with pytest.raises(ProblemError, match=message) as problem:
        score_points([run], reference=reference)
    assert "\n" not in str(problem.value)


def test_a_reference_that_does_not_fit_is_refused(reference: Reference) -> None:
    refused(r"another budget division \(1x, the run's is 3x\)", mine(division="3x"), reference)
    refused("reference stub-mini-1x has seeds 0: give a vanilla run", mine(4), reference)
    other = mine()
    assert other.record.training
    training = other.record.training.model_dump() | {"base": {"name": "x", "weights_sha256": "c" * 64}}
    other = Run(other.record.model_validate(other.record.model_dump() | {"training": training}), other.samples)
    refused("of another base model: give one that fits", other, reference)


def test_a_damaged_reference_is_named(reference: Reference, tmp_path: Path) -> None:
    record = json.loads((reference.folder / "reference.json").read_text())
    (tmp_path / "reference.json").write_text(json.dumps(record))
    (tmp_path / "seed-0.parquet").write_bytes(b"other")
    with pytest.raises(ProblemError, match=r"is not what reference\.json beside it names"):
        _ = read_reference(tmp_path).comparisons
    (tmp_path / "reference.json").write_text(json.dumps(record | {"gaps": 3}))
    with pytest.raises(ProblemError, match=r"gaps: .*: make it again"):
        read_reference(tmp_path)


def test_runs_that_make_no_reference(tmp_path: Path) -> None:
    for runs, message in (
        ([BASE], "1 base runs and 0 vanilla runs"),
        ([*VANILLAS[:1], *VANILLAS[:1], BASE], "given twice"),
        ([VANILLAS[0], BASE, make_run("vanilla", 1, division="3x"), make_run(None, 1)], "differ in base model"),
        ([make_run("vanilla", division=None), BASE], "name base model and budget"),
        ([mine(), BASE], "trained with recipe 'combined'"),
    ):
        with pytest.raises(ProblemError, match=message):
            make_reference(runs, tmp_path / "no")
    assert not list(tmp_path.iterdir())


# Fewer vanilla runs than say for good which causes count.
PROVISIONAL = {"gemma-3-270m-core-1x", "smollm2-135m-instruct-core-2x"}


def test_committed_references_are_whole() -> None:
    """Every committed reference can be read, and its constants follow from its files."""
    for folder in sorted(Path(references.references_path()).glob("*/")):
        stored = read_reference(folder)
        assert stored.vanilla_count >= MIN_VANILLA_RUNS or folder.name in PROVISIONAL
        assert all(file.stat().st_size < 8_000_000 for file in folder.iterdir())


def test_placebos_count_cells() -> None:
    runs = [make_run(recipe, seed, training_seed=t) for seed in range(3) for recipe, t in
            (("vanilla", 0), ("vanilla", 1), ("vanilla", 2), (None, 0))]  # fmt: skip
    result = placebo(runs)
    assert len(result.single) == 3 * 6 * 2 * 6  # datasets, ordered pairs, kinds, five causes and H
    assert len(result.several) == 6 * 2 * 6
    assert share_excluding_zero(result.single) < 0.1
    with pytest.raises(ProblemError, match="two vanilla runs or more"):
        placebo(runs[-1:])


def test_a_dataset_with_own_vanilla_beside_the_references_counts_once(tmp_path: Path) -> None:
    """One vanilla run a dataset in the reference: what runs differ by is seen over its three datasets, and no more."""
    vanillas = [make_run("vanilla", seed, training_seed=seed) for seed in range(3)]
    made = make_reference([*vanillas, *(make_run(None, seed) for seed in range(3))], tmp_path / "stub-mini-1x")
    own = make_run("vanilla", 0, training_seed=7)
    found = []
    for given in ((), (own,)):
        comparisons, further, _ = compare([mine(training_seed=5)], given, (), made)
        found.append(arm_means(comparisons, active_pairs, further)["reproduction"].uncertainty.runs_freedom)
    assert found == [2, 2]
