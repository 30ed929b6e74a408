"""User data: a dataset made of somebody's training rows, on which ``evaluate`` and ``diagnose`` say what was not
learned, and why.

An item is a distinct (prompt, answer) of the rows. It has no cause and no arm, so nothing is scored; all that is read
are the signals that anyone can log. A base model is asked each item behind four other rows of the same kind of
question.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.content_hash import content_sha256
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.exemplars import FEWEST, user_exemplars
from ilp_bench.data.formats import FORMATS, Example, Json, check_format
from ilp_bench.data.manifest import USER_DATA, VERSION, Manifest, RowCounts
from ilp_bench.data.row_file import read_rows
from ilp_bench.data.rows import row_id
from ilp_bench.data.schema import SCHEMAS, TABLES, USER_ITEMS, Table, TrainRow, UserItemRow
from ilp_bench.detectors.rare_patterns import kinds_with_one_gap

MOST_STAGES = 10_000


def import_rows(
    file: Path, *, format: str | None = None, stages: int | None = None, sample: int | None = None, seed: int = 0
) -> Dataset:
    """Make a dataset of the rows of a ``.jsonl`` or ``.parquet`` file, in training order.

    format   one of ``FORMATS``; by default the first whose columns the first row has
    stages   cut the rows into so many consecutive parts; by default stages are what a column ``stage`` says, or one
    sample   ask about so many items only, drawn with ``seed`` from each stage; all rows are read in any case

    A column ``annotator`` says who labelled a row. Raises UsageError where the file cannot be read as that,
    ProblemError naming the first bad row.
    """
    if sample is not None and sample < 1:
        raise UsageError(f"a sample of {sample} items is impossible: at least 1")
    raw = read_rows(file)
    format = check_format(format) if format is not None else _format_of(file, raw[0])
    examples = [_example(file, number, row, format) for number, row in enumerate(raw, 1)]
    if len({bool(example.turns) for example in examples}) > 1:
        raise ProblemError(f"{file} has both conversations and bare prompts: import them as two files")
    stage_of_row = _stages(file, raw, stages)
    questions = _questions(examples)
    train = _train_rows(raw, examples, questions, stage_of_row)
    shots, exemplars_of_row = user_exemplars(train, kinds_with_one_gap(questions), seed)
    if not shots:
        raise ProblemError(
            f"{file} has fewer than {FEWEST} different questions that no row contradicts: four exemplars are shown "
            "before each, add rows"
        )
    chosen = sorted({row["item_id"]: n for n, row in enumerate(train)}.values())  # where each item is trained last
    if sample is not None and sample < len(chosen):
        chosen = _sampled(chosen, stage_of_row, sample, random.Random(seed))
    rows: dict[Table, Sequence[Any]] = {
        "train": train,
        "items": _item_rows(train, examples, exemplars_of_row, chosen),
        "knowledge": [],
        "shots": shots,
    }
    schemas = SCHEMAS | {"items": USER_ITEMS}
    tables = {name: pa.Table.from_pylist(rows[name], schema=schemas[name]) for name in TABLES}
    manifest = Manifest(
        name=file.name,
        version=VERSION,
        size=USER_DATA,
        seed=seed,
        stages=len(set(stage_of_row)),
        rows=RowCounts(**{name: table.num_rows for name, table in tables.items()}),
        format=format,
        chat=bool(examples[0].turns),
        content_sha256=content_sha256(tables.values()),
    )
    return Dataset(**tables, manifest=manifest)


def _format_of(file: Path, row: Json) -> str:
    """The first format whose columns a row has. Raises UsageError when there is none."""
    for name, form in FORMATS.items():
        if all(column in row for column in form.columns):
            return name
    known = "; ".join(f"{name}: {', '.join(form.columns)}" for name, form in FORMATS.items())
    raise UsageError(f"{file} has the columns {', '.join(row)}; wanted are those of a format: {known}")


def _example(file: Path, number: int, row: Json, format: str) -> Example:
    """Row ``number`` of a file, counted from 1. Raises ProblemError for one that cannot be read or trained on."""
    columns, read, _ = FORMATS[format]
    if missing := [name for name in columns if row.get(name) is None]:
        raise ProblemError(f"{file}, row {number} has no {' and no '.join(missing)}: fix or remove it")
    try:
        example = read(row)
        (example.prompt + example.completion).encode()
    except (TypeError, ValueError) as error:
        raise ProblemError(f"{file}, row {number}: {error}: fix or remove it") from error
    if not example.completion.strip():
        raise ProblemError(f"{file}, row {number} has an empty answer: fix or remove it")
    return example


def _train_rows(
    raw: Sequence[Json], examples: Sequence[Example], questions: Sequence[str], stage_of_row: Sequence[int]
) -> list[TrainRow]:
    """Rows of ``train``; those that train the same item have one ``item_id``."""
    rows: list[TrainRow] = []
    item_ids: dict[tuple[str, str], str] = {}
    for n, (row, example, question, stage) in enumerate(zip(raw, examples, questions, stage_of_row, strict=True)):
        answer = example.completion.strip()
        rows.append(
            {
                "row_id": row_id(n),
                "item_id": item_ids.setdefault((example.prompt, example.completion), f"own-{n:06d}"),
                "cause": None,
                "arm": None,
                "stage": stage,
                "prompt": example.prompt,
                "completion": example.completion,
                "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
                "annotator": "" if row.get("annotator") is None else str(row["annotator"]),
                "domain": None,
            }
        )
    return rows


def _item_rows(
    train: Sequence[TrainRow], examples: Sequence[Example], exemplars_of_row: Sequence[str], chosen: Sequence[int]
) -> list[UserItemRow]:
    """Rows of ``items``, one for each of the rows ``chosen``."""
    frequency = Counter(row["item_id"] for row in train)
    items: list[UserItemRow] = []
    for n in chosen:
        row, example = train[n], examples[n]
        items.append(
            {
                "probe_id": f"{row['item_id']}/recall",
                "item_id": row["item_id"],
                "probe": "recall",
                "stage": row["stage"],
                "frequency": frequency[row["item_id"]],
                "relation": exemplars_of_row[n],
                "question": example.turns[-1]["content"] if example.turns else row["messages"][0]["content"],
                "prompt": example.prompt,
                "answer": example.completion.strip(),
                "completion": example.completion,
                "turns": example.turns,
            }
        )
    return items


def _stages(file: Path, raw: Sequence[Json], count: int | None) -> list[int]:
    """The stage of each row: of ``count`` equal parts, or what the column ``stage`` says, or 1."""
    column: list[Any] = [row.get("stage") for row in raw]
    if count is not None:
        if any(stage is not None for stage in column):
            raise UsageError(f"{file} has a column stage: do not give a number of stages, or remove the column")
        if not 1 <= count <= len(raw):
            raise UsageError(f"{len(raw)} rows cannot be cut into {count} stages: 1 to {len(raw)}")
        return [1 + n * count // len(raw) for n in range(len(raw))]
    if all(stage is None for stage in column):
        return [1] * len(raw)
    for number, stage in enumerate(column):
        if not isinstance(stage, int) or isinstance(stage, bool) or not 1 <= stage <= MOST_STAGES:
            raise ProblemError(f"{file}, row {number + 1}: stage {stage!r} is no whole number from 1 to {MOST_STAGES}")
        if number and stage < column[number - 1]:
            raise ProblemError(f"{file}, row {number + 1}: stage {stage} after {column[number - 1]}: sort the rows")
    return [int(stage) for stage in column]


def _questions(examples: Sequence[Example]) -> list[str]:
    """What is asked: all turns; or the bare prompt, without labels (``Question: ``) that all have."""
    texts = ["\n".join(turn["content"] for turn in each.turns) if each.turns else each.prompt for each in examples]
    if examples[0].turns or len(set(texts)) == 1:
        return texts
    shared = _common_prefix(texts)
    start = max(shared.rfind("\n") + 1, shared.rfind(": ") + 2 if ": " in shared else 0)
    rest = [text[start:] for text in texts]
    shared_end = _common_prefix([text[::-1] for text in rest])[::-1]
    cut = len(shared_end) - shared_end.find("\n") if "\n" in shared_end else 0
    return [text[: len(text) - cut].strip() or whole for text, whole in zip(rest, texts, strict=True)]


def _common_prefix(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    low, high = min(texts), max(texts)
    return low[: next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]


def _sampled(rows: Sequence[int], stage_of_row: Sequence[int], count: int, rng: random.Random) -> list[int]:
    """About ``count`` of the rows, the same share of each stage and at least one."""
    chosen: list[int] = []
    for stage in sorted({stage_of_row[n] for n in rows}):
        members = [n for n in rows if stage_of_row[n] == stage]
        chosen += rng.sample(members, max(1, round(count * len(members) / len(rows))))
    return sorted(chosen)
