"""All entries as one flat table: CSV, JSON and Parquet."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import Value
from ilp_bench.leaderboard.formatting import escape_formula
from ilp_bench.leaderboard.ranking import Group, Standing

ENDS = ("value", "low", "high")
NUMBERS = (*ENDS, "treated", "control", "learned", "base", "vanilla", "submission")  # last words of columns of numbers


def write_downloads(site: Path, groups: list[Group]) -> None:
    """Write ``downloads/entries.{csv,json,parquet}``: a row for each entry, best first within its group."""
    rows, folder = [_row(group, standing) for group in groups for standing in group.standings], site / "downloads"
    folder.mkdir()
    (folder / "entries.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = io.StringIO()
    if rows:
        sheet = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        sheet.writeheader()
        sheet.writerows({column: escape_formula(value) for column, value in row.items()} for row in rows)
    (folder / "entries.csv").write_text(text.getvalue(), encoding="utf-8")
    pq.write_table(pa.table(_columns(rows)), folder / "entries.parquet", compression="zstd")


def _row(group: Group, standing: Standing) -> dict[str, Any]:
    entry = standing.entry
    row: dict[str, Any] = {"run_id": entry.run_id, "org": entry.org, "model": entry.model, "base": entry.base}
    row |= {"base_sha256": entry.base_sha, "division": entry.division, "recipe": entry.recipe, "group": group.slug}
    row |= {"data_size": entry.data[0].size, "data_seeds": " ".join(str(data.seed) for data in entry.data)}
    row |= {"replicates": len(entry.runs), "state": entry.state, "rank": standing.rank, "rank_shared": standing.shared}
    row |= _estimate("overall", entry.overall) | _estimate("behind_first", standing.behind)
    for cause in CAUSES.names():
        row |= _cause(cause, entry.causes.get(cause))
    row |= {"average_learned": entry.scores["aggregate"]["submission"], "worst_cause": standing.worst_cause}
    row |= {"worst_cause_learned": standing.worst["value"], "regressions": entry.lost}
    row |= {f"retention_{role}": entry.scores["retention"].get(role) for role in ("base", "vanilla", "submission")}
    row |= {"tokens": entry.tokens, "vanilla_tokens": entry.vanilla_tokens, "scorer": entry.scores["scorer_version"]}
    return row | {"rerun_public": entry.rerun["public"], "rerun_unseen": entry.rerun["unseen"], "page": entry.page}


def _cause(name: str, score: dict[str, Any] | None) -> dict[str, Any]:
    recovery = score["recovery"] if score else None
    status = "missing" if score is None else "scored" if recovery else "not expressed"
    columns = {f"{name}_status": status} | _estimate(name, recovery)
    for role in ("vanilla", "submission"):
        columns |= {f"{name}_{role}_{arm}": score[role][arm] if score else None for arm in ("treated", "control")}
    return columns


def _estimate(name: str, estimate: Value | None) -> dict[str, Any]:
    return {f"{name}_{end}": estimate[end] if estimate else None for end in ENDS}


def _columns(rows: list[dict[str, Any]]) -> dict[str, pa.Array]:
    """Columns by name, with a type also where every value is missing: numbers for names that end like one."""
    columns = {}
    for name in rows[0] if rows else []:
        values = pa.array([row[name] for row in rows])
        columns[name] = values.cast(_type_of(name)) if values.type == pa.null() else values
    return columns


def _type_of(column: str) -> pa.DataType:
    if column != "base" and column.rsplit("_", 1)[-1] in NUMBERS:
        return pa.float64()
    return pa.int64() if "token" in column or column == "rank" else pa.string()
