"""What ``import ilp_bench`` offers, in the words of the command line."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pyarrow.compute as pc
from datasets import Dataset, DatasetDict

from ilp_bench.core.errors import UsageError, near
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import make
from ilp_bench.data.settings import Settings


def load(cause: str | None = None, *, size: str = "core", seed: int = 0, **knobs: Any) -> DatasetDict:
    """The controlled dataset, of one cause or of all, as ``train``, ``items`` and ``knowledge``.

        >>> ilp_bench.load("rare_patterns", size="mini", seed=3)["items"]
        >>> ilp_bench.load("data_inconsistency", size="mini", shares=(0.3,), domain="medicine")

    Built in memory from (size, seed), without a network. ``knobs``: :class:`~ilp_bench.data.settings.Settings`;
    with any of them, the named cause is built alone. Raises UsageError for an unknown cause or size, an impossible
    knob, or more pairs than facts allow.
    """
    if cause is not None:
        CAUSES.get(cause)
    if unknown := set(knobs) - {field.name for field in fields(Settings)}:
        raise UsageError(f"unknown knob {min(unknown)!r}.{near(min(unknown), [f.name for f in fields(Settings)])}")
    if knobs and cause:
        knobs["causes"] = (cause,)
    built = make(size, seed, **{name: tuple(v) if isinstance(v, list) else v for name, v in knobs.items()})
    tables = {name: getattr(built, name) for name in ("train", "items", "knowledge")}
    if cause:
        tables = {name: table.filter(pc.equal(table["cause"], cause)) for name, table in tables.items()}
    return DatasetDict({name: Dataset(table) for name, table in tables.items()})
