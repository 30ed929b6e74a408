"""Seconds and highest resident memory until hostile files are refused, each in a fresh process (Linux), as a table.

usage: python benchmarks/hostile.py
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

MOST_SECONDS, MOST_MEGABYTES = 5.0, 500
CHECK = """
import json, re, sys, time
from pathlib import Path
from ilp_bench.submission.check_folder import check_all
start, cpu = time.perf_counter(), time.process_time()
problems = check_all([Path(sys.argv[1])]).problems
seconds = time.perf_counter() - start, time.process_time() - cpu
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps([*seconds, peak, problems[:1], len(problems)]))
"""


def main() -> int:
    """Make every file, have it refused, print what that took; 1 where one took more than it may, or was not refused."""
    from forging import honest_entry  # type: ignore[import-not-found]
    from hostile_files import HOSTILE  # type: ignore[import-not-found]

    worst = 0
    print("| file | wall s | processor s | MB | problems | the first |\n| --- | ---: | ---: | ---: | ---: | --- |")
    with tempfile.TemporaryDirectory() as name:
        honest = honest_entry(Path(name) / "honest" / "submissions")
        for title, make in HOSTILE.items():
            root = Path(name) / title.replace(" ", "-") / "submissions"
            make(honest, root)
            command = [sys.executable, "-c", CHECK, str(root)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            wall, cpu, megabytes, first, count = json.loads(done.stdout)
            text = ascii(first[0].replace(name, ""))[:70] if first else "none"
            print(f"| {title} | {wall:.2f} | {cpu:.2f} | {megabytes:.0f} | {count} | {text} |", flush=True)
            worst |= cpu > MOST_SECONDS or megabytes > MOST_MEGABYTES or not count
    return worst


if __name__ == "__main__":
    sys.exit(main())
