"""Seconds to validate a submission once the dataset is known, printed as JSON; and the whole command on a folder.

usage: benchmarks/validate.py [SUBMISSIONS]
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from points_entries import write_entry  # type: ignore[import-not-found]

from ilp_bench.submission.sample_store import read_samples
from ilp_bench.submission.validate import check, find


def timed(folder: Path, times: int = 5) -> dict[str, float | int]:
    """First and later checks of one entry, in seconds."""
    found = []
    for _ in range(times + 1):
        start = time.perf_counter()
        problems = check(folder).problems
        found.append(time.perf_counter() - start)
        if problems:
            raise SystemExit("\n".join(problems))
    rows = read_samples(folder / "samples.parquet").num_rows
    return {"rows": rows, "first": round(found[0], 3), "warm": round(statistics.median(found[1:]), 4)}


with tempfile.TemporaryDirectory() as name:
    report = {
        "mini, one seed": timed(write_entry(Path(name), seeds=(0,), division="open")),
        "mini, three seeds": timed(write_entry(Path(name))),
        "core, one seed": timed(write_entry(Path(name), seeds=(0,), division="open", size="core")),
    }
if len(sys.argv) > 1:
    start, folders = time.perf_counter(), find([Path(sys.argv[1])])
    for folder in folders:
        check(folder)
    report["committed"] = {"entries": len(folders), "seconds": round(time.perf_counter() - start, 2)}
print(json.dumps(report, indent=1))
