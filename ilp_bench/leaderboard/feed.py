"""News as RSS 2.0: decisions with their dates, newest first, then entries that none is about; of version 3."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from ilp_bench.leaderboard.entry import Entry
from ilp_bench.leaderboard.formatting import format_number, share_ends
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


def write_feed(site: Path, entries: list[Entry], decisions: list[Decision], url: str) -> None:
    """Write ``feed.xml``; ``url`` is where the site will stand, or empty for links relative to the feed.

    ``entries``: all of version 3, withdrawn ones too. Decisions about others are of the archive, and no news.
    """
    by_run = {entry.run_id: entry for entry in entries}
    prefix = f"{url}/" if url else ""
    decided = {decision.run_id for decision in decisions}
    items = [
        _decision_item(decision, by_run[decision.run_id], prefix)
        for decision in reversed(decisions)
        if decision.run_id in by_run
    ]
    items += [_entry_item(by_run[run_id], prefix) for run_id in sorted(by_run.keys() - decided)[:MOST_ITEMS]]
    head = ['<?xml version="1.0" encoding="utf-8"?>', '<rss version="2.0"><channel>', "<title>ILP-Bench</title>"]
    head += [f"<link>{escape(url or 'index.html')}</link>", "<description>Submissions and decisions</description>"]
    lines = [*head, *(item.xml() for item in items[:MOST_ITEMS]), "</channel></rss>", ""]
    (site / "feed.xml").write_text("\n".join(lines), encoding="utf-8")


def _decision_item(decision: Decision, entry: Entry, prefix: str) -> Item:
    guid = f"urn:ilp-bench:{decision.run_id}:{decision.decision}:{decision.date}"
    title = f"{decision.decision}: {entry.title}"
    return Item(title, prefix + entry.page, str(decision.reason), guid, str(decision.date))


def _entry_item(entry: Entry, prefix: str) -> Item:
    share = entry.share()
    closed = f"H {format_number(share.value)} {share_ends(share)}" if share else "No H"
    description = f"{closed} on {entry.base}, division {entry.division}."
    return Item(entry.title, prefix + entry.page, description, f"urn:ilp-bench:{entry.run_id}")


def _rfc_date(date: str) -> str:
    return format_datetime(datetime.fromisoformat(date).replace(tzinfo=UTC))
