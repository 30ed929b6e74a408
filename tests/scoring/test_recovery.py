import numpy as np
import pyarrow as pa
import pytest
from conftest import PAIRS, by_arm, make_run, retrained

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import learned
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.records.run_record import Run, Runs
from ilp_bench.scoring import bootstrap
from ilp_bench.scoring.bootstrap import DRAWS, interval, interval_ends, resampled, resampled_again
from ilp_bench.scoring.learned_rates import active_pairs, pair_rates
from ilp_bench.scoring.recovery import Scores, recovery, score, score_replicates


def test_recovery_is_the_share_of_the_gap() -> None:
    values = recovery(np.array([0.5, 0.2, 0.9]), np.array([0.2, 0.2, 0.9]), np.array([0.8, 0.8, 0.9]))
    assert values[:2].tolist() == pytest.approx([0.5, 0.0])
    assert np.isnan(values[2])


def test_vanilla_against_itself_recovers_nothing(mini: Dataset) -> None:
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    scores = score(vanilla, vanilla)
    assert all(cause.expressed and cause.recovery and cause.recovery.value == 0 for cause in scores.causes)
    assert scores.overall is not None
    assert scores.overall.value == 0
    assert not scores.activity_known


def test_a_known_recovery_is_found_with_an_interval_around_it(mini: Dataset) -> None:
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    half = make_run(mini, "combined", by_arm(0.25, 0.9))
    for cause in score(half, vanilla).causes:
        assert cause.recovery is not None
        v, s = cause.vanilla, cause.submission
        assert cause.recovery.value == pytest.approx((s.treated - v.treated) / (v.control - v.treated))
        assert cause.recovery.low < cause.recovery.value < cause.recovery.high
        assert v.treated == pytest.approx(float(learned(0.095)), abs=0.01)


def test_hurting_the_control_arm_does_not_help(mini: Dataset) -> None:
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    honest = score(make_run(mini, "combined", by_arm(0.25, 0.9)), vanilla)
    harmful = score(make_run(mini, "combined", by_arm(0.25, 0.0)), vanilla)
    for left, right in zip(honest.causes, harmful.causes, strict=True):
        assert left.recovery == right.recovery
        assert right.regressions > left.regressions


def test_a_cause_without_a_gap_is_not_expressed_and_gives_no_overall(mini: Dataset) -> None:
    flat = make_run(mini, "vanilla", lambda item: 0.9 if item["cause"] == "rare_patterns" else by_arm(0.1, 0.9)(item))
    scores = score(make_run(mini, "combined", by_arm(0.9, 0.9)), flat)
    rare = next(cause for cause in scores.causes if cause.cause == "rare_patterns")
    assert not rare.expressed
    assert rare.recovery is None
    assert rare.recovery_recall is None
    assert scores.overall is None


def test_only_active_pairs_count_when_the_base_is_known(mini: Dataset) -> None:
    base = make_run(mini, None, by_arm(0, 0))
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    scores = score(vanilla, vanilla, base)
    assert scores.activity_known
    assert all(cause.active_pairs == cause.pairs == PAIRS[cause.cause] for cause in scores.causes)
    ignorant = base.samples.set_column(
        base.samples.schema.get_field_index("shots_p"), "shots_p", [[0.0] * base.samples.num_rows]
    )
    base = Run(base.record, ignorant)
    assert not active_pairs(base)["knowledge_gap"]
    gap = score(vanilla, vanilla, base).causes[0]
    assert gap.active_pairs == 0
    assert not gap.expressed


def test_the_same_runs_give_the_same_numbers(mini: Dataset) -> None:
    """Worked out twice from the samples: no cached rates or draws, runs made anew."""

    def scored() -> Scores:
        for cached in (pair_rates, active_pairs, bootstrap._counts, bootstrap._cached_means):
            cached.cache_clear()
        runs = (make_run(mini, name, by_arm(p, 0.9)) for name, p in (("combined", 0.3), ("vanilla", 0.1)))
        return score(*runs)

    first, second = scored(), scored()
    assert first is not second
    assert first == second
    other = score(make_run(mini, "combined", by_arm(0.3, 0.9), noise=1), make_run(mini, "vanilla", by_arm(0.1, 0.9)))
    assert other != first


