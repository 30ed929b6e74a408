"""Time and memory of building large datasets: python benchmarks/scale.py [PAIRS ...]

Builds datasets of more and more pairs, each in a fresh process, and prints JSON: rows, seconds (by the clock, and of
the processor, which other work on the machine does not lengthen), the highest resident memory of the process, processor
time an item (a row of ``items``); then whether two workers write the same bytes.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CAUSES = ("data_inconsistency", "left_side_forgetting", "rare_patterns")
PROBES = 6  # a pair: two items, three probes each
MEASURE = """
import json, resource, sys, time
from pathlib import Path
from ilp_bench.data.manifest import read_manifest
from ilp_bench.data.settings import Settings
from ilp_bench.data.sharding import build
if __name__ == "__main__":
    start = time.monotonic()
    settings = Settings("mini", 0, pairs=int(sys.argv[1]), causes=tuple(sys.argv[4:]), domain="medicine")
    out = build(settings, Path(sys.argv[2]), workers=int(sys.argv[3]))
    manifest = read_manifest(out).to_json()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": round(time.monotonic() - start, 1),
                      "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
                      "peak_mib": round(used.ru_maxrss / 1024), "rows": manifest["rows"], "files": manifest["files"]}))
"""


def measure(pairs: int, workers: int, folder: Path) -> dict[str, Any]:
    script = folder / "measure.py"
    script.write_text(MEASURE)
    call = [sys.executable, str(script), str(pairs), str(folder / f"{pairs}-{workers}"), str(workers), *CAUSES]
    found: dict[str, Any] = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    shutil.rmtree(folder / f"{pairs}-{workers}")
    return found


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [5_556, 18_519, 55_556]
    report: dict[str, Any] = {"runs": []}
    with tempfile.TemporaryDirectory() as name:
        for pairs in sizes:
            found = measure(pairs, 1, Path(name))
            found.pop("files")
            found |= {"pairs_a_cause": pairs}
            found |= {"us_per_item": round(1e6 * found["cpu_seconds"] / found["rows"]["items"], 1)}
            report["runs"].append(found)
        first, last = report["runs"][0], report["runs"][-1]
        report["time_ratio_over_size_ratio"] = round(last["us_per_item"] / first["us_per_item"], 2)
        two = measure(sizes[0], 2, Path(name))
        report["same_bytes_with_two_workers"] = two["files"] == measure(sizes[0], 1, Path(name))["files"]
        report["speedup_of_two_workers"] = round(first["seconds"] / two["seconds"], 2)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
