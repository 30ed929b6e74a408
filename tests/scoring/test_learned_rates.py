"""One definition of the learned rate, read by score, diagnosis and console alike."""

from typing import Any

import numpy as np
import pytest
from conftest import by_arm, make_run

from ilp_bench.core.metrics import learned
from ilp_bench.data.dataset import Dataset
from ilp_bench.diagnosis.why.signals import signals
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import ARMS, arm_rates, held_out_fact_retention, item_rates, pair_rates
from ilp_bench.scoring.recovery import score


def worse_in_paraphrases(item: dict[str, Any]) -> float:
    return by_arm(0.3, 0.8)(item) * (1.0 if item["probe"] == "recall" else 0.2)


@pytest.fixture(scope="module")
def run(mini: Dataset) -> Run:
    return make_run(mini, "vanilla", worse_in_paraphrases)


def test_an_items_rate_is_the_mean_over_all_ways_it_was_asked(run: Run) -> None:
    by_item: dict[str, list[float]] = {}
    for row in run.samples.to_pylist():
        by_item.setdefault(row["item_id"], []).append(float(learned(row["p"])))
    assert item_rates(run) == pytest.approx({item: sum(rates) / len(rates) for item, rates in by_item.items()})


def test_score_and_diagnosis_read_the_same_rates(mini: Dataset, run: Run) -> None:
    base = make_run(mini, None, by_arm(0.0, 0.0))
    by_signals = {one.item_id: one.learned for one in signals(run, base, mini)}
    arm_of_item = {(row["pair_id"], row["arm"]): row["item_id"] for row in mini.items.to_pylist()}
    scores = score(run, run)
    for cause in scores.causes:
        rates = pair_rates(run)[cause.cause]
        for column, arm in enumerate(ARMS):
            items = [arm_of_item[pair, arm] for pair in rates.pairs]
            assert [by_signals[item] for item in items] == pytest.approx(rates.both[:, column].tolist(), rel=1e-12)
            mean = float(np.mean([by_signals[item] for item in items]))
            assert getattr(cause.vanilla, arm) == pytest.approx(mean, rel=1e-12)
            assert arm_rates(run)[cause.cause][arm] == pytest.approx(mean, rel=1e-12)


def test_what_is_cached_cannot_be_changed(run: Run) -> None:
    rates = pair_rates(run)["rare_patterns"]
    with pytest.raises(ValueError, match="read-only"):
        rates.both[0, 0] = 1.0


def test_recall_and_paraphrases_have_rates_of_their_own(run: Run) -> None:
    rows = run.samples.to_pylist()
    for cause, rates in pair_rates(run).items():
        for kind, by_pair in (("recall", rates.recall), ("paraphrase", rates.paraphrase)):
            asked = [row for row in rows if (row["cause"], row["arm"], row["probe"]) == (cause, "treated", kind)]
            mean = np.mean([float(learned(row["p"])) for row in asked])
            assert by_pair[:, ARMS.index("treated")].mean() == pytest.approx(mean)
        assert rates.recall.mean() > 2 * rates.paraphrase.mean()


def test_held_out_facts_are_read_with_exemplars_only_where_asked_for(mini: Dataset) -> None:
    base = make_run(mini, None, lambda item: 0.3)
    rows = [row for row in base.samples.to_pylist() if row["probe"] == "retention"]
    plain = np.mean([float(learned(row["p"])) for row in rows])
    shown = np.mean([float(learned(row["shots_p"])) for row in rows])
    assert plain > 0.5 > shown
    assert held_out_fact_retention(base, few_shot=False) == pytest.approx(plain)
    assert held_out_fact_retention(base, few_shot=True) == pytest.approx(shown)
    tuned = make_run(mini, "vanilla", lambda item: 0.3)
    assert score(tuned, tuned, base).retention == {
        "base": pytest.approx(shown),
        "vanilla": pytest.approx(plain, abs=0.01),
        "submission": pytest.approx(plain, abs=0.01),
    }