def test_runs_that_do_not_belong_together_are_refused(mini: Dataset) -> None:
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    with pytest.raises(ProblemError, match="other data"):
        score(make_run(make("mini", 1), "combined", by_arm(0.3, 0.9)), vanilla)
    with pytest.raises(ProblemError, match="recipe 'combined'"):
        score(vanilla, make_run(mini, "combined", by_arm(0.3, 0.9)))
    with pytest.raises(ProblemError, match="chat template"):
        score(make_run(mini, "combined", by_arm(0.3, 0.9), prompt_format="chat"), vanilla)
    other = make_run(mini, "combined", by_arm(0.3, 0.9))
    retrained(other, base={"weights_sha256": "c" * 64})
    with pytest.raises(ProblemError, match="different base models"):
        score(other, vanilla)
    with pytest.raises(ProblemError, match="no knowledge probe"):
        score(vanilla, vanilla, make_run(mini, None, by_arm(0, 0), probed=False))


def test_the_average_hides_the_worst_cause(mini: Dataset) -> None:
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    all_but = by_arm(0.0, 1.0)
    lopsided = make_run(mini, "combined", lambda item: all_but(item) if item["cause"] == "rare_patterns" else 1.0)
    scores = score(lopsided, vanilla)
    assert scores.worst["cause"] == "rare_patterns"
    assert float(scores.worst["treated"]) < 1e-6 < 0.8 < scores.aggregate["submission"]


def test_a_sampled_run_is_not_scored(mini: Dataset) -> None:
    exact = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    drawn = make_run(mini, "combined", by_arm(0.5, 0.9), protocol="sampled", draws=100, seed=0)
    with pytest.raises(ProblemError, match="was sampled"):
        score(drawn, exact)


def test_a_set_of_some_causes_is_scored_on_those() -> None:
    few = make("mini", 0, pairs=30, causes=("rare_patterns", "left_side_forgetting"))
    found = score(make_run(few, "combined", by_arm(0.5, 0.9)), make_run(few, "vanilla", by_arm(0.1, 0.9)))
    expressed = {cause.cause: cause.expressed for cause in found.causes}
    assert expressed["rare_patterns"]
    assert expressed["left_side_forgetting"]
    assert set(expressed) == {"rare_patterns", "left_side_forgetting"}
    assert found.overall is None


def test_training_seeds_are_averaged_before_pairs_are_drawn(mini: Dataset) -> None:
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    one, other = (make_run(mini, "combined", by_arm(p, 0.9)) for p in (0.2, 0.4))
    other.record.model.weights_sha256 = "d" * 64
    pooled = score_replicates([Runs(one, vanilla), Runs(other, vanilla)])
    single = [score(run, vanilla) for run in (one, other)]
    for cause, first, second in zip(pooled.causes, *(found.causes for found in single), strict=True):
        assert cause.pairs == first.pairs
        assert cause.recovery
        assert first.recovery
        assert second.recovery
        assert cause.recovery.value == pytest.approx((first.recovery.value + second.recovery.value) / 2)
        width = cause.recovery.high - cause.recovery.low
        assert width > 0.8 * min(found.recovery.high - found.recovery.low for found in (first, second))
    assert [found.overall for found in pooled.replicates] == [found.overall.value for found in single if found.overall]


def test_datasets_of_other_seeds_are_further_pairs(mini: Dataset) -> None:
    second = make("mini", 1)
    parts = [
        Runs(make_run(data, "combined", by_arm(0.25, 0.9)), make_run(data, "vanilla", by_arm(0.1, 0.9)))
        for data in (mini, second)
    ]
    pooled, alone = score_replicates(parts), score(*parts[0][:2])
    assert [found.data_seed for found in pooled.replicates] == [0, 1]
    for both, one in zip(pooled.causes, alone.causes, strict=True):
        assert both.pairs == 2 * one.pairs
        assert both.gap.high - both.gap.low < one.gap.high - one.gap.low


