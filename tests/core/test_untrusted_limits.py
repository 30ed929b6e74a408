"""The limits on what strangers send."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


ODD: tuple[object, ...] = (
    -0.0,
    2**53 + 1,
    float("nan"),
    float("inf"),
    "\n",
    "\x7f",
    "é",
    "e\u0301",
    "\u200b",
    "x" * 2001,
)
PLAIN = st.none() | st.booleans() | st.sampled_from((0, 0.0, 1, -1.5, 2**53, "", "text"))
KEYS = st.sampled_from(("a", "b", "c", "\u200b", "k" * 2001))
VALUES = st.recursive(
    PLAIN | st.sampled_from(ODD), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20
)


@given(value=VALUES, depth=st.integers(0, 20))
def test_what_is_seen_at_a_glance_to_be_plain_has_no_problem(value: Any, depth: int) -> None:
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    problems: list[str] = []
    untrusted._collect(value, "", 0, problems)
    assert list(value_problems(value)) == problems
