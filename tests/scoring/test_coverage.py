"""Simulated coverage of the intervals of scorer 3; run effects are as tests/points_runs.py documents them."""

from typing import Any

import numpy as np
import pytest
from coverage_simulation import EFFECTS, GAPS, as_scored, coverage
from points_runs import levels, table_run
from scipy.special import expit

from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.scoring import arm_means as module
from ilp_bench.scoring import pair_sets
from ilp_bench.scoring.arm_means import arm_means
from ilp_bench.scoring.pair_sets import Comparison
from ilp_bench.scoring.points import share_closed


@pytest.mark.parametrize("datasets", [3, 5])
@pytest.mark.parametrize("effect", EFFECTS)
def test_intervals_of_replicates_cover_the_truth(effect: str, datasets: int) -> None:
    of_points, of_share = coverage("as scored", effect, datasets, trials=2500)
    assert 0.93 < of_points < 0.97
    assert 0.93 < of_share < 0.97


@pytest.mark.parametrize("learned", [False, True])
def test_intervals_hold_with_ten_pairs_of_which_nearly_all_or_none_are_learned(learned: bool) -> None:
    """p is drawn on the scale of logits, so that it lies near 0 or 1; a recipe changes nothing, or repairs all."""
    rng, pairs, datasets = np.random.default_rng(3), 10, 3
    levels = {"treated": -8.0, "control": 12.0}
    scatter = {"item": 6.0, "run": 0.5, "luck": 3.0}

    def mean_p(level: float) -> float:
        """The true mean of an arm."""
        return float(expit(level + np.hypot(np.hypot(*list(scatter.values())[:2]), scatter["luck"]) * normal).mean())

    normal = np.random.default_rng(0).normal(size=400_000)
    gain = levels["control"] - levels["treated"] if learned else 0.0
    truth = mean_p(levels["treated"] + gain) - mean_p(levels["treated"])
    assert mean_p(levels["control"]) > 0.95
    covered = []
    for _ in range(1000):
        shape = (datasets, 1, len(PAPER_CAUSES), pairs, 2)
        logits = np.array([*levels.values()]) + rng.normal(0, scatter["item"], shape)
        logits = np.concatenate([logits + np.array([gain, 0.0]), logits], axis=1)
        run = rng.normal(0, scatter["run"], (datasets, 2, len(PAPER_CAUSES), 1, 2))
        means = expit(logits + run + rng.normal(0, scatter["luck"], logits.shape)).mean(axis=3)
        covered.append([one.low <= value <= one.high for one, value in
                        zip(as_scored(means), (truth, truth / GAPS[PAPER_CAUSES[0]]), strict=True)])  # fmt: skip
    of_points, of_share = np.mean(covered, axis=0)
    assert 0.92 < of_points < 0.98
    assert 0.92 < of_share < 0.98


def test_what_was_tried_and_does_not_cover() -> None:
    """So that nobody simplifies the interval to one of these."""
    assert coverage("t over replicates' G", "placebo", 5, trials=500)[1] < 0.85
    assert coverage("two-stage bootstrap", "placebo", 3, trials=300)[1] < 0.85


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pair_tables", lambda run: run.tables)
    monkeypatch.setattr(pair_sets, "layout", lambda probes: probes)
    monkeypatch.setattr(pair_sets, "all_values", lambda run: run.values)


def every_pair(comparison: Any) -> dict[str, Any]:
    return {cause: np.ones(len(table.pairs), bool) for cause, table in comparison.vanillas[0].tables.items()}


@pytest.mark.parametrize("groups_of", [1, 3])
def test_a_single_run_beside_three_vanilla_runs_is_a_sound_placebo(tables: None, groups_of: int) -> None:
    """The interval of one run holds at run level, whether pairs have luck of their own or in groups."""
    rng, missed, trials = np.random.default_rng(groups_of), [], 150
    for _ in range(trials):
        dataset = levels(rng)
        runs = tuple(table_run(rng, dataset, groups_of) for _ in range(4))
        means = arm_means([Comparison(runs[:1], runs[1:], None)], every_pair)["reproduction"]
        assert means.uncertainty.kind == "runs"
        share = share_closed(means, PAPER_CAUSES, GAPS)
        assert share
        missed += [not one.low <= 0 <= one.high for one in (share, *map(means.points, PAPER_CAUSES))]
    assert np.mean(missed) <= 0.07


@pytest.mark.parametrize("datasets", [1, 2])
def test_few_runs_of_a_recipe_that_repairs_cover_what_it_repairs(tables: None, datasets: int) -> None:
    """One run a dataset beside three vanilla runs on it: what items gain differs too, and the interval holds it."""
    rng, covered, widths = np.random.default_rng(datasets), [], []
    treated, control = EFFECTS["own cause"]
    truth = [*(treated - np.maximum(0, control)).tolist(), float(treated.sum()) / sum(GAPS.values())]
    for _ in range(120):
        comparisons = []
        for _ in range(datasets):
            dataset = levels(rng)
            submitted = table_run(rng, dataset.with_effect(rng, treated, control))
            comparisons.append(Comparison((submitted,), tuple(table_run(rng, dataset) for _ in range(3)), None))
        means = arm_means(comparisons, every_pair)["reproduction"]
        share = share_closed(means, PAPER_CAUSES, GAPS)
        assert share
        found = [*map(means.points, PAPER_CAUSES), share]
        covered += [one.low <= value <= one.high for one, value in zip(found, truth, strict=True)]
        widths.append(found[0].high - found[0].low)
    assert np.mean(covered) >= 0.93
    assert np.mean(widths) < GAPS[PAPER_CAUSES[0]], "an interval that holds all says nothing"


def test_pairs_alone_leave_out_what_runs_differ_by(tables: None) -> None:
    """Without other vanilla runs a placebo is found to differ too often, which is why it is marked."""
    rng, missed = np.random.default_rng(0), []
    for _ in range(60):
        dataset = levels(rng)
        runs = [(table_run(rng, dataset),) for _ in range(2)]
        means = arm_means([Comparison(runs[0], runs[1], None)], every_pair)["reproduction"]
        assert means.uncertainty.kind == "pairs only"
        missed += [not one.low <= 0 <= one.high for one in map(means.points, PAPER_CAUSES)]
    assert np.mean(missed) > 0.1
