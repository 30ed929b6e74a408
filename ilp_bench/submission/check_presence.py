"""Are the optional columns of samples filled where a run says so, and nowhere else?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("shots_p", "shots_greedy", "belief", "belief_p", "shots_options", "logprob", "p", "tokens", "greedy") + (
    "options",
    "gold",
    "entropy",
)
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Wanted(NamedTuple):
    """Which optional columns a row must have, as its run asked: shape (rows,) each.

    shots     p with exemplars
    belief    a belief may stand there; where ``shots_options`` do, it must
    options   the log-probabilities of options
    """

    shots: Mask
    belief: Mask
    options: Mask


def wanted_of(rows: pa.Table, probed: bool, choices: int) -> Wanted:
    """What is wanted of each row, or item, by its probe and prior answer, where a run was ``probed`` with exemplars."""
    probe = rows["probe"].cast(pa.string())
    asked = pc.fill_null(pc.is_in(probe, value_set=pa.array(["recall", "retention"])), False).to_numpy()
    prior = pc.and_(pc.equal(probe, "recall"), pc.is_valid(rows["prior_answer"])).fill_null(False).to_numpy()
    return Wanted(asked & probed, (asked if choices else prior) & probed, asked & (choices > 0))


def presence_problems(rows: pa.Table, wanted: Wanted) -> Iterator[str]:
    """Are the optional columns filled where the run says so, and nowhere else?"""
    is_there = {name: pc.is_valid(rows[name]).to_numpy() for name in COLUMNS}
    for name in ("shots_p", "shots_greedy"):
        yield from report(rows, is_there[name] != wanted.shots, f"{name} must be there where it was asked")
    for name in ("belief", "belief_p"):
        yield from report(rows, is_there[name] & ~wanted.belief, f"{name} stands where nothing was asked")
        told = is_there[name] != is_there["shots_options"]
        yield from report(rows, told, f"{name} stands without shots_options")
    for name in ("logprob", "p", "tokens", "greedy"):
        yield from report(rows, ~is_there[name], f"{name} is empty")
    for name in ("options", "gold", "entropy"):
        yield from report(rows, is_there[name] != wanted.options, f"{name} must be there where options were asked")


def report(rows: pa.Table, wrong: Mask, what: str) -> Iterator[str]:
    """One line on the rows that are wrong, where there are any."""
    if len(found := np.flatnonzero(wrong)):
        yield f"{what} in {len(found)} rows, such as {rows['probe_id'][int(found[0])].as_py()!r}: evaluate again"