def test_replicates_that_do_not_belong_together_are_refused(mini: Dataset) -> None:
    vanilla, base = make_run(mini, "vanilla", by_arm(0.1, 0.9)), make_run(mini, None, by_arm(0, 0))
    half = make_run(mini, "combined", by_arm(0.25, 0.9))
    with pytest.raises(ProblemError, match="same weights on the same dataset"):
        score_replicates([Runs(half, vanilla), Runs(half, vanilla)])
    other = make_run(mini, "combined", by_arm(0.25, 0.9))
    other.record.model.weights_sha256 = "d" * 64
    with pytest.raises(ProblemError, match="some replicates have no base run"):
        score_replicates([Runs(half, vanilla, base), Runs(other, vanilla)])
    second = make_run(mini, None, by_arm(0.1, 0))
    second.record.samples_sha256 = "1" * 64
    with pytest.raises(ProblemError, match="two base runs on the dataset"):
        score_replicates([Runs(half, vanilla, base), Runs(other, vanilla, second)])


def test_an_interval_leaves_out_draws_without_a_value() -> None:
    draws = np.random.default_rng(0).normal(size=1000)
    found = interval(0.0, np.concatenate([draws, np.full(50, np.nan)]))
    assert [found.low, found.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]), rel=1e-12)
    assert np.isnan(interval_ends(np.full((2, 10), np.nan))).all()
    two = np.stack([draws, draws + 1])
    assert interval_ends(two)[1] == pytest.approx(interval_ends(two)[0] + 1)


def test_equal_columns_have_equal_means_to_the_last_bit() -> None:
    """So that vanilla against itself recovers exactly 0."""
    values = np.random.default_rng(0).random((90, 2))
    drawn = resampled("rare_patterns", np.column_stack([values, values[:, 0]]))
    assert drawn.shape == (DRAWS, 3)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (resampled_again("rare_patterns", values) == drawn[:, :2]).all()
    assert drawn.mean(axis=0)[:2] == pytest.approx(values.mean(axis=0), abs=0.01)


def test_pairs_on_which_a_cause_cannot_act_do_not_count(mini: Dataset) -> None:
    """Half of the pairs of the knowledge gap are active; only those of the submission are repaired."""
    pairs = sorted({row["pair_id"] for row in mini.items.to_pylist() if row["cause"] == "knowledge_gap"} - {None})
    active = set(pairs[::2])
    base = make_run(mini, None, by_arm(0, 0))
    rows = base.samples.to_pylist()
    for row in rows:
        if row["shots_greedy"] and row["cause"] == "knowledge_gap":
            row["shots_greedy"] = row["pair_id"] in active
            row["shots_p"] = 0.9 * row["shots_greedy"]
    base = Run(base.record, pa.Table.from_pylist(rows, schema=base.samples.schema))
    vanilla = make_run(mini, "vanilla", by_arm(0.1, 0.9))
    repaired = make_run(mini, "combined", lambda item: 0.9 if item["pair_id"] in active else by_arm(0.1, 0.9)(item))
    gap = score(repaired, vanilla, base).causes[0]
    assert (gap.cause, gap.active_pairs, gap.pairs) == ("knowledge_gap", len(active), len(pairs))
    assert gap.recovery
    assert gap.recovery.value > 0.99
    assert gap.recovery_all_pairs == pytest.approx(len(active) / len(pairs), abs=0.01)


def test_no_cause_counts_for_more_than_all_of_its_gap(mini: Dataset) -> None:
    """One cause is learned far better than its control under vanilla was, the others as before."""
    vanilla = make_run(mini, "vanilla", by_arm(0.02, 0.05))
    better = make_run(
        mini, "combined", lambda item: 0.9 if item["cause"] == "rare_patterns" else by_arm(0.02, 0.05)(item)
    )
    scores = score(better, vanilla)
    beyond = next(cause for cause in scores.causes if cause.cause == "rare_patterns")
    assert beyond.recovery
    assert beyond.recovery.value > 5
    assert scores.overall
    assert scores.overall.value == pytest.approx(1 / 5, abs=1e-6)
    assert scores.overall.high == pytest.approx(1 / 5, abs=1e-6)
