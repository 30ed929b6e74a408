"""Write a copy of each dataset that submissions use: ``python -m ilp_bench.submission.archive [SUBMISSIONS]``."""

from __future__ import annotations

import sys
from pathlib import Path

from ilp_bench.data.manifest import VERSION
from ilp_bench.submission.archive import FOLDER, DatasetKey, archived, write_copy
from ilp_bench.submission.format import read_submission


def used_datasets(submissions: Path) -> set[DatasetKey]:
    """All datasets that the entries below ``submissions`` were measured on."""
    entries = (read_submission(file.parent) for file in submissions.glob("*/*/submission.json"))
    data = (record.data for entry in entries for record in entry.run_records.values())
    return {DatasetKey(one.version, one.size, one.seed) for one in data}


def main(submissions: Path) -> None:
    """Write the copies that are missing; those of earlier versions are never touched."""
    for key in sorted(used_datasets(submissions) - archived().keys()):
        if key.version == VERSION:
            print(write_copy(key, FOLDER))
        else:
            print(f"version {key.version} of {key.size}, seed {key.seed}: no copy, and version {VERSION} is built")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("submissions"))
