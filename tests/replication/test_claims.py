"""Claims: every effect can be supported, contradicted or left open, and chance alone hardly supports any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ilp_bench.replication.claims import (
    ALPHA,
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_TESTED,
    SUPPORTED,
    ClaimedEffect,
    MeasuredEffect,
    holm,
    judge,
    read_claims,
)
from ilp_bench.replication.effects import QUANTITIES

CLAIMS = read_claims()
EFFECTS = [effect for claim in CLAIMS for effect in claim.effects]


def judged(values: dict[ClaimedEffect, Sequence[float] | str]) -> dict[ClaimedEffect, MeasuredEffect]:
    return {each.effect: each for judgement in judge(values, CLAIMS) for each in judgement.effects}


def test_the_eight_claims_rest_on_quantities_that_exist_and_on_sizes_with_a_reason() -> None:
    assert [claim.id for claim in CLAIMS] == [f"C{number}" for number in range(1, 9)]
    assert len(set(EFFECTS)) == len(EFFECTS)
    assert {effect.quantity for effect in EFFECTS} == set(QUANTITIES)
    assert all(effect.why for effect in EFFECTS)
    assert all(claim.effects or claim.not_tested for claim in CLAIMS)


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: f"{effect.quantity}-{effect.cause}-{effect.other}")
def test_every_effect_can_fail(effect: ClaimedEffect) -> None:
    """Supported where it is large, contradicted where it is absent, open where it varies; the others as claimed."""
    as_claimed = {
        each: (2 * each.at_least + 0.1, 2 * each.at_least + 0.101, 2 * each.at_least + 0.1) for each in EFFECTS
    }
    assert all(each.verdict == SUPPORTED for each in judged(dict(as_claimed)).values())
    for values, verdict in (
        ((-0.1, -0.101, -0.1), CONTRADICTED),
        ((effect.at_least + 0.9, effect.at_least - 0.5, effect.at_least + 0.1), INCONCLUSIVE),
        ((0.3, 0.3), NOT_TESTED),
        ("no entry of it", NOT_TESTED),
    ):
        judgements = judge(as_claimed | {effect: values}, CLAIMS)
        changed = {each.effect: each.verdict for judgement in judgements for each in judgement.effects}
        assert changed.pop(effect) == verdict
        assert set(changed.values()) == {SUPPORTED}
        of_claim = [judgement.verdict for judgement in judgements if effect in judgement.claim.effects]
        assert of_claim == [verdict]


def test_a_real_effect_that_is_smaller_than_claimed_does_not_support() -> None:
    effect = next(each for each in EFFECTS if each.at_least > 0.1)
    values = tuple(effect.at_least / 4 + step for step in (0.0, 0.001, -0.001))
    measured = judged(dict.fromkeys(EFFECTS, "no entry") | {effect: values})[effect]
    assert measured.interval
    assert measured.interval.low > 0
    assert measured.verdict == CONTRADICTED


@pytest.mark.parametrize("datasets", [3, 5])
def test_chance_alone_hardly_ever_supports_any_claimed_effect(datasets: int) -> None:
    """Of all effects together, at most one in forty, whatever the number of datasets; the same for contradictions."""
    random, trials = np.random.default_rng(0), 600
    false_support = false_contradiction = 0
    for _ in range(trials):
        nothing = {each: random.normal(0, 0.1, datasets).tolist() for each in EFFECTS}
        false_support += SUPPORTED in {each.verdict for each in judged(nothing).values()}
        claimed = {each: random.normal(each.at_least, 0.1, datasets).tolist() for each in EFFECTS}
        false_contradiction += CONTRADICTED in {each.verdict for each in judged(claimed).values()}
    error = 3 * np.sqrt(ALPHA * (1 - ALPHA) / trials)
    assert false_support / trials <= ALPHA + error
    assert false_contradiction / trials <= ALPHA + error


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
