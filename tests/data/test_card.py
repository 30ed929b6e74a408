"""The citation in the dataset card is the one in CITATION.cff."""

import re
from pathlib import Path

import yaml

from ilp_bench.data.card import CITE

CITATION = Path(__file__).parents[2] / "CITATION.cff"


def field(name: str) -> str:
    value = re.search(rf"^  {name} = {{(.*?)}},?$", CITE, re.M | re.S)
    assert value
    return " ".join(value[1].split())


def test_the_card_cites_the_authors_of_the_paper_and_where_it_appeared() -> None:
    paper = yaml.safe_load(CITATION.read_text())["references"][0]
    names = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    assert [name.split(",")[0] for name in names[:4]] == ["Xue", "Wang", "Liu", "Liang"]
    assert field("author").split(" and ") == names
    assert field("title") == paper["title"]
    assert field("booktitle") == paper["collection-title"]
    assert field("pages") == f"{paper['start']}--{paper['end']}"
    assert field("url") == paper["url"]
    assert field("note") == paper["identifiers"][0]["value"]
