"""Controlled data for other research: one cause, your own settings, rows for your own trainer.

Here: rows of the domain medicine that contradict one another, three of ten of them wrong, written as messages.

    python examples/data_for_other_research.py
"""

import tempfile
from pathlib import Path

import ilp_bench

data = ilp_bench.build("mini", seed=3, causes=["data_inconsistency"], pairs=20, shares=[0.3], domain="medicine")
print(f"{data.train.num_rows} training rows, {data.items.num_rows} probes; content {data.sha256[:12]}")
print("one row:", data.train.to_pylist()[0]["messages"])

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "train.jsonl"
    print(f"{ilp_bench.export(data, file, format='messages')} rows for a trainer of yours in {file.name}")

tables = ilp_bench.load("rare_patterns", size="mini", pairs=10)  # a datasets.DatasetDict
print(f"rare_patterns with datasets: {tables['train'].num_rows} rows, columns {tables['train'].column_names}")
