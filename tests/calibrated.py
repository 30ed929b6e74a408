"""A dataset in which some items of every stage are calibration items."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from ilp_bench.data.content_hash import content_sha256
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.schema import TABLES


def calibrated(data: Dataset, every: int = 3) -> Dataset:
    """The dataset with the arm ``calibration`` on every third pair of a cause: the control items, and the treated ones
    of early stages, which have no control."""
    last = data.manifest.stages
    items = data.item_rows()
    pairs = sorted({row["pair_id"] for row in items if row["pair_id"]})[::every]
    chosen = {
        row["item_id"] for row in items if row["pair_id"] in pairs and (row["arm"] == "control" or row["stage"] < last)
    }

    def relabelled(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        for row in rows:
            if row["item_id"] in chosen:
                row["arm"], row["cause"] = "calibration", None
                if "pair_id" in row:
                    row["pair_id"] = None
        return pa.Table.from_pylist(rows, schema=table.schema)

    new = replace(data, train=relabelled(data.train), items=relabelled(data.items))
    manifest = new.manifest.model_copy(update={"content_sha256": content_sha256([new.table(name) for name in TABLES])})
    return replace(new, manifest=manifest)
