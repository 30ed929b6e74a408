import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilp_bench.core.metrics import above_chance, best_of, learned, unlearned

probability = st.floats(0, 1)


@given(probability, st.integers(1, 8))
def test_learned_and_pass_rate_equal_enumeration(p: float, runs: int) -> None:
    """Over all 2^N outcomes of N draws: the chance that none is right, and the expected share that is (pass@N rate)."""
    none_right = rate = 0.0
    for outcome in itertools.product((True, False), repeat=runs):
        chance = math.prod(p if right else 1 - p for right in outcome)
        none_right += chance * (not any(outcome))
        rate += chance * sum(outcome) / runs
    assert float(unlearned(p, runs)) == pytest.approx(none_right, abs=1e-12)
    assert float(learned(p, runs)) == pytest.approx(1 - none_right, abs=1e-12)
    assert rate == pytest.approx(p, abs=1e-12)


def test_tiny_probabilities_keep_their_digits() -> None:
    assert float(learned(1e-12)) == pytest.approx(5e-12, rel=1e-9)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(1, 4), st.data())
def test_best_of_equals_enumeration(weights: list[int], draws: int, choose: st.DataObject) -> None:
    # Distinct probabilities: with ties the closed form gives the whole tie group to the gold option.
    weights = sorted(set(weights))
    if len(weights) < 2:
        return
    q = np.array(weights) / sum(weights)
    gold = choose.draw(st.integers(0, len(q) - 1))
    chance = 0.0
    for sample in itertools.product(range(len(q)), repeat=draws):
        if max(sample, key=lambda option: q[option]) == gold:
            chance += math.prod(q[option] for option in sample)
    assert best_of(q, gold, draws) == pytest.approx(chance, abs=1e-9)


def test_options_as_probable_as_the_gold_one_share_its_draws() -> None:
    assert best_of([0.4, 0.4, 0.2], 0, 1) == pytest.approx(0.8)
    assert best_of([0.4, 0.4, 0.2], 1, 2) == pytest.approx(1 - 0.2**2)


def test_chance_level_is_zero_and_certainty_is_one() -> None:
    assert above_chance([0.25, 1.0, 0.0], 4).tolist() == pytest.approx([0.0, 1.0, -1 / 3])


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1, math.inf])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        learned([0.5, bad])
