"""What ``import ilp_bench`` offers, in the words of the command line."""

from __future__ import annotations

from datasets import Dataset, DatasetDict

from ilp_bench.causes import CAUSE_NAMES
from ilp_bench.dataset import make
from ilp_bench.errors import UsageError, near


def load(cause: str | None = None, *, size: str = "core", seed: int = 0) -> DatasetDict:
    """The controlled dataset, of one cause or of all, as ``train``, ``items`` and ``knowledge``.

        >>> ilp_bench.load("rare_patterns", size="mini", seed=3)["items"]

    Built in memory from (size, seed), without a network. Raises UsageError for an unknown cause or size.
    """
    if cause is not None and cause not in CAUSE_NAMES:
        raise UsageError(f"unknown cause {cause!r}.{near(cause, CAUSE_NAMES)}")
    built = make(size, seed)
    tables = {name: getattr(built, name) for name in ("train", "items", "knowledge")}
    if cause:
        for name, table in tables.items():
            tables[name] = table.filter([found == cause for found in table["cause"].to_pylist()])
    return DatasetDict({name: Dataset(table) for name, table in tables.items()})
