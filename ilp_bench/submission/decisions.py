"""``decisions.jsonl``: what was decided about entries, one JSON object a line, and no line is ever taken away.

{"run_id": "0123456789abcdef", "entry": "lab__model/0123456789abcdef", "decision": "accepted",
 "reason": "verified on seed 7", "date": "2026-11-24", "by": "a maintainer"}
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import locked, parse_json, write_text
from ilp_bench.core.json_problem import json_problem
from ilp_bench.core.untrusted import value_problems
from ilp_bench.records.run_record import first_problem
from ilp_bench.submission.fields import Date, Line

DECISIONS_FILE = "decisions.jsonl"
MOST_NAMED = 3  # wrong lines that one message names
DECISIONS = ("accepted", "withdrawn", "flagged")


class Decision(BaseModel):
    """One line. A withdrawn entry stays and is shown as withdrawn; a flagged one is shown with the doubt."""

    model_config = ConfigDict(extra="forbid")

    run_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    entry: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+__[A-Za-z0-9.-]+/[0-9a-f]{16}$")]
    decision: Literal["accepted", "withdrawn", "flagged"]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    date: Date
    by: Line


class Decisions(NamedTuple):
    """The last decision of each run id, and all of them, oldest first."""

    last: dict[str, Decision]
    history: list[Decision]

    def is_withdrawn(self, run_id: str) -> bool:
        """Whether the last decision about an entry withdrew it."""
        return run_id in self.last and self.last[run_id].decision == "withdrawn"


def read_decisions(submissions: Path) -> Decisions:
    """All decisions about the entries below ``submissions``; raises ProblemError that names the first wrong lines."""
    history, problems = parse_decisions(submissions / DECISIONS_FILE)
    if problems:
        more = f"; and {len(problems) - MOST_NAMED} more lines" if len(problems) > MOST_NAMED else ""
        raise ProblemError("; ".join(problems[:MOST_NAMED]) + more)
    return Decisions({decision.run_id: decision for decision in history}, history)


def parse_decisions(file: Path) -> tuple[list[Decision], list[str]]:
    """The decisions in a file and what is wrong with its lines, each with its number. No file: neither."""
    if not file.is_file():
        return [], []
    decisions: list[Decision] = []
    problems: list[str] = []
    try:
        text = file.read_bytes().decode("utf-8")  # line ends as they are
    except (OSError, ValueError) as error:
        reason = json_problem(error) if isinstance(error, ValueError) else error.strerror
        return [], [f"{file} cannot be read: {reason}"]
    if text and not text.endswith("\n"):
        problems.append(f"{file}: the last line has no end: end it with a newline")
    for number, line in enumerate(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"), start=1):
        try:
            decision = Decision.model_validate(parse_json(line), strict=True)
            if not decision.entry.endswith(f"/{decision.run_id}"):
                raise ValueError(f"entry {decision.entry} does not end with run id {decision.run_id}")
            if hidden := list(value_problems(decision.model_dump())):
                raise ValueError(hidden[0])
            if decisions and decision.date < decisions[-1].date:
                raise ValueError(f"{decision.date} is before {decisions[-1].date}, the date of the line above")
            decisions.append(decision)
        except ValidationError as error:
            problems.append(f"{file}:{number}: {first_problem(error)}: append lines with 'ilp-bench decide'")
        except (ValueError, RecursionError) as error:
            problems.append(f"{file}:{number}: {json_problem(error)}: append lines with 'ilp-bench decide'")
    return decisions, problems


def was_accepted(submissions: Path, run_id: str) -> bool:
    """Whether an entry was ever accepted, by the lines of ``decisions.jsonl`` that can be read."""
    file = submissions / DECISIONS_FILE
    try:
        found = file.stat()
    except OSError:
        return False
    return run_id in _accepted(file, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8)
def _accepted(file: Path, changed: int, size: int) -> frozenset[str]:
    """The entries that a file accepts, while it is as it was ``changed``: each of thousands of entries asks for it."""
    return frozenset(line.run_id for line in parse_decisions(file)[0] if line.decision == "accepted")


def decide(submissions: Path, decision: Decision) -> Path:
    """Append a decision; the earlier lines stay as they are, byte for byte. Returns the file.

    Raises ProblemError when the entry is not there or the file is damaged.
    """
    if not (submissions / decision.entry / "submission.json").is_file():
        raise ProblemError(f"{submissions} has no entry {decision.entry}")
    if hidden := list(value_problems(decision.model_dump())):
        raise ProblemError(hidden[0])
    file = submissions / DECISIONS_FILE
    with locked(file):
        history = read_decisions(submissions).history
        if history and decision.date < history[-1].date:
            raise ProblemError(f"{file}: the last decision is of {history[-1].date}, this one of {decision.date}")
        before = file.read_bytes().decode("utf-8") if file.is_file() else ""
        write_text(file, before + decision.model_dump_json() + "\n")
    return file
