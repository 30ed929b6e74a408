"""The limits on what strangers send."""

import pytest

from ilp_bench.core import untrusted
from ilp_bench.core.untrusted import value_problems


def test_too_many_values_are_one_problem_wherever_they_are() -> None:
    for value in ([0] * 200_000, {"a": {str(n): [None] for n in range(100_000)}}):
        assert list(value_problems(value)) == ["more than 200000 values: leave some out"]
    assert list(value_problems([0] * 199_999)) == []


def test_the_limit_counts_the_values_and_what_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"a": [1, {"b": "c"}], "d": None}  # the whole, a, 1, the inner one, c, d
    monkeypatch.setattr(untrusted, "MAX_NODES", 6)
    assert list(value_problems(value)) == []
    monkeypatch.setattr(untrusted, "MAX_NODES", 5)
    assert list(value_problems(value)) == ["more than 5 values: leave some out"]
