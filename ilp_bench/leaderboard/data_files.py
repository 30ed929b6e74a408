"""Data files: scripts that hand data to a page, because a page opened from a disk may load scripts, but not JSON."""

from __future__ import annotations

import json
from typing import Any

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import Entry, KindResult
from ilp_bench.leaderboard.ranking import BaseModel
from ilp_bench.scoring.run_intervals import t_quantile

MOST_FREEDOM = 30  # degrees of freedom, up to which a quantile of t is handed over


def write_data(name: str, data: dict[str, Any]) -> str:
    """The text of a data file: a call of the function ``ilp`` with the name and the data."""
    plain = json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    return f"ilp({json.dumps(name)},\n{plain}\n)\n"


def read_data(text: str) -> dict[str, Any]:
    """The data of a data file."""
    data: dict[str, Any] = json.loads(text.split("\n", 2)[1])
    return data


def comparison_data(model: BaseModel) -> dict[str, Any]:
    """What the comparison page needs of one base model: its entries with their estimates, and quantiles of t."""
    return {
        "title": model.title,
        "titles": {cause.name: cause.short_title for cause in CAUSES},
        "quantiles": [t_quantile(freedom) for freedom in range(1, MOST_FREEDOM + 1)],
        "entries": [_entry(entry) for entry in model.entries],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    """An entry: estimates as [value, low, high], ``by_dataset`` from data seed to value, arms as [treated, control]."""
    return {
        "name": f"{entry.title} ({entry.division})",
        "slug": entry.slug,
        "kinds": {kind: _kind(result) for kind, result in entry.results.items()},
    }


def _kind(result: KindResult) -> dict[str, Any]:
    return {
        "share": {"estimate": result.share, "by_dataset": result.by_dataset},
        "counted": result.counted,
        "causes": {
            name: {"estimate": cause.points, "by_dataset": cause.by_dataset, "arms": cause.submission}
            for name, cause in result.causes.items()
        },
    }
