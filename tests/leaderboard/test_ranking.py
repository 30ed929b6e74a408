"""Differences of entries, ranks, groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from ilp_bench.leaderboard.describe import OWN_VANILLA, describe_entry
from ilp_bench.leaderboard.entry import Entry, KindResult
from ilp_bench.leaderboard.estimate import Estimate, difference
from ilp_bench.leaderboard.ranking import base_models, h_difference, ranked
from ilp_bench.leaderboard.recipe_rows import recipe_rows
from ilp_bench.scoring.rank_reasons import Reason
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.format import Submission, read_submission
from ilp_bench.submission.rerun_record import read_verification


def described(folder: Path) -> Entry:
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    return describe_entry(folder, submission, [], read_verification(folder))


@pytest.fixture(scope="module")
def entries(board_submissions: Path) -> dict[str, Entry]:
    folders = sorted(file.parent for file in board_submissions.glob("*/*/submission.json"))
    return {entry.model: entry for entry in map(described, folders)}


def test_vanilla_of_its_own_must_be_run_again_before_a_rank(board_submissions: Path) -> None:
    folder = next(file.parent for file in board_submissions.glob("*sample-1b-auto-1x/*/submission.json"))
    submission, (again, _) = read_submission(folder), read_verification(folder)
    assert isinstance(submission, Submission)
    runs = again.public.runs["vanilla"]
    some = runs.model_copy(update={"again": runs.of - 1})
    for changes, may_be_ranked in (
        ({}, True),
        ({"status": "differs"}, False),
        ({"runs": again.public.runs | {"vanilla": some}}, False),
    ):
        record = again.model_copy(update={"public": again.public.model_copy(update=changes)})
        assert describe_entry(folder, submission, [], [record]).is_ranked == may_be_ranked, changes
    entry = describe_entry(folder, submission, [], [])
    assert entry.not_ranked_because == (OWN_VANILLA,)


@pytest.fixture(scope="module")
def pattern(entries: dict[str, Entry]) -> Entry:
    """An entry that may be ranked, to be changed."""
    entry = entries["sample-1b-combined-1x"]
    assert entry.is_ranked
    return entry


def with_h(entry: Entry, model: str, by_dataset: dict[int, float], half: float = 0.05, counted: int = 5) -> Entry:
    """The same entry with another H: the mean over datasets, with an interval of that half width."""
    value = float(np.mean([*by_dataset.values()]))
    result = KindResult(
        Estimate(value, value - half, value + half), entry.results["reproduction"].counted[:counted], {}, by_dataset
    )
    return replace(entry, run_id=model, model=model, results=entry.results | {"reproduction": result})


def decided(entry: Entry, decision: str) -> Entry:
    fields = {"run_id": "0" * 16, "entry": "a__b/" + "0" * 16, "decision": decision, "reason": "x", "by": "maintainer"}
    return replace(entry, decisions=(Decision.model_validate(fields | {"date": "2026-11-22"}),))


def test_a_difference_on_the_same_datasets_is_the_paired_t_interval() -> None:
    first, second = {0: 0.52, 1: 0.60, 2: 0.47, 5: 0.55}, {0: 0.41, 1: 0.52, 2: 0.40, 5: 0.42}
    plain = Estimate(0.535, 0.40, 0.67), Estimate(0.4375, 0.30, 0.575)
    found = difference(*plain, first, second)
    expected = scipy.stats.ttest_rel([*first.values()], [*second.values()]).confidence_interval(0.95)
    assert found.paired
    assert found.estimate == pytest.approx((0.0975, expected.low, expected.high))
    assert plain[0].low < plain[1].high, "their intervals overlap, and still the difference is resolved"
    assert found.estimate.low > 0


def test_the_bias_of_the_guard_moves_both_ends_outwards() -> None:
    same = {0: 0.5, 1: 0.5, 2: 0.5}
    left, right = Estimate(0.5, 0.4, 0.63), Estimate(0.5, 0.4, 0.61)
    assert left.raised == pytest.approx(0.03)
    assert difference(left, right, same, same).estimate == pytest.approx((0.0, -0.01, 0.03))


@pytest.mark.parametrize(
    "seeds", [({0: 0.5, 1: 0.5}, {0: 0.2, 1: 0.2}), ({0: 0.5, 1: 0.5, 2: 0.5}, {0: 0.2, 1: 0.2, 3: 0.2}), ({}, {})]
)
def test_elsewhere_a_difference_excludes_zero_exactly_where_intervals_do_not_overlap(
    seeds: tuple[dict[int, float], dict[int, float]],
) -> None:
    apart = difference(Estimate(0.5, 0.45, 0.55), Estimate(0.2, 0.1, 0.44), *seeds)
    touching = difference(Estimate(0.5, 0.45, 0.55), Estimate(0.2, 0.1, 0.46), *seeds)
    assert not apart.paired
    assert apart.estimate.low > 0 > touching.estimate.low
    assert apart.estimate.excludes_zero
    assert not touching.estimate.excludes_zero


def test_two_trainings_of_one_recipe_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(0)
    told_apart = 0
    for _ in range(2000):
        datasets = rng.normal(0.4, 0.1, 3)
        first, second = (dict(enumerate(datasets + rng.normal(0, 0.03, 3))) for _ in range(2))
        around = [Estimate(float(np.mean([*one.values()])), 0.0, 1.0) for one in (first, second)]
        plain = [Estimate(one.value, one.value - 0.1, one.value + 0.1) for one in around]
        told_apart += difference(*plain, first, second).estimate.excludes_zero
    assert 0.03 < told_apart / 2000 < 0.07


def test_a_rank_is_shared_until_the_difference_to_its_first_is_resolved(pattern: Entry) -> None:
    best = with_h(pattern, "best", {0: 0.50, 1: 0.60, 2: 0.40})
    close = with_h(pattern, "close", {0: 0.45, 1: 0.62, 2: 0.37})  # not resolved against best
    third = with_h(pattern, "third", {0: 0.44, 1: 0.54, 2: 0.34})  # resolved against best, by 0.06 on each dataset
    last = with_h(pattern, "last", {0: 0.02, 1: 0.01, 2: -0.02})
    standings = ranked([last, third, close, best])
    assert [(one.entry.model, one.rank, one.shared) for one in standings] == [
        ("best", 1, True),
        ("close", 1, True),
        ("third", 3, False),
        ("last", 4, False),
    ]
    assert standings[0].behind is None
    assert standings[2].behind
    assert standings[2].behind.estimate == pytest.approx((0.06, 0.06, 0.06))


def test_what_is_over_other_causes_has_no_difference_and_shares_no_rank(pattern: Entry) -> None:
    all_five = with_h(pattern, "five", {0: 0.9, 1: 0.9, 2: 0.9})
    over_three = with_h(pattern, "three", {0: 0.1, 1: 0.1, 2: 0.1}, counted=3)
    assert h_difference(all_five, over_three) is None
    assert [one.rank for one in ranked([all_five, over_three])] == [1, 2]


def test_only_what_may_be_ranked_has_a_rank_and_the_withdrawn_are_in_no_table(pattern: Entry) -> None:
    good = with_h(pattern, "good", {0: 0.5, 1: 0.5, 2: 0.5})
    provisional = replace(
        with_h(pattern, "new", {0: 0.9, 1: 0.9, 2: 0.9}), not_ranked_because=(Reason("too few", "too few runs"),)
    )
    flagged = decided(with_h(pattern, "doubtful", {0: 0.8, 1: 0.8, 2: 0.8}), "flagged")
    withdrawn = decided(with_h(pattern, "gone", {0: 0.7, 1: 0.7, 2: 0.7}), "withdrawn")
    (model,) = base_models([good, provisional, flagged, withdrawn], [])
    (group,) = model.groups
    assert [(one.entry.model, one.rank) for one in group.standings] == [("good", 1), ("new", None), ("doubtful", None)]
    assert [entry.model for entry in group.withdrawn] == ["gone"]
    assert (group.ranked, group.first) == (1, good)


def test_groups_are_of_one_base_model_and_division_other_peoples_models_first(entries: dict[str, Entry]) -> None:
    models = base_models([*entries.values()], [])
    assert [model.name for model in models] == ["Sample-1B", "nano"]
    assert [group.division for group in models[0].groups] == ["1x", "3x", "open"]
    for model in models:
        for group in model.groups:
            assert len({(entry.base_sha, entry.division) for entry in group.entries}) == 1
    larger = replace(
        entries["nano-auto-1x"], base_sha="f" * 64, data=(entries["nano-auto-1x"].data[0]._replace(size="core"),)
    )
    assert len(base_models([*entries.values(), larger], [])) == 3


def test_a_model_without_a_ranked_entry_comes_after_those_that_have_one(entries: dict[str, Entry]) -> None:
    large = replace(
        entries["sample-1b-combined-1x"], not_ranked_because=(Reason("one run", "one run"),), base="Real-9B"
    )
    large = replace(large, base_sha="e" * 64, parameters=9_000_000_000)
    small = replace(entries["nano-auto-1x"], base_sha="d" * 64, base="nano-olmo2", parameters=2_000_000)
    models = base_models([*entries.values(), large, small], [])
    assert [model.name for model in models] == ["Sample-1B", "nano", "nano-olmo2", "Real-9B"]


def test_an_entry_says_what_its_submission_says(entries: dict[str, Entry], board_submissions: Path) -> None:
    entry = entries["sample-1b-combined-open"]
    submission = read_submission(board_submissions / "made-up__sample-1b-combined-open" / entry.run_id)
    assert isinstance(submission, Submission)
    scores = submission.scores
    assert entry.kind == "LoRA 16"
    assert entry.budget == submission.runs[0].training.budget.total  # type: ignore[union-attr]
    for kind in ("reproduction", "internalisation"):
        own, said = entry.results[kind], getattr(scores, kind)
        assert own.share == Estimate.of(said.share)
        assert own.counted == tuple(said.counted)
        assert own.by_dataset == {one.data_seed: one.share[kind] for one in scores.replicates}
        assert {name: cause.points for name, cause in own.causes.items()} == {
            cause.cause: Estimate.of(cause.points) for cause in said.causes
        }


def test_a_recipe_of_several_entries_has_their_mean_without_flagged_ones(pattern: Entry) -> None:
    again = replace(pattern, run_id="1" * 16, model="again")
    causes = pattern.results["reproduction"].causes
    name, cause = next(iter(causes.items()))
    assert cause.points
    moved = cause._replace(points=Estimate(*(end + 0.1 for end in cause.points)))
    again = replace(again, results=again.results | {
        "reproduction": again.results["reproduction"]._replace(causes=causes | {name: moved})
    })  # fmt: skip
    (model,) = base_models([pattern, again, decided(replace(again, run_id="2" * 16), "flagged")], [])
    (row,) = recipe_rows(model.groups[0], "reproduction")
    assert len(row.entries) == 2
    assert row.causes[name] == pytest.approx(tuple(end + 0.05 for end in cause.points))
