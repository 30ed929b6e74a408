"""G and H as pure functions, and the scores of runs of dataset version 3."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from points_runs import make_run

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import unlearned
from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.records.run_record import Run
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.scoring.pair_probabilities import KINDS, pair_tables
from ilp_bench.scoring.points import ArmMeans, guard_bias, points, points_over_datasets, share_closed
from ilp_bench.scoring.points_schema import PointScores
from ilp_bench.scoring.run_intervals import Uncertainty, over_datasets
from ilp_bench.scoring.score_points import score_points

change = st.floats(-1, 1)


@given(change, change, st.floats(0, 1))
def test_hurting_the_control_never_pays(treated: float, control: float, harm: float) -> None:
    """Below vanilla's level nothing is gained; above it, never more than what the treated arm gained."""
    value = float(points(treated, control))
    assert value <= treated
    below = min(control, 0.0)
    assert float(points(treated, below - harm)) == float(points(treated, below)) == treated


@given(st.lists(st.tuples(change, change), min_size=5, max_size=5), st.lists(st.floats(0, 0.5), min_size=5, max_size=5))
def test_hurting_controls_never_raises_the_share(changes: list[tuple[float, float]], harm: list[float]) -> None:
    rng = np.random.default_rng(0)
    means = np.stack([np.array(changes), np.tile([0.2, 0.7], (5, 1))])
    means[0, :, 1] = np.minimum(means[0, :, 1], 0.7)
    hurt = means.copy()
    hurt[0, :, 1] -= harm
    uncertainty = over_datasets(rng.normal(0, 0.02, (4, means.size)))
    gaps = dict.fromkeys(PAPER_CAUSES, 0.5)
    honest, harmful = (
        share_closed(ArmMeans(PAPER_CAUSES, values, uncertainty), PAPER_CAUSES, gaps) for values in (means, hurt)
    )
    assert honest
    assert harmful
    assert harmful.value == pytest.approx(honest.value, abs=1e-12)
    assert honest.low <= honest.value <= honest.high


def test_the_bias_of_the_guard_is_what_simulation_gives() -> None:
    draws = np.random.default_rng(0).normal(size=1_000_000)
    for at in (-2.0, -0.5, 0.0, 1.0, 3.0):
        drawn = np.maximum(0, at + draws).mean() - max(0, at)
        assert guard_bias(at, 1.0) == pytest.approx(drawn, abs=0.003)
    assert guard_bias(0.0, 1.0) == pytest.approx(1 / np.sqrt(2 * np.pi))
    assert guard_bias(0.1, 0.0) == 0


@pytest.mark.parametrize(("groups", "runs"), [(2, 7), (10, 3), (3, 3)])
def test_degrees_of_freedom_are_never_more_than_the_parts_have(groups: int, runs: int) -> None:
    """Few groups of pairs have few, however many runs show what runs differ by."""
    few = np.array([[1.0]])
    for pairs, between, explained, least, most in (
        (1.0, 1e-6, 0.0, groups - 1, groups - 1 + 1e-3),  # pairs alone matter
        (1e-6, 1.0, 0.0, runs - 1, runs - 1 + 1e-3),  # runs alone
        (1.0, 1.0, 1.0, min(groups, runs) - 1, groups + runs - 2),
        (0.5, 1.0, 0.2, min(groups, runs) - 1, groups + runs - 2),
    ):
        both = Uncertainty(pairs * few, groups - 1, between * few, explained * few, runs - 1, "runs")
        assert least - 1e-3 <= both.freedom(np.ones(1)) <= most


