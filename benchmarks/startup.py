"""Wall time of ``ilp-bench --help``, beside an empty Python start: prints JSON. Goal: median under 0.5 s."""

import json
import statistics
import subprocess
import sys
import time

RUNS = 10
HELP = "import sys; sys.argv = ['ilp-bench', '--help']; from ilp_bench.cli.main import main; main()"


def seconds(code: str) -> list[float]:
    found = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - start)
    return found[1:]


if __name__ == "__main__":
    shown, empty = seconds(HELP), seconds("pass")
    medians = statistics.median(shown), statistics.median(empty)
    print(json.dumps({"help_s": round(medians[0], 4), "python_s": round(medians[1], 4), "runs": RUNS}))
