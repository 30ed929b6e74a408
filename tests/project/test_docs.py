"""The documentation holds together: navigation, links, line lengths, and the form of decisions."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ilp_bench.data.card import URL

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
AT_ROOT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))
GENERATED = {"data-audit.md"}  # written by a command as a whole
LINK = re.compile(r"\]\(([^)\s]+)\)")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def in_navigation(entry: Any) -> Iterator[str]:
    """The pages of an entry of the navigation, nested ones too."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for below in entry.values():
            yield from in_navigation(below)
    else:
        for below in entry:
            yield from in_navigation(below)


def test_every_page_is_in_the_navigation_once() -> None:
    nav = list(in_navigation(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]))
    pages = [page.relative_to(DOCS).as_posix() for page in PAGES]
    assert sorted(nav) == sorted(pages), "pages and the navigation in zensical.toml differ"


@pytest.mark.parametrize("page", [*PAGES, *AT_ROOT], ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        target = link.split("#")[0]
        if target.startswith(f"{URL}/"):
            kind, *path = target.removeprefix(f"{URL}/").split("/")
            if kind in ("blob", "tree"):
                found = ROOT.joinpath(*path[1:])
                assert found.is_file() if kind == "blob" else found.is_dir(), link
        elif target and not target.startswith(("https://", "http://", "mailto:")):
            assert (page.parent / target).exists(), link
            if page.is_relative_to(DOCS):  # the site has no file outside docs/
                assert (page.parent / target).resolve().is_relative_to(DOCS), link


@pytest.mark.parametrize("page", [*PAGES, *AT_ROOT], ids=named)
def test_paths_and_modules_exist(page: Path) -> None:
    text = page.read_text()
    paths = re.findall(r"(?<![\w./-])((?:ilp_bench|tests|scripts|benchmarks)/[\w./-]*\w)", text)
    modules = re.findall(r"python -m (ilp_bench[\w.]*)", text)
    for path in [*paths, *(f"{module.replace('.', '/')}" for module in modules)]:
        assert (ROOT / path).exists() or (ROOT / f"{path}.py").is_file(), path


@pytest.mark.parametrize("page", [*PAGES, *AT_ROOT], ids=named)
def test_lines_fit_into_100_columns(page: Path) -> None:
    if page.name in GENERATED:
        return
    text = re.sub(r"<!-- [^>]*made by .*?<!-- end of.*?-->", "", page.read_text(), flags=re.DOTALL)
    for number, line in enumerate(text.splitlines(), start=1):
        whole = line.startswith(("|", "![")) or re.fullmatch(r"\s*(- )?\[?\S+", line)  # a table row, a single link
        assert whole or len(line) <= 100, f"line {number}: {line}"


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_when_why_and_what_follows(page: Path) -> None:
    text = page.read_text()
    assert re.match(rf"# {page.stem[:4]}\. \S", text)
    assert re.search(r"^- Date: 2\d{3}-\d\d-\d\d", text, re.MULTILINE)
    assert re.search(r"^- Status: (accepted|replaced by \[)", text, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert set(headings) - {"What was tried", "Alternatives"} == {"Context", "Decision", "Consequences"}
    assert len(headings) > 3
    assert f"({page.name})" in (DOCS / "decisions" / "index.md").read_text()


def test_decisions_are_numbered_without_gap() -> None:
    assert [page.stem[:4] for page in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


@pytest.mark.slow
def test_the_site_builds_strictly_and_asks_nobody_else(tmp_path: Path) -> None:
    """Makes an environment of its own from the package index, as scripts/environment does."""
    done = subprocess.run([ROOT / "scripts" / "docs", tmp_path / "site"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert {page.relative_to(tmp_path / "site").with_suffix(".md").as_posix() for page in pages} >= {
        page.relative_to(DOCS).as_posix() for page in PAGES
    }
    for page in pages:
        loaded = re.findall(r"<(?:script|img|link)[^>]*?(?:src|href)=\"?(https?://[^\"\s>]+)", page.read_text())
        assert loaded == [], page.name
