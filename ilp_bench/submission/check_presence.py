"""Are the optional columns of samples filled where a run says so, and nowhere else?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.submission.archive import DatasetKey, dataset_items
from ilp_bench.submission.sample_store import CACHED_RUNS

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Wanted(NamedTuple):
    """Rows that are asked with exemplars and options where a run asks so, and those whose prior answer is too."""

    asked: Mask
    belief: Mask


def wanted_of(rows: pa.Table) -> Wanted:
    """What is wanted of each row, by its probe and prior answer."""
    probe = rows["probe"].cast(pa.string())
    asked = pc.fill_null(pc.is_in(probe, value_set=pa.array(["recall", "retention"])), False).to_numpy()
    belief = pc.and_(pc.equal(probe, "recall"), pc.is_valid(rows["prior_answer"])).fill_null(False).to_numpy()
    return Wanted(asked, belief)


@lru_cache(maxsize=CACHED_RUNS)
def wanted_of_dataset(dataset: DatasetKey, content_sha256: str) -> Wanted:
    """What is wanted of each row of a dataset, in its order."""
    return wanted_of(dataset_items(dataset, content_sha256).items)


def presence_problems(rows: pa.Table, wanted: Wanted, probed: bool, choices: int) -> Iterator[str]:
    """Are the optional columns filled where the run says so, and nowhere else?"""
    asked, belief = wanted
    shown = asked & probed
    for name in ("shots_p", "shots_greedy"):
        yield from report(rows, pc.is_valid(rows[name]).to_numpy() != shown, f"{name} must be there where it was asked")
    for name in ("belief", "belief_p"):
        wrong = pc.is_valid(rows[name]).to_numpy() & ~((asked if choices else belief) & probed)
        yield from report(rows, wrong, f"{name} stands where nothing was asked")
        told = pc.is_valid(rows[name]).to_numpy() != pc.is_valid(rows["shots_options"]).to_numpy()
        yield from report(rows, told, f"{name} stands without shots_options")
    for name in ("logprob", "p", "tokens", "greedy"):
        yield from report(rows, pc.is_null(rows[name]).to_numpy(), f"{name} is empty")
    for name in ("options", "gold", "entropy"):
        yield from report(
            rows,
            pc.is_valid(rows[name]).to_numpy() != (asked & (choices > 0)),
            f"{name} must be there where options were asked",
        )


def report(rows: pa.Table, wrong: Mask, what: str) -> Iterator[str]:
    """One line on the rows that are wrong, where there are any."""
    if len(found := np.flatnonzero(wrong)):
        yield f"{what} in {len(found)} rows, such as {rows['probe_id'][int(found[0])].as_py()!r}: evaluate again"
