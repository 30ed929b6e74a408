"""One word for one thing: in the site's templates, in what commands print, and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OLD = {DOCS / "results-dataset-2.md", ROOT / "ilp_bench/cli/score_table.py"}  # speak of dataset 2, an archive
TEXTS = [
    ROOT / "README.md",
    *(page for page in DOCS.glob("*.md") if page not in OLD),
    *(page for page in (ROOT / "leaderboard/templates").rglob("*.html") if "archive" not in page.name),
    *(module for module in (ROOT / "ilp_bench/cli").glob("*.py") if module not in OLD),
]
INSTEAD = {
    r"(?<!['\"_.])\baggregate\b(?!['\"_])": "average",
    r"\boverall (?:score|recovery|learned)\b": "H",
    r"\blost items\b|\bregressions\b": "items that were lost",
    r"\bknown facts reproduced\b|\bfacts outside the training set\b": "held-out fact retention",
    r"\bwordings?\b": "prompt, or prompt template",
    r"\bexamples shown\b": "few-shot exemplars",
    r"\bend to end rows\b|\brows laid end to end\b": "packing",
    r"\bstraw man\b": "what it is",
    r"\b1 (?:submissions|entries|problems|threads)\b": "the singular",
}


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_one_word_for_one_thing(text: Path) -> None:
    content = text.read_text()
    for pattern, word in INSTEAD.items():
        match = re.search(pattern, content, re.IGNORECASE)
        assert match is None, f"{text.name}: say {word}, not {match and match.group()!r}"


def test_the_glossary_is_sorted_and_says_what_the_commands_say() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert [word.lower() for word in words] == sorted(word.lower() for word in words)
    assert {"pair", "arm", "dose", "stage", "replicate", "active pair", "vanilla", "division", "gap", "G", "H"} <= {
        *words
    }
