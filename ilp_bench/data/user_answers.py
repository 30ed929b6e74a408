"""The answers of a user's file: of every row that can be read, each answer that is learned, with its stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.untrusted import encodable
from ilp_bench.data.columns import Layout, layout_of
from ilp_bench.data.conversations import Example
from ilp_bench.data.examples import read_row
from ilp_bench.data.formats import Reading
from ilp_bench.data.import_report import ImportReport, LeftOutError
from ilp_bench.data.row_file import RawRow

MOST_STAGES = 10_000
FIRST = 100  # rows by whose columns a file is recognised
Check = Callable[[Example], LeftOutError | None]  # why an example is left out; None where it is not


class UserAnswer(NamedTuple):
    """An example with what its row says beside it; ``row`` is the row's position, from 0."""

    row: int
    example: Example
    annotator: str
    stage: int


class UserAnswers(NamedTuple):
    """All answers of a file, its layout, how many rows it has in all, and whether a column gives their stages."""

    answers: list[UserAnswer]
    layout: Layout
    rows: int
    staged: bool


def read_answers(
    source: Path | str,
    format: str | None,
    columns: Mapping[str, str],
    reading: Reading,
    report: ImportReport,
    stream: Iterator[RawRow],
    check: Check | None,
) -> UserAnswers:
    """The answers of all rows that can be read and are learned; ``report`` counts what is left out.

    Raises UsageError where no format fits the columns, ProblemError where no answer is left.
    """
    first = list(islice(stream, FIRST))
    readable = [row.values for row in first if row.values is not None]
    if not readable:
        reason = f": {first[0].problem}" if first else ""
        raise UsageError(f"{source} holds no rows{reason}")
    try:
        layout = layout_of(readable, format, columns)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error
    answers: list[UserAnswer] = []
    stage, count = 0, 0
    for number, values, problem in chain(first, stream):
        count = number
        try:
            if values is None:
                raise LeftOutError("not a row", problem)
            row_stage = _stage(values.get(layout.columns.get("stage", "")), stage)
            for example in read_row(number, values, layout, reading, report):
                if check and (left_out := check(example)):
                    report.skip(number, left_out)
                    continue
                annotator = values.get(layout.columns.get("annotator", ""))
                name = "" if annotator is None else encodable(str(annotator))
                answers.append(UserAnswer(number - 1, example, name, row_stage or 1))
            stage = row_stage or stage
        except LeftOutError as error:
            report.skip(number, error)
    if not answers:
        raise ProblemError(f"{source} has no row that can be asked: {report.skipped_text()}")
    return UserAnswers(answers, layout, count, staged=stage > 0)


def of_one_kind(answers: list[UserAnswer], report: ImportReport) -> list[UserAnswer]:
    """The conversations alone, or the bare prompts, whichever are more."""
    chats = sum(bool(answer.example.turns) for answer in answers)
    as_chat = 2 * chats >= len(answers)
    kept = []
    for answer in answers:
        if bool(answer.example.turns) == as_chat:
            kept.append(answer)
        else:
            what, among = ("bare prompt", "conversations") if as_chat else ("conversation", "bare prompts")
            message = f"a {what} among {among}: import such rows as a file of their own"
            report.skip(answer.row + 1, LeftOutError(f"{what} among {among}", message))
    return kept


def _stage(value: Any, before: int) -> int | None:
    """The stage that a row says, after one of stage ``before``; None where it says nothing."""
    if value is None or value == "":
        if before:
            raise LeftOutError("no stage", "there is no stage, and rows before it have one")
        return None
    try:
        stage = int(value) if isinstance(value, str) or float(value).is_integer() else 0
    except (TypeError, ValueError, OverflowError):
        stage = 0
    if not 1 <= stage <= MOST_STAGES or isinstance(value, bool):
        raise LeftOutError("bad stage", f"stage {value!r} is not a whole number from 1 to {MOST_STAGES}")
    if stage < before:
        raise LeftOutError("stage out of order", f"stage {stage} after {before}: sort the rows")
    return stage


def cut(answers: list[UserAnswer], stages: int, rows: int) -> list[UserAnswer]:
    """The answers with the stages of rows that are cut into equal parts. Raises UsageError where that is impossible."""
    if not 1 <= stages <= rows:
        raise UsageError(f"{rows} rows cannot be cut into {stages} stages: 1 to {rows}")
    parts = [1 + answer.row * stages // rows for answer in answers]
    numbers = {part: n for n, part in enumerate(sorted(set(parts)), 1)}  # a part of which nothing is left has no number
    return [answer._replace(stage=numbers[part]) for answer, part in zip(answers, parts, strict=True)]