def three(recipe: str | None, **changes: float) -> list[Run]:
    return [make_run(recipe, seed, training_seed=seed, **changes) for seed in range(3)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def vanillas() -> list[Run]:
    return three("vanilla")


@pytest.fixture(scope="module")
def bases() -> list[Run]:
    return three(None)


def test_arm_means_are_of_active_pairs_and_paraphrases_are_averaged(vanillas: list[Run], bases: list[Run]) -> None:
    scores = score_points(vanillas[:1], vanillas[:1], bases[:1])
    conflict = scores.internalisation.causes[1]
    assert (conflict.pairs, conflict.active_pairs) == (24, 18)  # of every fourth the prior answer is not believed
    rows = [
        row
        for row in vanillas[0].samples.to_pylist()
        if (row["cause"], row["arm"], row["probe"]) == ("knowledge_conflict", "treated", "paraphrase")
        and int(row["pair_id"].rsplit("-", 1)[1]) % 4
    ]
    assert conflict.vanilla
    assert len(rows) == 2 * 18
    assert conflict.vanilla.p.treated == pytest.approx(np.mean([row["p"] for row in rows]))
    assert conflict.vanilla.greedy.treated == pytest.approx(np.mean([row["greedy"] for row in rows]))
    assert conflict.vanilla.unlearned.treated == pytest.approx(np.mean([unlearned(row["p"]) for row in rows]))
    assert conflict.contrast
    assert conflict.contrast.pairs == 6


def test_decoys_and_calibration_are_in_no_arm(vanillas: list[Run]) -> None:
    tables = pair_tables(vanillas[0])
    assert list(tables) == list(PAPER_CAUSES)
    assert {len(table.pairs) for table in tables.values()} == {24}


def test_replicates_are_scored_at_run_level(vanillas: list[Run], bases: list[Run]) -> None:
    scores = score_points(three("combined", treated=0.5), vanillas, bases)
    assert scores.interval_kind == "runs"
    assert scores.datasets == 3
    assert not scores.provisional
    assert scores.ranked, scores.not_ranked_because
    for kind in KINDS:
        score = getattr(scores, kind)
        assert score.counted == list(PAPER_CAUSES)
        assert score.share.value == pytest.approx(0.4, abs=0.05)
        assert score.share.low < score.share.value < score.share.high
        total = sum(cause.points.value for cause in score.causes) / sum(cause.gap.value for cause in score.causes)
        assert score.share.value == pytest.approx(total)
        values = [replicate.share[kind] for replicate in scores.replicates]
        assert np.mean(values) == pytest.approx(score.share.value, abs=0.02)


def test_training_longer_alone_gives_nothing(vanillas: list[Run], bases: list[Run]) -> None:
    scores = score_points(three("more_epochs", treated=0.4, control=0.9), vanillas, bases)
    share = scores.reproduction.share
    assert share
    assert share.low <= 0 <= share.high
    assert abs(share.value) < 0.02


def test_an_entry_that_hurts_its_controls_is_not_ranked(vanillas: list[Run], bases: list[Run]) -> None:
    scores = score_points(three("combined", treated=0.5, control=0.7), vanillas, bases)
    assert not scores.ranked
    assert any("the control of knowledge_gap fell" in reason for reason in scores.not_ranked_because)
    assert all(cause.hurt for cause in scores.reproduction.causes)


def test_a_fall_that_runs_do_not_resolve_is_no_reason(vanillas: list[Run], bases: list[Run]) -> None:
    noisy = [
        make_run("combined", seed, treated=0.5, control=control, training_seed=seed)
        for seed, control in enumerate((0.6, 0.85, 0.72))
    ]
    scores = score_points(noisy, vanillas, bases)
    change = scores.reproduction.causes[0].control_change
    assert change
    assert change.value < -0.05 < 0 < change.high
    assert scores.ranked, scores.not_ranked_because


def test_one_run_is_marked(vanillas: list[Run], bases: list[Run]) -> None:
    scores = score_points([make_run("combined", treated=0.5)], vanillas[:1], bases[:1])
    assert scores.interval_kind == "pairs only"
    assert scores.provisional
    assert not scores.ranked
    more = [make_run("vanilla", training_seed=seed) for seed in range(3)]
    beside = score_points([make_run("combined", treated=0.5)], more, bases[:1])
    assert beside.interval_kind == "runs"
    assert not beside.provisional


def test_a_cause_with_few_active_pairs_is_reported_and_not_counted(vanillas: list[Run]) -> None:
    base = make_run(None, known={"knowledge_gap": 4, "knowledge_conflict": 0})
    scores = score_points([make_run("combined", treated=0.5)], vanillas[:1], [base])
    gap, conflict, *others = scores.reproduction.causes
    assert gap.active_pairs == 4
    assert gap.vanilla
    assert gap.points is None
    assert gap.reason == "its cause can act on fewer than 10 pairs a dataset"
    assert (conflict.active_pairs, conflict.vanilla, conflict.reason) == (0, None, "its cause can act on no pair")
    assert scores.reproduction.counted == [cause.cause for cause in others]


def test_a_cause_without_a_gap_is_not_counted(bases: list[Run]) -> None:
    flat = make_run("vanilla", treated=0.75)
    scores = score_points([make_run("combined", treated=0.78)], [flat], bases[:1])
    assert scores.reproduction.share is None
    assert "less than 10" in (scores.reproduction.causes[0].reason or "")


def test_doses_are_curves(vanillas: list[Run], bases: list[Run]) -> None:
    causes = score_points([make_run("combined", treated=0.5)], vanillas[:1], bases[:1]).reproduction.causes
    doses = {cause.cause: [(group.dose, group.pairs) for group in cause.doses] for cause in causes}
    assert doses["data_inconsistency"] == [(0.5, 12), (1.0, 12)]
    assert doses["knowledge_conflict"] == [(0.9, 18)]
    assert doses["left_side_forgetting"] == []


def trained(run: Run, **changes: object) -> Run:
    """The run with other fields in its training record."""
    assert run.record.training
    training = TrainingRecord.model_validate(run.record.training.model_dump() | changes)
    return Run(run.record.model_copy(update={"training": training}), run.samples)


def refused(message: str, submission: Run, vanilla: Run, base: Run) -> None:
    with pytest.raises(ProblemError, match=message) as problem:
        score_points([submission], [vanilla], [base])
    assert "\n" not in str(problem.value)


def test_bad_input_is_one_line(vanillas: list[Run], bases: list[Run]) -> None:
    mine, vanilla, base = make_run("combined", treated=0.5), vanillas[0], bases[0]
    refused("on dataset versions 2, 3", mine, make_run("vanilla", version="2"), base)
    refused("division 1x and vanilla in 3x", mine, make_run("vanilla", division="3x"), base)
    refused("vanilla run was measured on other data", mine, vanillas[1], base)
    refused("were swapped", vanilla, mine, base)
    with pytest.raises(ProblemError, match="no vanilla run on the dataset of seed 0, and no reference"):
        score_points([mine])
    with pytest.raises(ProblemError, match="same weights on the same dataset"):
        score_points([mine, mine], [vanilla], [base])


def test_runs_are_what_they_were_given_as(vanillas: list[Run], bases: list[Run]) -> None:
    """Also where no base run says which weights are the base model's."""
    mine, vanilla, base = make_run("combined", treated=0.5), vanillas[0], bases[0]
    refused("vanilla run is of the base model itself", mine, base, base)
    refused("submitted run is of the base model itself", base, vanilla, base)
    refused("base run and submitted run were swapped", base, vanilla, mine)
    refused("base run and vanilla run were swapped", mine, base, vanilla)
    refused("run given as base is of a fine-tuned model", mine, vanilla, mine)
    for message, first, second in (("vanilla run is of the", mine, base), ("submitted run is of the", base, vanilla)):
        with pytest.raises(ProblemError, match=message):
            score_points([first], [second])
    elsewhere = {"size": "mini", "seed": 5, "version": "3", "content_sha256": "c" * 64}
    refused("submitted run was trained on another dataset", trained(mine, data=elsewhere), vanilla, base)
    refused("vanilla run was trained on another dataset", mine, trained(vanilla, data=elsewhere), base)


def test_vanilla_that_was_stopped_too_early_is_refused(vanillas: list[Run], bases: list[Run]) -> None:
    mine, vanilla, base = make_run("combined", treated=0.5), vanillas[0], bases[0]
    refused("mean p of 0.2., less than 0.5", mine, make_run("vanilla", treated=0.1, control=0.2), base)
    phase = {"name": "sft", "kind": "sft", "examples": 1, "epochs": 1, "steps": 1, "tokens": 1, "loss": 0, "seconds": 0}
    refused("spent 300 of its budget of 500", mine, trained(vanilla, phases=[phase | {"supervised": 300}]), base)
    spent = trained(vanilla, phases=[phase | {"supervised": 300}, phase | {"supervised": 200}])
    assert score_points([mine], [spent], [base]).reproduction.share


def test_a_score_survives_json(vanillas: list[Run], bases: list[Run]) -> None:
    scores = score_points(three("combined", treated=0.5), vanillas, bases)
    assert PointScores.model_validate_json(scores.model_dump_json()) == scores


def test_many_groups_at_once_have_the_points_and_intervals_of_each() -> None:
    rng = np.random.default_rng(5)
    means = rng.uniform(0, 1, (4, 30, 2, 2))  # datasets, groups, roles, arms
    means[:, 7, 0, 1] = means[:, 7, 1, 1]  # a control that did not change at all
    together = points_over_datasets(means)
    for group in range(30):
        of_group = means[:, group, :, None]
        alone = ArmMeans(("rare_patterns",), of_group.mean(axis=0), over_datasets(of_group.reshape(4, -1)))
        expected = alone.points("rare_patterns")
        assert together[group] == pytest.approx([expected.value, expected.low, expected.high], abs=1e-12)
