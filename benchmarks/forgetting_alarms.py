"""How often is forgetting named where nothing was forgotten? python benchmarks/forgetting_alarms.py FOLDER

FOLDER is one of ``diagnosis_proof.py``, whose models were trained on shuffled rows, so that no order of the file tells
what came first. Takes the sound rows of each set with how far they are reproduced, puts them into other orders, cuts
them into the four parts of a diagnosis, and prints JSON: of how many files rows are said to be forgotten, and of which
share of their unlearned rows. The orders are random ones of each set and of all sets together, and files sorted by
topic: all sets one after another, in every order of the sets.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, permutations
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from package_facts import SETS, drawn, planted

from ilp_bench.detectors.contradictions import content_words
from ilp_bench.detectors.rare_patterns import kinds_with_one_gap
from ilp_bench.detectors.thresholds import STAGE_DROP
from ilp_bench.diagnosis.asking.steps import SEGMENTS
from ilp_bench.diagnosis.report.compare import ROWS
from ilp_bench.diagnosis.why.comparisons import FEW, QuestionKind, TrainedItem, drops

ORDERS = 1000


class Row(NamedTuple):
    """A sound row: what it asks, how far it is reproduced in [0, 1], and whether that counts as learned."""

    question: str
    value: float
    learned: bool


def sound_rows(folder: Path, name: str) -> list[Row]:
    """The rows of a set in which nothing was planted, as its model knows them after the first part."""
    known = json.loads((folder / name / "known.json").read_text())
    faults = set[str]().union(*planted(name, drawn(name), known).faults.values())
    table = pq.read_table(folder / name / "report-planted" / ROWS, columns=["question", "value", "learned"])
    return [Row(**row) for row in table.to_pylist() if row["question"] not in faults]


def kinds(rows: Sequence[Row]) -> dict[str, QuestionKind]:
    """Question -> its kind; empty where there are few of the kind."""
    of_rows = kinds_with_one_gap([" ".join(content_words(row.question)) for row in rows])
    size = Counter(of_rows)
    return {row.question: kind if size[kind] >= FEW else () for row, kind in zip(rows, of_rows, strict=True)}


def forgotten(rows: Sequence[Row], kind_of: dict[str, QuestionKind]) -> float | None:
    """The share of the unlearned rows that would be called forgotten; None where no row would be."""
    length = -(-len(rows) // SEGMENTS)
    item: Any = {"item_id": ""}
    trained = [
        TrainedItem(item, n, kind_of[row.question], n // length + 1, row.value, 0.0, 0.0) for n, row in enumerate(rows)
    ]
    dropped = drops(trained, SEGMENTS)
    called = [dropped.get((each.kind, each.segment), 0.0) > STAGE_DROP for each in trained]
    unlearned = [said for said, row in zip(called, rows, strict=True) if not row.learned]
    return sum(unlearned) / len(unlearned) if any(unlearned) else None


def alarms(name: str, files: Iterable[Sequence[Row]]) -> None:
    """Print how many files there are, and of how many forgetting is named."""
    results, kind_of = [], None
    for rows in files:
        kind_of = kind_of or kinds(rows)
        results.append(forgotten(rows, kind_of))
    named = [share for share in results if share is not None]
    counts = {"files": len(results), "named": len(named), "share of files": round(len(named) / len(results), 3)}
    share = round(sum(named) / len(named), 2) if named else None
    print(json.dumps({"order": name} | counts | {"of their unlearned rows": share}), flush=True)


def main(folder: Path) -> None:
    """Print the alarms of every kind of order."""
    sets = {name: sound_rows(folder, name) for name in SETS}
    rng = random.Random(0)
    for name, rows in sets.items():
        alarms(f"random, {name}", (rng.sample(rows, len(rows)) for _ in range(ORDERS)))
    together = [*chain.from_iterable(sets.values())]
    alarms("random, all sets", (rng.sample(together, len(together)) for _ in range(ORDERS)))
    alarms("by topic", ([*chain.from_iterable(sets[name] for name in order)] for order in permutations(sets)))
    for name, rows in sets.items():
        alarms(f"by question, {name}", [sorted(rows), sorted(rows, reverse=True)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
