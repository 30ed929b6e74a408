"""All entries of version 3 as one flat table, CSV and JSON: what the tables of the site show."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.entry import CauseResult
from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.leaderboard.formatting import escape_formula
from ilp_bench.leaderboard.ranking import BaseModel, Group, Standing


def write_downloads(site: Path, models: list[BaseModel]) -> None:
    """Write ``downloads/entries.csv`` and ``.json``: a row for each entry, best first within its group."""
    folder = site / "downloads"
    folder.mkdir()
    rows = [
        _row(model, group, standing)
        for model in models
        for group in model.groups
        for standing in [*group.standings, *(Standing(entry, None, False, None) for entry in group.withdrawn)]
    ]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)  # an indent would take the slow encoder
    (folder / "entries.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    text = io.StringIO()
    if rows:
        sheet = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        sheet.writeheader()
        sheet.writerows({column: escape_formula(value) for column, value in row.items()} for row in rows)
    (folder / "entries.csv").write_text(text.getvalue(), encoding="utf-8")


def _row(model: BaseModel, group: Group, standing: Standing) -> dict[str, Any]:
    entry = standing.entry
    row: dict[str, Any] = {"run_id": entry.run_id, "org": entry.org, "model": entry.model, "base": entry.base}
    row |= {"base_sha256": entry.base_sha, "parameters": entry.parameters, "division": entry.division}
    row |= {"group": group.slug, "recipe": entry.recipe, "lora_rank": entry.lora, "data_size": model.size}
    row |= {"data_version": model.version, "data_seeds": " ".join(str(data.seed) for data in entry.data)}
    row |= {"replicates": entry.replicates, "state": entry.state, "rank": standing.rank}
    row |= {
        "rank_shared": standing.shared,
        "not_ranked_because": "; ".join(reason.text for reason in entry.not_ranked_because),
    }
    row |= {"intervals": entry.interval_kind, "reference": entry.reference}
    for kind, result in entry.results.items():
        row |= _estimate(f"{kind}_h", result.share)
        row |= {f"{kind}_causes_counted": len(result.counted)}
        for cause in CAUSES.names():
            row |= _cause(f"{kind}_{cause}", result.causes.get(cause))
    row |= {f"retention_{role}": entry.retention.get(role) for role in ("base", "vanilla", "submission")}
    row |= {"budget_supervised_tokens": entry.budget, "tokens": entry.tokens, "training_seconds": entry.seconds}
    row |= {"date": entry.date, "rerun_public": entry.rerun["public"], "rerun_unseen": entry.rerun["unseen"]}
    return row | {"page": entry.page}


def _cause(name: str, cause: CauseResult | None) -> dict[str, Any]:
    """Columns of one cause: G with its interval, whether it counts, and p of either arm under vanilla and the entry."""
    columns = _estimate(f"{name}_g", cause.points if cause else None) | {
        f"{name}_counted": bool(cause and cause.counted)
    }
    for role in ("vanilla", "submission"):
        arms = getattr(cause, role) if cause else None
        columns |= {f"{name}_{role}_{arm}": getattr(arms, arm) if arms else None for arm in ("treated", "control")}
    return columns


def _estimate(name: str, estimate: Estimate | None) -> dict[str, Any]:
    return {f"{name}_{end}": getattr(estimate, end) if estimate else None for end in Estimate._fields}
