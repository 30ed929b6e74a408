"""``next.jsonl``: the training file as advised, and ``changes.jsonl`` with a reason for each changed row.

The columns stay the user's own. Contradicting rows that are less well supported are left out, all of them where nothing
tells which is right, and so are copies of rows. Rows with rare patterns or what is learned late are repeated, and where
early rows were forgotten the file is shuffled.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ilp_bench.core.files import write_text
from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.contradictions import judged
from ilp_bench.diagnosis.rows import RowResult

NEXT, CHANGES = "next.jsonl", "changes.jsonl"
LEFT_OUT, REPEATED, SHUFFLED = "left out", "repeated", "shuffled"
TWICE = ("knowledge_gap", "knowledge_conflict", "rare_patterns")  # causes that more training overcomes
COPIES = 4  # of one row that are kept: agreeing repetition helps, beyond that it only costs
UNDECIDED = ", and nothing tells which is right: correct them, and put one back"
ALL = 0  # stands for all rows


class Edit(BaseModel):
    """What is changed: a row of the file, from 1 (``ALL`` for the whole file), and why."""

    row: int
    change: str
    reason: str


def edits(data: Dataset, results: Sequence[RowResult], groups: Sequence[Sequence[int]]) -> list[Edit]:
    """What is advised, by row.

    groups   indices of training rows that contradict one another
    """
    train: list[Any] = data.train.to_pylist()
    answers_of_row: dict[int, int] = defaultdict(int)
    for row in train:
        answers_of_row[row["source_row"]] += 1
    made: dict[int, Edit] = {}
    group_of = {n: group for group in groups for n in group}
    losing, undecided = judged(train, groups)
    for n in sorted(undecided | losing):
        other = next(train[k] for k in group_of[n] if train[k]["completion"].strip() != train[n]["completion"].strip())
        row = train[n]["source_row"]
        if answers_of_row[row] == 1:  # a conversation is not cut
            reason = f"answers {train[n]['completion'].strip()[:60]!r}, contradicted by row {other['source_row']}"
            reason += UNDECIDED if n in undecided else ""
            made[row] = Edit(row=row, change=LEFT_OUT, reason=reason)
    seen: dict[str, int] = defaultdict(int)
    for row in train:
        seen[row["item_id"]] += 1
        if seen[row["item_id"]] > COPIES and answers_of_row[row["source_row"]] == 1:
            reason = f"copy {seen[row['item_id']]} of the same question and answer"
            made.setdefault(row["source_row"], Edit(row=row["source_row"], change=LEFT_OUT, reason=reason))
    for each in results:
        reasons = [reason for reason in each.reasons if reason.cause in TWICE]
        if reasons and each.rows[-1] not in made:
            made[each.rows[-1]] = Edit(row=each.rows[-1], change=REPEATED, reason=reasons[0].evidence)
    listed = [made[row] for row in sorted(made)]
    forgotten = [reason for each in results for reason in each.reasons if reason.cause == "left_side_forgetting"]
    if forgotten:
        evidence = forgotten[0].evidence
        listed.append(Edit(row=ALL, change=SHUFFLED, reason=f"{len(forgotten)} asked rows of early parts: {evidence}"))
    return listed


def write_next(
    folder: Path, made: Sequence[Edit], read: Callable[[], Iterator[tuple[int, Mapping[str, Any]]]], seed: int
) -> None:
    """Write both files.

    read   the rows of the user's file with their numbers, from 1
    """
    change_of = {edit.row: edit.change for edit in made}
    lines: list[str] = []
    for number, values in read():
        change = change_of.get(number)
        line = json.dumps(values, ensure_ascii=False, default=str)
        lines += [] if change == LEFT_OUT else [line] * (2 if change == REPEATED else 1)
    if ALL in change_of:
        random.Random(seed).shuffle(lines)
    write_text(folder / NEXT, "".join(line + "\n" for line in lines))
    write_text(folder / CHANGES, "".join(edit.model_dump_json() + "\n" for edit in made))
