"""User data: a dataset made of somebody's training rows, on which ``evaluate`` and ``diagnose`` say what was not
learned, and why.

An item is a distinct answer to a distinct prompt: in a conversation every answer that is learned, after all turns
before it and with all that a chat template renders. It has no cause and no arm, so nothing is scored; all that is read
are the signals that anyone can log. A base model is asked each item behind four other rows of the same kind of
question.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ilp_bench.core.errors import ProblemError, UsageError, near
from ilp_bench.core.untrusted import encodable
from ilp_bench.data.content_hash import content_sha256
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.exemplars import FEWEST, user_exemplars
from ilp_bench.data.formats import ALPACA_JOINS, NEWLINE, Reading, check_format
from ilp_bench.data.import_report import ImportReport
from ilp_bench.data.manifest import USER_DATA, VERSION, Manifest, RowCounts
from ilp_bench.data.questions import question_of, questions_of
from ilp_bench.data.row_file import read_rows
from ilp_bench.data.schema import SCHEMAS, TABLES, USER_ITEMS, USER_TRAIN, Table
from ilp_bench.data.user_answers import Check, cut, of_one_kind, read_answers
from ilp_bench.data.user_tables import item_rows, sampled, train_rows
from ilp_bench.detectors.rare_patterns import kinds_with_one_gap


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
    check: Check | None = None,
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
    answers, layout, count, staged = read_answers(
        source, format, columns or {}, reading, report, read_rows(source, subset=subset, split=split), check
    )
    answers = of_one_kind(answers, report)
    if stages is not None and staged:
        raise UsageError(f"{source} has a column stage: do not give a number of stages, or remove the column")
    if stages is None and segments and not staged:
        stages = min(segments, count)
    if stages is not None:
        answers = cut(answers, stages, count)
    questions = questions_of([answer.example for answer in answers])
    train = train_rows(answers, questions)
    shots, exemplars_of_row = user_exemplars(train, kinds_with_one_gap(questions), seed)
    if not shots:
        left_out = report.skipped_text()
        raise ProblemError(
            f"{source} has fewer than {FEWEST} different questions that no row contradicts: four exemplars are shown "
            "before each, add rows" + (f", or repair those that are left out: {left_out}" if left_out else "")
        )
    chosen = sorted({row["item_id"]: n for n, row in enumerate(train)}.values())  # where each item is trained last
    if sample is not None and sample < len(chosen):
        chosen = sampled(chosen, [answer.stage for answer in answers], sample, random.Random(seed))
    items = item_rows(train, answers, exemplars_of_row, chosen)
    rows: dict[Table, Sequence[Any]] = {"train": train, "items": items, "knowledge": [], "shots": shots}
    rendered = any(item["conversation"] for item in items)
    schemas = SCHEMAS | {
        "train": USER_TRAIN,
        "items": USER_ITEMS.append(pa.field("conversation", pa.string())) if rendered else USER_ITEMS,
    }
    tables = {name: pa.Table.from_pylist(rows[name], schema=schemas[name]) for name in TABLES}
    renamed = {column: name for column, name in layout.columns.items() if column != name}
    manifest = Manifest(
        name=encodable(Path(source).name),
        version=VERSION,
        size=USER_DATA,
        seed=seed,
        stages=len({answer.stage for answer in answers}),
        rows=RowCounts(**{name: table.num_rows for name, table in tables.items()}),
        format=layout.format,
        chat=bool(answers[0].example.turns),
        columns=renamed or None,
        ignored={encodable(name): number for name, number in sorted(report.ignored.items()) if number} or None,
        skipped=report.skipped or None,
        content_sha256=content_sha256(tables.values()),
    )
    return Dataset(**tables, manifest=manifest)


def questions_in(
    source: Path | str,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    alpaca_join: str = NEWLINE,
    fold_system: bool = False,
) -> list[set[str]]:
    """What each row of a file, a folder or a Hub dataset asks: of a conversation, with its system prompt and without.

    Arguments and errors are those of :func:`import_rows`.
    """
    report, reading = ImportReport(Path(source), strict=False), Reading(alpaca_join, fold_system=fold_system)
    answers = read_answers(source, format, columns or {}, reading, report, read_rows(source), None).answers
    examples = [answer.example for answer in of_one_kind(answers, report)]
    if examples[0].turns:
        return [{question_of(each, with_system=with_system) for with_system in (True, False)} for each in examples]
    return [{question} for question in questions_of(examples)]
