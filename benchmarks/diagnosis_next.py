"""What does next.jsonl do with contradictions in other words? python benchmarks/diagnosis_next.py

Prints a JSON line for each case of ``reworded_facts.py``. Beyond the rows that contradict one another in the same
words: how many rows are planted contradictions, and of these and of all other rows how many are left out, and how many
kept and listed to be checked.
"""

import json
import tempfile
from collections import Counter
from pathlib import Path

from reworded_facts import Reworded, cases

from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.report.next_rows import KEPT, LEFT_OUT, asked_alike, edits
from ilp_bench.diagnosis.why.paraphrases import Disputes, disputes_of


def changes(data: Dataset, disputes: Disputes) -> dict[int, str]:
    """Row of the file -> what is done with it."""
    return {edit.row: edit.change for edit in edits(data, [], disputes)}


def compare(name: str, case: Reworded, file: Path) -> None:
    rows = [{"prompt": each["messages"][0]["content"], "completion": each["completion"]} for each in case.rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = import_rows(file)
    disputes = disputes_of(data.train_rows())
    alike = Disputes(asked_alike(data.train_rows(), disputes.same), [])
    before, after = changes(data, alike), changes(data, disputes)
    planted = {question for pair in case.pairs for question in pair}
    counted = Counter(
        (rows[row - 1]["prompt"] in planted, change) for row, change in after.items() if change != before.get(row)
    )
    line = {"case": name, "rows": len(rows), "planted": sum(row["prompt"] in planted for row in rows)}
    for where, is_planted in (("of these", True), ("of all others", False)):
        line |= {f"{change}, {where}": counted[is_planted, change] for change in (LEFT_OUT, KEPT)}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for name, make in cases().items():
            compare(name, make(), Path(temporary) / "rows.jsonl")
