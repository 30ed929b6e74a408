"""Decisions of the maintainers about submissions, from ``submissions/decisions.jsonl``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ilp_bench.errors import ProblemError

Decision = dict[str, Any]


def read(submissions: Path) -> list[Decision]:
    """All decisions, oldest first; none where there is no file. Raises ProblemError for a line that is none."""
    file = submissions / "decisions.jsonl"
    if not file.is_file():
        return []
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
            found.append({key: one[key] for key in ("run_id", "decision", "date")} | {"reason": one.get("reason", "")})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProblemError(
                f"{file}, line {number}: no decision with run_id, decision and date ({error})"
            ) from error
    return sorted(found, key=lambda one: str(one["date"]))


def by_entry(decisions: list[Decision]) -> dict[str, list[Decision]]:
    """Decisions by run id."""
    found: dict[str, list[Decision]] = {}
    for one in decisions:
        found.setdefault(one["run_id"], []).append(one)
    return found
