"""The tables of user data: training rows, and the items that are asked of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from ilp_bench.data.rows import row_id
from ilp_bench.data.schema import TrainRow, UserItemRow, UserTrainRow
from ilp_bench.data.user_answers import UserAnswer


def train_rows(answers: Sequence[UserAnswer], questions: Sequence[str]) -> list[UserTrainRow]:
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


def item_rows(
    train: Sequence[TrainRow], answers: Sequence[UserAnswer], exemplars_of_row: Sequence[str], chosen: Sequence[int]
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


def sampled(rows: Sequence[int], stage_of_row: Sequence[int], count: int, rng: random.Random) -> list[int]:
    """About ``count`` of the rows, the same share of each stage and at least one."""
    chosen: list[int] = []
    for stage in sorted({stage_of_row[n] for n in rows}):
        members = [n for n in rows if stage_of_row[n] == stage]
        chosen += rng.sample(members, max(1, round(count * len(members) / len(rows))))
    return sorted(chosen)
