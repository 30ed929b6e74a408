"""How good is the attribution by signals on the committed references? python benchmarks/attribution.py

Reads their vanilla runs, which were evaluated without --choices (so that the paper's method, which needs options, is
left out), and prints for each base model and data seed: the expected number of unlearned items, macro-F1 with its
interval, and the confusion in expected unlearned items (true cause, then what was said).
"""

import json

from ilp_bench.data.dataset import make
from ilp_bench.diagnosis.why.attribution import diagnose
from ilp_bench.scoring.interval_text import interval_text
from ilp_bench.scoring.references import committed_references


def main() -> None:
    for name, reference in committed_references().items():
        for seed, comparison in zip(reference.seeds, reference.comparisons, strict=True):
            assert comparison.base
            result = diagnose(comparison.vanillas[0], comparison.base, make(reference.record.size, seed))
            quality = result.quality["signals"]
            macro, by_rows = (
                interval_text(result.quality[method].macro_f1, "undefined") for method in ("signals", "rows")
            )
            print(
                f"{name}, seed {seed}: {result.unlearned:.1f} of {len(result.items)} unlearned, macro-F1 {macro}, ",
                end="",
            )
            print(f"by rows alone {by_rows}")
            said = {true: {to: round(n, 1) for to, n in row.items() if n} for true, row in quality.confusion.items()}
            print(json.dumps(said))


if __name__ == "__main__":
    main()
