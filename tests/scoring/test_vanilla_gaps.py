"""What vanilla leaves unlearned, from the runs of a reference."""

from pathlib import Path

import pytest
from points_runs import make_run

from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.scoring.make_reference import make_reference
from ilp_bench.scoring.references import Reference
from ilp_bench.scoring.score_points import score_points
from ilp_bench.scoring.vanilla_gaps import VanillaGap, left_of_gap, vanilla_gaps

SEEDS = range(3)


def reference(folder: Path, treated: float) -> Reference:
    runs = [make_run("vanilla", seed, treated=treated, training_seed=seed) for seed in SEEDS]
    return make_reference([*runs, *(make_run(None, seed) for seed in SEEDS)], folder)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return reference(tmp_path_factory.mktemp("short") / "stub-mini-1x", 0.3)


def by_cause(gaps: list[VanillaGap]) -> dict[str, VanillaGap]:
    return {gap.cause: gap for gap in gaps}


def test_gaps_are_those_that_a_score_against_these_runs_names(short: Reference) -> None:
    submissions = [make_run("combined", seed, training_seed=seed) for seed in SEEDS]
    scores = score_points(submissions, reference=short)
    for score in (scores.reproduction, scores.internalisation):
        gaps = by_cause(vanilla_gaps(short, score.kind))
        assert tuple(gaps) == PAPER_CAUSES
        for cause in score.causes:
            gap = gaps[cause.cause]
            assert gap.gap == cause.gap
            assert gap.pairs == cause.active_pairs
            assert cause.vanilla
            assert gap.arms == cause.vanilla.p


def test_the_dose_curve_is_that_of_treated_items(short: Reference) -> None:
    gap = by_cause(vanilla_gaps(short, "reproduction"))["rare_patterns"]
    assert [dose.dose for dose in gap.doses] == [1, 2]
    assert [dose.pairs for dose in gap.doses] == [36, 36]
    assert gap.arms
    assert sum(dose.mean for dose in gap.doses) / 2 == pytest.approx(gap.arms.treated, abs=1e-6)
    for dose in gap.doses:
        assert dose.interval
        assert dose.interval.low < dose.mean < dose.interval.high
    assert by_cause(vanilla_gaps(short, "reproduction"))["knowledge_gap"].doses == []


def test_what_is_left_of_a_gap(short: Reference, tmp_path: Path) -> None:
    longer = reference(tmp_path / "longer", 0.55)
    for kind in ("reproduction", "internalisation"):
        first, last = by_cause(vanilla_gaps(short, kind)), by_cause(vanilla_gaps(longer, kind))
        for cause in PAPER_CAUSES:
            assert left_of_gap(first[cause].value, last[cause].value) == pytest.approx(0.5, abs=0.05)
            assert left_of_gap(first[cause]._replace(gap=None).value, last[cause].value) is None
