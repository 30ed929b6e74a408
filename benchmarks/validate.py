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
from conftest import make_run  # type: ignore[import-not-found]
from forging import better, learned_less_in_wordings  # type: ignore[import-not-found]

from ilp_bench.data.dataset import make
from ilp_bench.records.run_record import Runs
from ilp_bench.submission.sample_store import read_samples
from ilp_bench.submission.validate import check, find
from ilp_bench.submission.version_2 import ArchivedMeta, submit


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


def entry(size: str, out: Path, replicates: int = 1) -> Path:
    """A made-up entry with base and vanilla runs."""
    data = make(size, 0)
    vanilla, base = make_run(data, "vanilla", learned_less_in_wordings), make_run(data, None, lambda _: 1e-6)
    vanilla.record.samples_sha256 = "1" * 64
    runs = []
    for number in range(replicates):
        run = make_run(data, "combined", better, noise=number + 1)
        run.record.samples_sha256 = run.record.model.weights_sha256 = f"{number + 2}" * 64
        runs.append(Runs(run, vanilla, base))
    return submit(runs, ArchivedMeta(org="lab", model=f"{size}-{replicates}", division="open"), out)


with tempfile.TemporaryDirectory() as name:
    report = {
        "mini, one replicate": timed(entry("mini", Path(name))),
        "mini, three replicates": timed(entry("mini", Path(name), 3)),
        "core, one replicate": timed(entry("core", Path(name))),
    }
if len(sys.argv) > 1:
    start, folders = time.perf_counter(), find([Path(sys.argv[1])])
    for folder in folders:
        check(folder)
    report["committed"] = {"entries": len(folders), "seconds": round(time.perf_counter() - start, 2)}
print(json.dumps(report, indent=1))
