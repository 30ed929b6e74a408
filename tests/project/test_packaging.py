"""What a package index, a citation tool and a build are told is right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ilp_bench import __version__
from ilp_bench.data.card import URL

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
TARGETS: dict[str, Any] = PROJECT["tool"]["hatch"]["build"]["targets"]
# The options of a build target that hatchling reads, those of other builders left out.
OPTIONS = {
    "artifacts",
    "bypass-selection",
    "core-metadata-version",
    "dev-mode-dirs",
    "exclude",
    "force-include",
    "ignore-vcs",
    "include",
    "only-include",
    "only-packages",
    "packages",
    "skip-excluded-dirs",
    "sources",
}


@pytest.mark.parametrize("target", TARGETS)
def test_the_build_tool_reads_every_option_of_a_target(target: str) -> None:
    assert not set(TARGETS[target]) - OPTIONS  # an unknown option is ignored without a word


def test_the_wheel_holds_one_package() -> None:
    assert TARGETS["wheel"]["packages"] == ["ilp_bench"]


@pytest.mark.parametrize("name", TARGETS["sdist"]["include"])
def test_what_the_source_distribution_includes_exists(name: str) -> None:
    assert (ROOT / name).exists()


def test_links_lead_to_the_repository_of_the_dataset_card() -> None:
    urls = PROJECT["project"]["urls"]
    assert {name for name, url in urls.items() if not url.startswith(URL)} == {"Paper"}
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= set(urls)
    for url in urls.values():  # a link to a file of the repository leads to one that exists
        if "/blob/main/" in url:
            assert (ROOT / url.split("/blob/main/")[1]).is_file()


def test_the_oldest_python_is_the_one_that_is_required() -> None:
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"
    assert named == sorted(named, key=lambda version: int(version.split(".")[1]))


def test_the_citation_names_this_version_and_all_authors_of_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["repository-code"] == URL
    assert citation["license"] == PROJECT["project"]["license"]
    assert [author["name"] for author in citation["authors"]] == [PROJECT["project"]["authors"][0]["name"]]
    (paper,) = citation["references"]
    names = "Xue Wang Liu Liang Han Liu Wu Lu Jiang Lu Shi Liang Peng Salim".split()
    assert [author["family-names"] for author in paper["authors"]] == names
    assert (paper["start"], paper["end"]) == (30186, 30213)


def test_the_changelog_states_one_outcome_a_line() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert set(sections) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[0] == "[Unreleased]"
    body = text.split("## [Unreleased]")[1]
    for line in filter(None, body.splitlines()):
        assert line.startswith(("### ", "- ")), line
        assert len(line) <= 100
        assert line.startswith("#") or line.endswith("."), line
