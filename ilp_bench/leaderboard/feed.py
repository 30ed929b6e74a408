"""News as RSS 2.0: decisions with their dates, newest first, then entries that none is about."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from ilp_bench.leaderboard.entry import Entry
from ilp_bench.leaderboard.formatting import format_estimate
from ilp_bench.leaderboard.ranking import Group
from ilp_bench.submission.decisions import Decision

MOST_ITEMS = 200


class Item(NamedTuple):
    """One piece of news; ``date`` is an ISO date, or None where there is none."""

    title: str
    link: str
    description: str
    guid: str
    date: str | None = None

    def xml(self) -> str:
        """The element of the feed."""
        date = f"<pubDate>{_rfc_date(self.date)}</pubDate>" if self.date else ""
        return (
            f"<item><title>{escape(self.title)}</title><link>{escape(self.link)}</link>"
            f"<description>{escape(self.description)}</description>"
            f'<guid isPermaLink="false">{escape(self.guid)}</guid>{date}</item>'
        )


def write_feed(site: Path, groups: list[Group], decisions: list[Decision], url: str) -> None:
    """Write ``feed.xml``; ``url`` is where the site will stand, or empty for links relative to the feed."""
    entries = {standing.entry.run_id: standing.entry for group in groups for standing in group.standings}
    prefix = f"{url}/" if url else ""
    decided = {decision.run_id for decision in decisions}
    items = [_decision_item(decision, entries.get(decision.run_id), prefix) for decision in reversed(decisions)]
    items += [_entry_item(entries[run_id], prefix) for run_id in sorted(entries.keys() - decided)[:MOST_ITEMS]]
    head = ['<?xml version="1.0" encoding="utf-8"?>', '<rss version="2.0"><channel>', "<title>ILP-Bench</title>"]
    head += [f"<link>{escape(url or 'index.html')}</link>", "<description>Submissions and decisions</description>"]
    lines = [*head, *(item.xml() for item in items[:MOST_ITEMS]), "</channel></rss>", ""]
    (site / "feed.xml").write_text("\n".join(lines), encoding="utf-8")


def _decision_item(decision: Decision, entry: Entry | None, prefix: str) -> Item:
    title = f"{decision.decision}: {entry.title if entry else decision.run_id}"
    link = prefix + (entry.page if entry else "changes.html")
    guid = f"urn:ilp-bench:{decision.run_id}:{decision.decision}:{decision.date}"
    return Item(title, link, str(decision.reason), guid, str(decision.date))


def _entry_item(entry: Entry, prefix: str) -> Item:
    overall = format_estimate(entry.overall, "undefined")
    description = f"Overall recovery {overall} on {entry.base}, {entry.division} division."
    return Item(entry.title, prefix + entry.page, description, f"urn:ilp-bench:{entry.run_id}")


def _rfc_date(date: str) -> str:
    return format_datetime(datetime.fromisoformat(date).replace(tzinfo=UTC))
