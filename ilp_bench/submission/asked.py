"""What a run asked, by its record, and the dataset that it names."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from ilp_bench.core.errors import UsageError
from ilp_bench.records.run_record import RunRecord
from ilp_bench.submission.archive import DatasetKey, dataset_items


class Asked(NamedTuple):
    """What a run says that it asked: the dataset and its content hash, exemplars or not, how many options."""

    dataset: DatasetKey
    content_sha256: str
    probed: bool
    choices: int

    @classmethod
    def by(cls, record: RunRecord) -> Asked:
        """What a run record says."""
        data = record.data
        key = DatasetKey(data.version, data.size, data.seed)
        return cls(key, data.content_sha256, record.probed, record.choices)

    def items(self) -> tuple[str, pa.Table | None]:
        """The items of the dataset that was asked, or what is wrong with its name."""
        version, size, seed = self.dataset
        try:
            known = dataset_items(self.dataset, self.content_sha256)
        except (UsageError, ValueError, OverflowError) as error:
            return f"dataset {size!r} seed {seed} cannot be built: {error}", None
        if known.content_sha256 != self.content_sha256:
            what = f"the dataset is not ILP-Bench {size} seed {seed} of version {version}"
            return f"{what}: evaluate on a current build", None
        return "", known.items

    def options(self, items: pa.Table) -> pa.ChunkedArray:
        """The options of each item that were asked, if any were."""
        return items["choices10" if self.choices == 10 else "choices"]
