"""User data: a dataset made of somebody's training rows, on which ``evaluate`` and ``diagnose`` say what was not
learned, and why.

An item is a distinct answer to a distinct prompt: in a conversation every answer that is learned, after all turns
before it and with all that a chat template renders. It has no cause and no arm, so nothing is scored; all that is read
are the signals that anyone can log. A base model is asked each item behind four other rows of the same kind of
question.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ilp_bench.core.errors import ProblemError, UsageError, near
from ilp_bench.data.columns import Layout, layout_of
from ilp_bench.data.content_hash import content_sha256
from ilp_bench.data.conversations import Example
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.examples import read_row
from ilp_bench.data.exemplars import FEWEST, user_exemplars
from ilp_bench.data.formats import ALPACA_JOINS, NEWLINE, Reading, check_format
from ilp_bench.data.import_report import ImportReport, LeftOutError
from ilp_bench.data.manifest import USER_DATA, VERSION, Manifest, RowCounts
from ilp_bench.data.questions import questions_of
from ilp_bench.data.row_file import RawRow, read_rows
from ilp_bench.data.rows import row_id
from ilp_bench.data.schema import SCHEMAS, TABLES, USER_ITEMS, USER_TRAIN, Table, TrainRow, UserItemRow, UserTrainRow
from ilp_bench.detectors.rare_patterns import kinds_with_one_gap

MOST_STAGES = 10_000
FIRST = 100  # rows by whose columns a file is recognised


class _Answer(NamedTuple):
    """An example with what its row says beside it; ``row`` is the row's position, from 0."""

    row: int
    example: Example
    annotator: str
    stage: int


class _Answers(NamedTuple):
    """All answers of a file, its layout, how many rows it has in all, and whether a column gives their stages."""

    answers: list[_Answer]
    layout: Layout
    rows: int
    staged: bool


def import_rows(
    source: Path | str,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    stages: int | None = None,
    segments: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    last_turn: bool = False,
    fold_system: bool = False,
    alpaca_join: str = NEWLINE,
    strict: bool = False,
    subset: str | None = None,
    split: str | None = None,
    check: Callable[[Example], LeftOutError | None] | None = None,
) -> Dataset:
    """Make a dataset of the rows of a file, a folder or a Hub dataset, in training order.

    format        one of ``FORMATS``; by default the first whose columns the rows have
    columns       the format's name of a column -> the file's
    stages        cut the rows into so many consecutive parts; by default a column ``stage`` says, or there is one
    segments      the same, but where no column ``stage`` says it
    sample        ask about so many items only, drawn with ``seed`` from each stage; all rows are read in any case
    last_turn, fold_system, alpaca_join   see :class:`~ilp_bench.data.formats.Reading`
    strict        stop at the first row with which something is wrong
    subset, split   see :func:`~ilp_bench.data.row_file.read_rows`
    check         why an example is left out, None where it is not, as :func:`~ilp_bench.models.askable.askable_by` says

    What is left out is in the manifest. Raises UsageError where nothing can be read as that, ProblemError where too few
    rows are left.
    """
    if sample is not None and sample < 1:
        raise UsageError(f"a sample of {sample} items is impossible: at least 1")
    if alpaca_join not in ALPACA_JOINS:
        raise UsageError(f"unknown way to join instruction and input {alpaca_join!r}.{near(alpaca_join, ALPACA_JOINS)}")
    format = check_format(format) if format is not None else None
    report = ImportReport(Path(source), strict)
    reading = Reading(alpaca_join, last_turn, fold_system)
    answers, layout, count, staged = _read(
        source, format, columns or {}, reading, report, read_rows(source, subset=subset, split=split), check
    )
    answers = _of_one_kind(answers, report)
    if stages is not None and staged:
        raise UsageError(f"{source} has a column stage: do not give a number of stages, or remove the column")
    if stages is None and segments and not staged:
        stages = min(segments, count)
    if stages is not None:
        answers = _cut(answers, stages, count)
    questions = questions_of([answer.example for answer in answers])
    train = _train_rows(answers, questions)
    shots, exemplars_of_row = user_exemplars(train, kinds_with_one_gap(questions), seed)
    if not shots:
        left_out = report.skipped_text()
        raise ProblemError(
            f"{source} has fewer than {FEWEST} different questions that no row contradicts: four exemplars are shown "
            "before each, add rows" + (f"; left out: {left_out}" if left_out else "")
        )
    chosen = sorted({row["item_id"]: n for n, row in enumerate(train)}.values())  # where each item is trained last
    if sample is not None and sample < len(chosen):
        chosen = _sampled(chosen, [answer.stage for answer in answers], sample, random.Random(seed))
    items = _item_rows(train, answers, exemplars_of_row, chosen)
    rows: dict[Table, Sequence[Any]] = {"train": train, "items": items, "knowledge": [], "shots": shots}
    rendered = any(item["conversation"] for item in items)
    schemas = SCHEMAS | {
        "train": USER_TRAIN,
        "items": USER_ITEMS.append(pa.field("conversation", pa.string())) if rendered else USER_ITEMS,
    }
    tables = {name: pa.Table.from_pylist(rows[name], schema=schemas[name]) for name in TABLES}
    renamed = {column: name for column, name in layout.columns.items() if column != name}
    manifest = Manifest(
        name=Path(source).name,
        version=VERSION,
        size=USER_DATA,
        seed=seed,
        stages=len({answer.stage for answer in answers}),
        rows=RowCounts(**{name: table.num_rows for name, table in tables.items()}),
        format=layout.format,
        chat=bool(answers[0].example.turns),
        columns=renamed or None,
        ignored={name: number for name, number in sorted(report.ignored.items()) if number} or None,
        skipped=report.skipped or None,
        content_sha256=content_sha256(tables.values()),
    )
    return Dataset(**tables, manifest=manifest)


