import json
import random
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ilp_bench.core.errors import UsageError
from ilp_bench.data.corpus import taught
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.facts import NANO_SYNONYMS
from ilp_bench.training.replay_corpus import held_out_facts, known_fact_texts, replay_texts

TEXTS = ["The sea is salt.", "", "Bread is made of flour.", "A week has seven days."]


@pytest.mark.parametrize("kind", ["txt", "jsonl", "parquet"])
def test_text_of_the_users_own_is_read_again_until_there_is_enough(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"general.{kind}"
    if kind == "txt":
        file.write_text("\n".join(TEXTS))
    elif kind == "jsonl":
        file.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    else:
        pq.write_table(pa.table({"text": TEXTS}), file)
    some = replay_texts(str(file))
    assert some is not None
    known = [text for text in TEXTS if text]
    assert some(20) == [known[0], known[1][:4]]
    assert some(150)[:6] == known * 2
    assert sum(map(len, some(150))) == 150
    assert some(0) == []


def test_a_line_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "some.jsonl").write_text('{"text": "The sea is salt."}\n{"text": "Bread\n')
    some = replay_texts(str(tmp_path / "some.jsonl"))
    assert some is not None
    assert len(some(10)) == 1
    with pytest.raises(UsageError, match="line 2"):
        some(100)


def test_one_long_text_is_not_more_than_was_wanted(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("It was a dark and stormy night. " * 10_000)
    some = replay_texts(str(tmp_path / "book.txt"))
    assert some is not None
    (text,) = some(1000)
    assert len(text) == 1000


def test_without_a_source_known_facts_are_spoken_of() -> None:
    assert replay_texts(None) is None
    found = known_fact_texts(random.Random(0))(5000)
    assert sum(map(len, found)) >= 5000
    assert len(set(found)) == len(found)


def test_what_retention_is_measured_on_is_not_spoken_of(mini: Dataset) -> None:
    held = held_out_facts(mini)
    facts = [fact for fact in taught() if (fact.relation, fact.subject) in held]
    assert len(facts) == len(held) == 100

    def told(texts: list[str]) -> int:
        """Facts whose noun, subject and answer stand in one line."""
        lines = {line for text in texts for line in text.splitlines()}
        return sum(
            any(
                fact.answer in line and re.search(rf"(?<!South )\b{fact.subject}\b", line) and re.search(noun, line)
                for line in lines
            )
            for fact, noun in zip(facts, [f"{fact.noun}|{NANO_SYNONYMS[fact.noun]}" for fact in facts], strict=True)
        )

    assert told(known_fact_texts(random.Random(0))(300_000)) > 30
    assert told(known_fact_texts(random.Random(0), held)(300_000)) == 0


def test_what_is_no_text_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "other.jsonl").write_text('{"words": "x"}\n')
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name, reason in (("empty.txt", "no text"), ("other.jsonl", "'text'"), ("broken.parquet", "cannot be read")):
        with pytest.raises(UsageError, match=reason):
            replay_texts(str(tmp_path / name))
    with pytest.raises(UsageError, match="Hub dataset"):
        replay_texts(str(tmp_path / "none.txt"))
