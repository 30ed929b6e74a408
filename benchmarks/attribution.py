"""How good is the attribution by signals on the reference runs? python benchmarks/attribution.py [SUBMISSIONS]

Reads the vanilla runs of the committed submissions, which were evaluated without --choices (so that the paper's method,
which needs options, is left out), and prints for each base model and data seed: the expected number of unlearned items,
macro-F1 with its interval, and the confusion in expected unlearned items (true cause, then what was said).
"""

import json
import sys
from pathlib import Path

from ilp_bench.replication.reference_runs import families

from ilp_bench.data.dataset import make
from ilp_bench.diagnosis.why.attribution import diagnose
from ilp_bench.scoring.interval_text import interval_text


def main(submissions: Path) -> None:
    for (base, size), family in families(submissions).items():
        for runs in sorted(family["vanilla"], key=lambda runs: runs.submission.record.data.seed):
            if runs.base is None:
                continue
            seed = runs.submission.record.data.seed
            result = diagnose(runs.submission, runs.base, make(size, seed))
            quality = result.quality["signals"]
            macro = interval_text(quality.macro_f1, "undefined")
            print(f"{base}, {size}, seed {seed}: {result.unlearned:.1f} of {len(result.items)}, macro-F1 {macro}")
            said = {true: {to: round(n, 1) for to, n in row.items() if n} for true, row in quality.confusion.items()}
            print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("submissions"))