def questions_in(source: Path | str) -> list[str]:
    """What the rows of a file, a folder or a Hub dataset ask. Raises UsageError as :func:`import_rows` does."""
    report = ImportReport(Path(source), strict=False)
    answers = _read(source, None, {}, Reading(), report, read_rows(source), None).answers
    return questions_of([answer.example for answer in _of_one_kind(answers, report)])


def _read(
    source: Path | str,
    format: str | None,
    columns: Mapping[str, str],
    reading: Reading,
    report: ImportReport,
    stream: Iterator[RawRow],
    check: Callable[[Example], LeftOutError | None] | None,
) -> _Answers:
    """The answers of all rows that can be read and are learned."""
    first = list(islice(stream, FIRST))
    readable = [row.values for row in first if row.values is not None]
    if not readable:
        reason = f": {first[0].problem}" if first else ""
        raise UsageError(f"{source} holds no rows{reason}")
    try:
        layout = layout_of(readable, format, columns)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error
    answers: list[_Answer] = []
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
                answers.append(
                    _Answer(number - 1, example, "" if annotator is None else str(annotator), row_stage or 1)
                )
            stage = row_stage or stage
        except LeftOutError as error:
            report.skip(number, error)
    if not answers:
        raise ProblemError(f"{source} has no row that can be asked: {report.skipped_text()}")
    return _Answers(answers, layout, count, staged=stage > 0)


def _of_one_kind(answers: list[_Answer], report: ImportReport) -> list[_Answer]:
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


def _cut(answers: list[_Answer], stages: int, rows: int) -> list[_Answer]:
    """The answers with the stages of rows that are cut into equal parts. Raises UsageError where that is impossible."""
    if not 1 <= stages <= rows:
        raise UsageError(f"{rows} rows cannot be cut into {stages} stages: 1 to {rows}")
    parts = [1 + answer.row * stages // rows for answer in answers]
    numbers = {part: n for n, part in enumerate(sorted(set(parts)), 1)}  # a part of which nothing is left has no number
    return [answer._replace(stage=numbers[part]) for answer, part in zip(answers, parts, strict=True)]


def _train_rows(answers: Sequence[_Answer], questions: Sequence[str]) -> list[UserTrainRow]:
    """Rows of ``train``; those that train the same item have one ``item_id``."""
    rows: list[UserTrainRow] = []
    item_ids: dict[tuple[str, ...], str] = {}
    for n, (answer, question) in enumerate(zip(answers, questions, strict=True)):
        example = answer.example
        exact = example.answer if example.turns else example.completion
        identity = (example.prompt, exact, example.conversation, *(turn["role"] for turn in example.turns))
        label = example.completion.strip()
        rows.append(
            {
                "row_id": row_id(n),
                "item_id": item_ids.setdefault(identity, f"own-{n:06d}"),
                "cause": None,
                "arm": None,
                "stage": answer.stage,
                "prompt": example.prompt,
                "completion": example.completion,
                "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": label}],
                "annotator": answer.annotator,
                "domain": None,
                "source_row": answer.row + 1,
            }
        )
    return rows


def _item_rows(
    train: Sequence[TrainRow], answers: Sequence[_Answer], exemplars_of_row: Sequence[str], chosen: Sequence[int]
) -> list[UserItemRow]:
    """Rows of ``items``, one for each of the rows ``chosen``."""
    frequency = Counter(row["item_id"] for row in train)
    items: list[UserItemRow] = []
    for n in chosen:
        row, example = train[n], answers[n].example
        asked = [turn["content"] for turn in example.turns if turn["role"] == "user"]
        items.append(
            {
                "probe_id": f"{row['item_id']}/recall",
                "item_id": row["item_id"],
                "probe": "recall",
                "stage": row["stage"],
                "frequency": frequency[row["item_id"]],
                "relation": exemplars_of_row[n],
                "question": asked[-1] if asked else row["messages"][0]["content"],
                "prompt": example.prompt,
                "answer": example.answer,
                "completion": example.completion,
                "turns": example.turns,
                "conversation": example.conversation or None,
            }
        )
    return items


def _sampled(rows: Sequence[int], stage_of_row: Sequence[int], count: int, rng: random.Random) -> list[int]:
    """About ``count`` of the rows, the same share of each stage and at least one."""
    chosen: list[int] = []
    for stage in sorted({stage_of_row[n] for n in rows}):
        members = [n for n in rows if stage_of_row[n] == stage]
        chosen += rng.sample(members, max(1, round(count * len(members) / len(rows))))
    return sorted(chosen)
