"""``index.html``: the report as one page that needs no other file and no network."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from ilp_bench.core.site_files import leaderboard_path
from ilp_bench.data.causes import CAUSES
from ilp_bench.diagnosis.report.next_rows import KEPT, Edit
from ilp_bench.diagnosis.report.record import UNEXPLAINED, Report
from ilp_bench.diagnosis.report.words import (
    STATED,
    change_text,
    curve_text,
    headline,
    long_text,
    next_commands,
    percent,
    verdict,
    what_next,
)
from ilp_bench.diagnosis.rows import RowResult

WORST = 300  # rows on the page
DOUBTFUL, UNLIKELY = 0.5, 0.1  # probabilities of a token below which it is tinted
MEASURES = {"p": "p of the answer", "tokens": "of its tokens", "verdict": "of your tries"}
FONT = re.compile(r"@font-face \{[^}]*\}\n?")


class Piece(NamedTuple):
    """A token of an answer: its text, its probability, and the class it is tinted by."""

    text: str
    p: float
    style: str


def piece(text: str, logprob: float) -> Piece:
    """A token as it is shown."""
    p = math.exp(min(0.0, logprob))
    return Piece(text, p, "t0" if p < UNLIKELY else "t1" if p < DOUBTFUL else "t2")


def worst_rows(results: Sequence[RowResult]) -> list[RowResult]:
    """The rows that are shown, the least reproduced first."""
    return sorted(results, key=lambda each: (each.learned, each.value))[:WORST]


def page(
    report: Report,
    results: Sequence[RowResult],
    pieces: Mapping[str, Sequence[Piece]],
    edits: Sequence[Edit],
    out: Path,
) -> str:
    """The page as text.

    pieces   item -> tokens of its answer, of rows whose tokens are shown
    edits    what ``next.jsonl`` changes, and what is to be checked
    out      the folder of the report, as commands name it
    """
    folder, changes = leaderboard_path(), [edit for edit in edits if edit.change != KEPT]
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = [
        (folder / "templates" / "report" / name).read_text(encoding="utf-8") for name in ("search.js", "report.css")
    ]
    style = FONT.sub("", (folder / "static" / "style.css").read_text(encoding="utf-8")) + texts[1]
    return templates.get_template("report/index.html").render(
        report=report,
        line=headline(report),
        mistakes=long_text(report),
        verdict=verdict(report),
        change=change_text(report),
        curve=curve_text(report),
        states=Counter(check.state for check in report.checks),
        parts=_parts(results),
        by_id={each.item_id: each for each in results},
        steps=what_next(report),
        has_next=bool(changes),
        changes=changes,
        change_counts=Counter(edit.change for edit in changes),
        commands=next_commands(report, out, has_next=bool(changes)),
        worst=worst_rows(results),
        pieces=pieces,
        measures=MEASURES,
        titles={check.name: check.title for check in report.checks},
        names={cause.name: cause.short_title for cause in CAUSES},
        share=lambda value: percent(value).replace(" ", "\u00a0"),
        style=style,
        script=texts[0],
        script_sha256=base64.b64encode(hashlib.sha256(texts[0].encode()).digest()).decode(),
    )


def _parts(results: Sequence[RowResult]) -> list[dict[str, Any]]:
    """The picture: how many rows became what."""
    counts: Counter[str] = Counter()
    zero = ", ".join(dict.fromkeys(STATED[each.cause_zero] for each in results if each.cause_zero))
    for each in results:
        surest = each.reasons[0].cause if each.reasons else UNEXPLAINED
        counts["learned" if each.learned else "cause 0" if each.cause_zero else surest] += 1
    styles = {"learned": ("learned", "learned"), "cause 0": (zero, "zero-cause")}
    styles |= {cause.name: (cause.short_title, f"cause-{n % 6}") for n, cause in enumerate(CAUSES)}
    styles |= {UNEXPLAINED: ("unexplained", "unexplained")}
    return [
        {"name": name, "style": style, "rows": counts[key], "share": counts[key] / len(results)}
        for key, (name, style) in styles.items()
        if counts[key]
    ]
