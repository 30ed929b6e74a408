"""``next.jsonl``: the training file as advised, and ``changes.jsonl`` with a reason for each changed row.

The columns stay the user's own. Contradicting rows that are less well supported are left out, all of them where nothing
tells which is right, and so are copies of rows. Questions are the same there but for capital letters, spaces and marks
at the end; of answers that differ in the marks around them alone, one is kept. Where it takes more to tell that two
questions ask the same, their rows are kept, and listed to be checked; so are conversations with other answers beside a
contradicted one, which are not cut.
Rows with rare patterns or what is learned late are repeated, and where early rows were forgotten the file is shuffled.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ilp_bench.core.files import write_text
from ilp_bench.core.untrusted import encodable
from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.contradictions import as_asked, judged
from ilp_bench.detectors.labelled_row import label, question
from ilp_bench.diagnosis.rows import RowResult
from ilp_bench.diagnosis.why.paraphrases import SAME, Disputes
from ilp_bench.diagnosis.why.signs import ENCODED, PARAPHRASE

NEXT, CHANGES = "next.jsonl", "changes.jsonl"
LEFT_OUT, REPEATED, SHUFFLED, KEPT = "left out", "repeated", "shuffled", "kept, to be checked"
TWICE = ("knowledge_gap", "knowledge_conflict", "rare_patterns")  # causes that more training overcomes
COPIES = 4  # of one row that are kept: agreeing repetition helps, beyond that it only costs
MARKS = " .!,;\"'"  # around an answer say nothing
UNDECIDED = ", and nothing tells which is right: correct them, and put one back"
DOUBT = ": make sure that this answer is right before it is trained twice"
CHECK = ": where both ask the same, correct one"
ALL = 0  # stands for all rows


class Edit(BaseModel):
    """What is changed, or to be checked: a row of the file, from 1 (``ALL`` for the whole file), and why."""

    row: int
    change: str
    reason: str


def edits(data: Dataset, results: Sequence[RowResult], disputes: Disputes) -> list[Edit]:
    """What is advised, by row."""
    train: list[Any] = data.train.to_pylist()
    answers_of_row: dict[int, int] = defaultdict(int)
    for row in train:
        answers_of_row[row["source_row"]] += 1
    made: dict[int, Edit] = {}
    groups = asked_alike(train, disputes.same)
    group_of = {n: group for group in groups for n in group}
    losing, undecided = judged(train, groups)
    for n in sorted(undecided | losing):
        other = next(train[k] for k in group_of[n] if train[k]["completion"].strip() != train[n]["completion"].strip())
        row = train[n]["source_row"]
        if len({label(train[k]).strip(MARKS) for k in group_of[n]}) == 1:
            if n in losing and answers_of_row[row] == 1:
                kept = train[next(k for k in group_of[n] if k not in losing)]["source_row"]
                reason = f"answers {_answer(train[n])}, as row {kept} does but for the marks around it"
                made[row] = Edit(row=row, change=LEFT_OUT, reason=reason)
            continue
        reason = f"answers {_answer(train[n])}, contradicted by row {other['source_row']}"
        if other["prompt"] != train[n]["prompt"]:
            reason += f", which asks {_asked(other)} and answers {_answer(other)}"
        if answers_of_row[row] > 1:
            made.setdefault(row, Edit(row=row, change=KEPT, reason=f"in a conversation, {reason}: correct one"))
            continue
        reason += UNDECIDED if n in undecided else ""
        made[row] = Edit(row=row, change=LEFT_OUT, reason=reason)
    for row, reason in _to_check(train, results, disputes, set(made)):
        made.setdefault(row, Edit(row=row, change=KEPT, reason=reason))
    seen: dict[str, int] = defaultdict(int)
    for row in train:
        seen[row["item_id"]] += 1
        if seen[row["item_id"]] > COPIES and answers_of_row[row["source_row"]] == 1:
            reason = f"copy {seen[row['item_id']]} of the same question and answer"
            made[row["source_row"]] = Edit(row=row["source_row"], change=LEFT_OUT, reason=reason)
    for each in results:
        reasons = [reason for reason in each.reasons if reason.cause in TWICE]
        if reasons and each.rows[-1] not in made:
            doubt = DOUBT if reasons[0].cause == "knowledge_conflict" else ""
            made[each.rows[-1]] = Edit(row=each.rows[-1], change=REPEATED, reason=reasons[0].evidence + doubt)
    listed = [made[row] for row in sorted(made)]
    forgotten = [reason for each in results for reason in each.reasons if reason.cause == "left_side_forgetting"]
    if forgotten:
        evidence = forgotten[0].evidence
        listed.append(Edit(row=ALL, change=SHUFFLED, reason=f"{len(forgotten)} asked rows of early parts: {evidence}"))
    return listed


def _answer(row: Mapping[str, Any]) -> str:
    return repr(row["completion"].strip()[:60])


def _asked(row: Mapping[str, Any]) -> str:
    return repr(row["messages"][0]["content"][:80])


def asked_alike(train: Sequence[Any], same: Sequence[Sequence[int]]) -> list[list[int]]:
    """Of groups of rows that contradict one another, those that do so in the same words, see :func:`as_asked`."""
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for number, group in enumerate(same):
        for n in group:
            groups[number, as_asked(question(train[n]))].append(n)
    return [group for group in groups.values() if len({label(train[n]) for n in group}) > 1]


def _to_check(
    train: Sequence[Any], results: Sequence[RowResult], disputes: Disputes, left_out: set[int]
) -> Iterator[tuple[int, str]]:
    """Rows that another one may contradict, none of them ``left_out``, and why."""
    kept = [[n for n in group if train[n]["source_row"] not in left_out] for group in disputes.same]
    pairs = [pair for group in kept for pair in _in_other_words(train, group)]
    pairs += [dispute.rows for dispute in disputes.loose if dispute.agreement >= SAME]
    for pair in pairs:
        if any(train[n]["source_row"] in left_out for n in pair):
            continue
        for row, other in permutations(train[n] for n in pair):
            said = f"row {other['source_row']} asks {_asked(other)} and answers {_answer(other)}"
            yield row["source_row"], f"answers {_answer(row)}, while {said}{CHECK}"
    for each in results:
        for reason in each.reasons:
            if reason.sign in (PARAPHRASE, ENCODED):
                yield each.rows[-1], f"{reason.evidence}{CHECK}"


def _in_other_words(train: Sequence[Any], group: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each row of a group that contradicts another in other words, with the first such row."""
    said = {n: (as_asked(question(train[n])), label(train[n])) for n in group}
    first = {key: n for n, key in reversed(said.items())}
    for n, (asked, answer) in said.items():
        for (other_asked, other_answer), other in first.items():
            if asked != other_asked and answer != other_answer:
                yield n, other
                break


def write_next(
    folder: Path, made: Sequence[Edit], read: Callable[[], Iterator[tuple[int, Mapping[str, Any]]]], seed: int
) -> None:
    """Write ``changes.jsonl``, and ``next.jsonl`` where anything is changed.

    read   the rows of the user's file with their numbers, from 1
    """
    write_text(folder / CHANGES, "".join(edit.model_dump_json() + "\n" for edit in made))
    change_of = {edit.row: edit.change for edit in made if edit.change != KEPT}
    if not change_of:
        return
    lines: list[str] = []
    for number, values in read():
        change = change_of.get(number)
        line = json.dumps(values, ensure_ascii=False, default=str)
        line = line if line == encodable(line) else json.dumps(values, default=str)
        lines += [] if change == LEFT_OUT else [line] * (2 if change == REPEATED else 1)
    if ALL in change_of:
        random.Random(seed).shuffle(lines)
    write_text(folder / NEXT, "".join(line + "\n" for line in lines))
