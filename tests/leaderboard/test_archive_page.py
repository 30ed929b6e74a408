"""The archive of dataset 2: shown, linked, and in no count, rank or download of version 3."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ilp_bench.leaderboard.site import render
from ilp_bench.submission.decisions import read_decisions

COMMITTED = Path(__file__).parents[2] / "submissions"


@pytest.fixture(scope="module")
def folders() -> list[Path]:
    """Three committed entries: one that stands, one withdrawn, one on a base model where causes were not expressed."""
    decisions = read_decisions(COMMITTED)
    entries = sorted(file.parent for file in COMMITTED.glob("*/*/submission.json"))
    withdrawn = next(folder for folder in entries if decisions.is_withdrawn(folder.name))
    stands = next(
        folder
        for folder in entries
        if not decisions.is_withdrawn(folder.name) and folder.parent.name.startswith("ilp-bench__nano-mini-combined")
    )
    small = next(folder for folder in entries if "smollm2-135m-mini" in folder.parent.name)
    return [stands, withdrawn, small]


@pytest.fixture(scope="module")
def site(folders: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive")
    for folder in folders:
        shutil.copytree(folder, root / "submissions" / folder.parent.name / folder.name)
    shutil.copyfile(COMMITTED / "decisions.jsonl", root / "submissions" / "decisions.jsonl")
    assert render(root / "submissions", root / "site") == 3
    return root / "site"


def test_the_page_shows_every_entry_with_its_numbers_and_decision(site: Path, folders: list[Path]) -> None:
    page = (site / "archive.html").read_text()
    rows = page.split("<tr")
    assert "Its 3 entries stay valid" in page
    for folder in folders:
        submission = json.loads((folder / "submission.json").read_text())
        (row,) = [row for row in rows if f"{folder.parent.name}__{folder.name}.html" in row]
        for score in submission["scores"]["causes"]:
            shown = f"{score['recovery']['value']:.2f}" if score["recovery"] else "not expressed"
            assert shown.lstrip("-") in row
        if overall := submission["scores"]["overall"]:
            assert f"{overall['value']:.2f}" in row
    (withdrawn,) = [row for row in rows if folders[1].name in row]
    assert "withdrawn" in withdrawn
    assert read_decisions(COMMITTED).last[folders[1].name].reason in withdrawn


def test_entries_keep_their_addresses_and_say_what_they_are(site: Path, folders: list[Path]) -> None:
    for folder in folders:
        page = (site / "runs" / f"{folder.parent.name}__{folder.name}.html").read_text()
        assert "not ranked with anything on dataset 3" in page
        assert 'href="../archive.html"' in page
        assert "Nobody ran the weights again" in page


def test_nothing_else_counts_ranks_or_shows_them(site: Path, folders: list[Path]) -> None:
    front = (site / "index.html").read_text()
    assert "No entry on dataset 3 yet" in front
    assert "3 entries on dataset 2" in front
    assert json.loads((site / "downloads" / "entries.json").read_text()) == []
    assert not (site / "standings").exists()
    shown = [file for file in site.rglob("*.html") if file.name != "archive.html" and file.parent.name != "runs"]
    for file in [*shown, site / "feed.xml"]:
        assert not any(folder.name in file.read_text() for folder in folders), file


def test_a_successor_that_a_reason_names_is_linked(tmp_path: Path) -> None:
    last = read_decisions(COMMITTED).last
    run_id, successor = next(
        (run_id, named[1])
        for run_id, decision in last.items()
        if (named := re.search(r"superseded by (\w{16})", decision.reason)) and "smollm2" not in decision.entry
    )
    for name in (run_id, successor):
        folder = next(COMMITTED.glob(f"*/{name}"))
        shutil.copytree(folder, tmp_path / "submissions" / folder.parent.name / name)
    shutil.copyfile(COMMITTED / "decisions.jsonl", tmp_path / "submissions" / "decisions.jsonl")
    render(tmp_path / "submissions", tmp_path / "site")
    archive = (tmp_path / "site" / "archive.html").read_text()
    (page,) = re.findall(rf'superseded by <a href="\./([^"]+)">{successor}</a>', archive)
    assert (tmp_path / "site" / page).is_file()
    entry = next((tmp_path / "site" / "runs").glob(f"*{run_id}.html")).read_text()
    assert f'superseded by <a href="../{page}">' in entry
