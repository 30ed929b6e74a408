import re
from collections import Counter

import pytest

from ilp_bench.data.dataset import make
from ilp_bench.data.facts import RELATIONS, RULED, demonstrations, facts, lookup, pool, subjects, unreserved
from ilp_bench.data.facts.build import TABLE, table
from ilp_bench.data.facts.contested import CONTESTED


def test_the_committed_table_is_what_the_script_builds() -> None:
    import pyarrow.parquet as pq

    committed, rebuilt = pq.read_table(TABLE), table()
    assert committed.to_pylist() == rebuilt.to_pylist()
    assert b"licence" in committed.schema.metadata[b"sources"]


def test_there_are_many_real_facts_and_each_has_one_answer() -> None:
    assert sum(map(len, facts().values())) >= 1500
    assert len(facts()) >= 8
    for rows in facts().values():
        assert len({fact.subject for fact in rows}) == len(rows)


@pytest.mark.parametrize(
    ("relation", "subject", "answer"),
    [("capital", "France", "Paris"), ("element_symbol", "Gold", "Au"), ("home_country", "Osaka", "Japan")],
)
def test_facts_one_can_check(relation: str, subject: str, answer: str) -> None:
    assert lookup(relation)[subject] == answer


def test_demonstrations_are_never_free() -> None:
    for name, relation in RELATIONS.items():
        if relation.subjects in RULED:
            continue
        names = subjects(relation.subjects) if relation.assigned else tuple(lookup(name))
        assert not set(unreserved(name, names)) & set(demonstrations(name))
        assert len(demonstrations(name)) >= 4


ANSWERS = {
    "continent": "Africa|Asia|Europe|North America|South America|Oceania",
    "calling_code": r"\d{1,3}",
    "internet_domain": r"\.[a-z]{2}",
    "element_symbol": "[A-Z][a-z]?",
    "element_number": r"\d{1,3}",
    "state_abbreviation": "[A-Z]{2}",
    "language_code": "[a-z]{2}",
    "currency_code": "[A-Z]{3}",
    "emblem": "[a-z]+",
    "keyword": "[a-z]+",
    "full_grade": "[a-z]+ [a-z]+",
}
NAME = "[A-Z][A-Za-z' .-]+"


def test_every_pool_holds_answers_of_its_kind_and_enough_of_them() -> None:
    """What an answer looks like is written here, not read from the table that the pools are made of."""
    for name, relation in RELATIONS.items():
        if relation.subjects in RULED and name not in ("grade", "full_grade"):
            continue
        answers = pool(relation.answers)
        assert len(set(answers)) == len(answers) >= 6, name
        assert [answer for answer in answers if not re.fullmatch(ANSWERS.get(relation.answers, NAME), answer)] == []


def test_smaller_cities_lie_in_countries_that_are_answers() -> None:
    assert {fact.answer for fact in facts()["home_country_more"]} <= set(pool("country"))


def test_core_asks_for_no_contested_fact_and_no_country_dominates() -> None:
    assert ("language", "South Africa") in CONTESTED
    rows = [row for row in make("core", 0).items.to_pylist() if row["probe"] in ("recall", "retention")]
    homes = lookup("home_country") | lookup("home_country_more")
    for row in rows:
        subject, relation = row["question"].split(" of ")[-1].rstrip("?."), row["relation"].removesuffix("_hop2")
        real = row["cause"] is None or (row["cause"], row["arm"]) == ("knowledge_gap", "control")
        if real or row["prior_answer"]:
            assert (relation, subject) not in CONTESTED
            assert (relation, homes.get(subject)) not in CONTESTED
    answers = Counter(row["answer"] for row in rows if row["cause"] == "knowledge_gap")
    assert answers.most_common(1)[0][1] < 0.05 * answers.total()
