"""Data files: scripts that hand data to a page, because a page opened from a disk may load scripts, but not JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import Value
from ilp_bench.leaderboard.ranking import Group, Standing
from ilp_bench.scoring.bootstrap import stream_number

UNITS_PER_ONE = 100_000  # numbers in data files are whole numbers of this unit


class StandingRow(NamedTuple):
    """One row of a group's data file; the file names these fields, and the page's script reads rows by them.

    recipe        empty for one's own
    rank          None where not ranked
    shared        1 where a neighbour has the same rank, else 0
    overall       [value, low, high] in units, 0 where undefined
    causes        the same of each cause in the file's ``causes``; 0 where not expressed, None where missing
    average       learned rate over all items, in units
    worst         treated learned rate of the cause that is learned least, in units; ``worst_cause`` is its index
    token_factor  training tokens as a multiple of vanilla's, None where not recorded
    state         ``ranked``, ``withdrawn`` or ``flagged``
    rerun         outcome of the last re-run on public data
    replicates    number of runs
    """

    slug: str
    model: str
    org: str
    recipe: str
    rank: int | None
    shared: int
    overall: list[int] | int
    causes: list[list[int] | int | None]
    average: int
    worst: int
    worst_cause: int
    token_factor: float | None
    state: str
    rerun: str
    replicates: int


def write_data(name: str, data: dict[str, Any]) -> str:
    """The text of a data file: a call of the function ``ilp`` with the name and the data."""
    plain = json.dumps(data, separators=(",", ":"), ensure_ascii=True, sort_keys=True).replace("<", "\\u003c")
    return f"ilp({json.dumps(name)},\n{plain}\n)\n"


def read_data(text: str) -> dict[str, Any]:
    """The data of a data file."""
    data: dict[str, Any] = json.loads(text.split("\n", 2)[1])
    return data


def standings_data(group: Group) -> dict[str, Any]:
    """A group's rows, best first, with the names of their fields and what the page's script must know of the causes."""
    return {
        "title": f"{group.title}, {group.size}",
        "causes": [
            {
                "name": cause.name,
                "title": cause.title,
                "short_title": cause.short_title,
                "stream": stream_number(cause.name) % 2**32,
            }
            for cause in CAUSES
        ],
        "fields": StandingRow._fields,
        "rows": [standing_row(standing) for standing in group.standings],
    }


def standing_row(standing: Standing) -> StandingRow:
    """The row of one entry."""
    entry, names = standing.entry, CAUSES.names()
    return StandingRow(
        slug=entry.slug,
        model=entry.model,
        org=entry.org,
        recipe=entry.recipe or "",
        rank=standing.rank,
        shared=int(standing.shared),
        overall=_estimate(entry.overall),
        causes=[_estimate(entry.causes[name]["recovery"]) if name in entry.causes else None for name in names],
        average=_units(standing.aggregate["value"]),
        worst=_units(standing.worst["value"]),
        worst_cause=names.index(standing.worst_cause),
        token_factor=entry.token_factor and round(entry.token_factor, 1),
        state=entry.state,
        rerun=entry.rerun["public"],
        replicates=len(entry.runs),
    )


def _estimate(value: Value | None) -> list[int] | int:
    return [_units(value[end]) for end in ("value", "low", "high")] if value else 0


def _units(value: float) -> int:
    return round(UNITS_PER_ONE * value)
