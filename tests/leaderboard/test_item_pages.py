"""An entry item by item: figures are those of its samples, and only the entries of the front page have such a page."""

import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ilp_bench.data.dataset import make
from ilp_bench.leaderboard import build_cache, item_pages
from ilp_bench.leaderboard.item_pages import entry_items
from ilp_bench.leaderboard.site import render
from ilp_bench.submission.format import Submission, read_submission

ENTRY = "made-up__sample-1b-auto-1x"


def test_figures_are_those_of_the_samples(board_submissions: Path) -> None:
    folder = next((board_submissions / ENTRY).glob("*/submission.json")).parent
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    seed, causes = entry_items(folder, submission)
    assert seed == 0
    rows = causes[0].rows
    assert causes[0].cause == "knowledge_gap"
    reproduced = [row.p["reproduction"]["treated"][1] for row in rows]
    assert reproduced == sorted(reproduced), "the least reproduced first"
    asked = {item["question"]: item["item_id"] for item in make("mini", 0).items.to_pylist() if item["cause"]}
    samples = pq.read_table(folder / "samples.parquet")
    for row in (rows[0], rows[-1]):
        for arm in ("treated", "control"):
            own = pc.and_(pc.equal(samples["replicate"], 0), pc.equal(samples["item_id"], asked[row.arms[arm][0]]))
            for kind, probe in (("reproduction", "recall"), ("internalisation", "paraphrase")):
                for place, role in enumerate(("vanilla", "submission")):
                    mask = pc.and_(own, pc.and_(pc.equal(samples["role"], role), pc.equal(samples["probe"], probe)))
                    expected = np.exp(samples["logprob"].to_numpy()[mask.to_numpy()]).mean()
                    assert row.p[kind][arm][place] == pytest.approx(expected)


def test_pages_of_entries_lead_to_their_items(board_site: Path) -> None:
    page = next((board_site / "runs").glob("*sample-1b-auto-1x*.html"))
    links = re.findall(r'href="\.\./(items/[^"#]+)(?:#(\w+))?"', page.read_text())
    assert {anchor for _, anchor in links} >= {"", "knowledge_gap", "rare_patterns"}
    items = (board_site / links[0][0]).read_text()
    assert 'id="rare_patterns"' in items
    assert f'href="../runs/{page.name}"' in items
    withdrawn = next((board_site / "runs").glob("*sample-1b-group-only-1x*.html"))
    assert "../items/" not in withdrawn.read_text()
    assert not (board_site / "items" / withdrawn.name).exists()


def test_only_the_first_entries_and_pairs_are_shown(
    board_submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("auto", "vanilla"):
        source = board_submissions / f"made-up__sample-1b-{name}-1x"
        shutil.copytree(source, tmp_path / "submissions" / source.name)
    monkeypatch.setattr(build_cache, "ITEM_PAGES", 1)
    monkeypatch.setattr(item_pages, "MOST_PAIRS", 3)
    render(tmp_path / "submissions", tmp_path / "site")
    [page] = (tmp_path / "site" / "items").iterdir()
    assert "auto" in page.name
    assert "<caption>3 of 40 pairs</caption>" in page.read_text()
    other = next((tmp_path / "site" / "runs").glob("*vanilla*.html"))
    assert "../items/" not in other.read_text()
