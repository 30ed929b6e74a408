"""Which runs are refused as not comparable: here, those that were asked in other prompts."""

from __future__ import annotations

from typing import Any

import pytest
from points_entries import entry_run

from ilp_bench.core.errors import ProblemError
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.compatibility import check_comparable, same_prompts


def chat(sha: str, template: str, date: str | None = None) -> dict[str, Any]:
    return {
        "prompt_format": "chat",
        "template_sha256": template * 64,
        "prompts": {"sha256": sha * 64, "template_date": date},
    }


def of(about: dict[str, Any]) -> Run:
    return entry_run("vanilla", **about)


@pytest.mark.parametrize(
    ("about", "other", "alike"),
    [
        (chat("1", "a"), chat("1", "a"), True),
        (chat("1", "a"), chat("1", "b"), True),  # a template that says the same in other words
        (chat("1", "a"), chat("2", "b"), False),
        (chat("1", "a"), chat("2", "a"), False),  # one template, and another name of the assistant in the tokenizer
        (chat("1", "a", "2026-11-24"), chat("2", "a", "2026-11-25"), True),
        (chat("1", "a", "2026-11-24"), chat("2", "b", "2026-11-25"), False),
        (chat("1", "a") | {"prompts": None}, chat("2", "a"), True),  # of before the hash was recorded
        (chat("1", "a") | {"prompts": None}, chat("2", "b"), False),
        ({}, {}, True),
    ],
)
def test_prompts_are_the_same_by_their_hash_or_by_the_template(
    about: dict[str, Any], other: dict[str, Any], alike: bool
) -> None:
    assert same_prompts(of(about).record, of(other).record) is alike
    assert same_prompts(of(other).record, of(about).record) is alike


def test_a_run_under_a_template_of_its_own_is_not_compared() -> None:
    run, vanilla, base = (
        entry_run("resampling", **chat("1", "a")),
        of(chat("1", "a")),
        entry_run(None, **chat("1", "a")),
    )
    check_comparable(run, vanilla, base)
    for role, runs in (
        ("vanilla", (run, of(chat("2", "b")), base)),
        ("base", (run, vanilla, entry_run(None, **chat("2", "b")))),
    ):
        with pytest.raises(ProblemError, match=f"the {role} run was asked in other prompts"):
            check_comparable(*runs)
