"""The whole board as CSV, JSON and Parquet, and the news as RSS."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard.formatting import escape_formula, format_estimate
from ilp_bench.leaderboard.ranking import Group, Standing
from ilp_bench.submission.decisions import Decision

ENDS = ("value", "low", "high")


def rows(grouped: list[Group]) -> list[dict[str, Any]]:
    """One flat row for each entry, best first within its group."""
    return [_row(group, standing) for group in grouped for standing in group.standings]


def _row(group: Group, standing: Standing) -> dict[str, Any]:
    entry = standing.entry
    row: dict[str, Any] = {"run_id": entry.run_id, "org": entry.org, "model": entry.model, "base": entry.base}
    row |= {"base_sha256": entry.base_sha, "division": entry.division, "recipe": entry.recipe, "group": group.slug}
    row |= {"data_size": entry.data[0].size, "data_seeds": " ".join(str(data.seed) for data in entry.data)}
    row |= {"replicates": len(entry.runs), "state": entry.state, "rank": standing.rank, "rank_shared": standing.shared}
    for name, found in (("overall", entry.overall), ("behind_first", standing.behind)):
        row |= {f"{name}_{end}": found[end] if found else None for end in ENDS}
    for name in CAUSES.names():
        cause = entry.causes.get(name)
        value = (cause or {}).get("recovery")
        row[f"{name}_status"] = "missing" if cause is None else "scored" if value else "not expressed"
        row |= {f"{name}_{end}": value[end] if value else None for end in ENDS}
        for who in ("vanilla", "submission"):
            row |= {f"{name}_{who}_{arm}": cause[who][arm] if cause else None for arm in ("treated", "control")}
    row |= {"average_learned": entry.scores["aggregate"]["submission"], "worst_cause": standing.worst_cause}
    row |= {"worst_cause_learned": standing.worst["value"], "regressions": entry.lost}
    row |= {f"retention_{who}": entry.scores["retention"].get(who) for who in ("base", "vanilla", "submission")}
    row |= {"tokens": entry.tokens, "vanilla_tokens": entry.vanilla_tokens, "scorer": entry.scores["scorer_version"]}
    return row | {"rerun_public": entry.rerun["public"], "rerun_unseen": entry.rerun["unseen"], "page": entry.page}


def write(site: Path, grouped: list[Group], decisions: list[Decision], url: str) -> None:
    """Write ``downloads/entries.{csv,json,parquet}`` and ``feed.xml``."""
    found, folder = rows(grouped), site / "downloads"
    folder.mkdir()
    (folder / "entries.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = io.StringIO()
    if found:
        sheet = csv.DictWriter(text, list(found[0]), lineterminator="\n")
        sheet.writeheader()
        sheet.writerows({key: escape_formula(value) for key, value in row.items()} for row in found)
    (folder / "entries.csv").write_text(text.getvalue(), encoding="utf-8")
    pq.write_table(pa.table(_columns(found)), folder / "entries.parquet", compression="zstd")
    (site / "feed.xml").write_text(_feed(grouped, decisions, url), encoding="utf-8")


def _columns(found: list[dict[str, Any]]) -> dict[str, pa.Array]:
    """Columns with a type also where every value is missing: numbers for what ends like one."""
    numbers = ("value", "low", "high", "treated", "control", "learned", "base", "vanilla", "submission")
    columns = {}
    for key in found[0] if found else []:
        values = pa.array([row[key] for row in found])
        if values.type == pa.null():
            number = key.rsplit("_", 1)[-1] in numbers and key != "base"
            values = values.cast(
                pa.float64() if number else pa.int64() if "token" in key or key == "rank" else pa.string()
            )
        columns[key] = values
    return columns


def _feed(grouped: list[Group], decisions: list[Decision], url: str) -> str:
    """RSS 2.0: decisions with their dates, newest first, then entries that none is about."""
    entries = {one.entry.run_id: one.entry for group in grouped for one in group.standings}
    prefix = f"{url}/" if url else ""
    items: list[tuple[str, str, str, str, str | None]] = []
    for one in reversed(decisions):
        entry = entries.get(one.run_id)
        title = f"{one.decision}: {entry.title if entry else one.run_id}"
        link = prefix + (entry.page if entry else "changes.html")
        items.append((title, link, one.reason, f"urn:ilp-bench:{one.run_id}:{one.decision}:{one.date}", one.date))
    decided = {one.run_id for one in decisions}
    for run_id in sorted(entries.keys() - decided)[:200]:
        entry = entries[run_id]
        overall = format_estimate(entry.overall, "undefined")
        about = f"Overall recovery {overall} on {entry.base}, {entry.division} division."
        items.append((entry.title, prefix + entry.page, about, f"urn:ilp-bench:{run_id}", None))
    lines = ['<?xml version="1.0" encoding="utf-8"?>', '<rss version="2.0"><channel>', "<title>ILP-Bench</title>"]
    lines += [f"<link>{escape(url or 'index.html')}</link>", "<description>Submissions and decisions</description>"]
    for title, link, about, guid, date in items[:200]:
        when = f"<pubDate>{_date(date)}</pubDate>" if date else ""
        lines.append(
            f"<item><title>{escape(title)}</title><link>{escape(link)}</link><description>{escape(str(about))}</description>"
            f'<guid isPermaLink="false">{escape(guid)}</guid>{when}</item>'
        )
    return "\n".join([*lines, "</channel></rss>", ""])


def _date(date: str) -> str:
    return format_datetime(datetime.fromisoformat(str(date)).replace(tzinfo=UTC))
