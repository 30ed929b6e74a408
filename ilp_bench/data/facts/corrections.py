"""What dataset 3 does not ask about, the form in which people write a name, and which cities are best known.

A layer above ``facts.parquet``, which stays what the sources say and what ``nano`` was taught. Exclusions hold for
every dataset, written forms for core and full. README.md says where each comes from and what was read by eye.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

import pyarrow.parquet as pq

from ilp_bench.data.facts import RELATIONS, country_of_city, lookup, spelling
from ilp_bench.data.facts.contested import CONTESTED

# Read by eye among the 1,500 best-known cities that the rules of ``cities`` leave, and all of ``home_country``.
_OTHER_MEANING = (
    "Acre Ajax Anand Atar Atlantis Azul Baja Blenheim Bol Campana Clearwater Cornwall Coro Darwin Dessie Downey Engels "
    "Frisco Ganja Garland Grays Hayward Hitachi Ica Irving Kawasaki Kaya Korolev Livingstone Lobos Lowell Manas Melo "
    "Merlo Metro Milagro Minna Moca Nokia Ontario Providence Pushkin Reconquista Regina Ruse Salvador Sokolov Swords "
    "Tema Tours Trang Worms Zambezi"
).split()
_PHRASES = (
    "Agua Dulce|Deer Valley|Don Carlos|East London|El Banco|El Negrito|El Sombrero|El Tigre|High Point|Juan Griego|"
    "La Virginia|Lady Frere|Maple Ridge|May Pen|North Bay|Ojo de Agua|Palo Negro|Rio Grande|Spanish Town|St. Thomas|"
    "Sunrise Manor|Usa River|West Jordan|White River"
).split("|")
_NO_CITIES = (
    "Banqiao|Brooklyn|Budta|Camayenne|Dagenham|East Chattanooga|Hounslow|Ilford|Malingao|Manhattan|Minhang|"
    "NIA Valencia|New Cairo|North Peoria|North Stamford|Pudong|Queens|Salah Bey|Staten Island|Tempe Junction|The Bronx"
).split("|")
_SHARED = ("Cuenca", "Dartmouth", "Palmerston")
_CLAIMED = (
    "Abyei|Aghdam|Alchevsk|Antratsyt|Avdiyivka|Bakhmut|Bender|Berbera|Berdyansk|Bryanka|Burao|Ceerigaabo|Ceuta|"
    "Chystyakove|Dovzhansk|Druzhkivka|Dzhankoy|Enerhodar|Feodosiya|Fuzuli|Gilgit|Horlivka|Jammu|Kadiyivka|Kakhovka|"
    "Khartsyzk|Kherson|Khrustalnyi|Kostyantynivka|Kotli|Kramatorsk|Laascaanood|Lysychansk|Makiyivka|Mariupol|Melilla|"
    "Melitopol|Modiin Ilit|Myrnohrad|New Mirpur City|Nova Kakhovka|Rawalakot|Rovenky|Rubizhne|Shakhtarsk|"
    "Siverskodonetsk|Skardu|Slovyansk|Snizhne|Sokolohirsk|Sorokyne|Srinagar|Stantsiya Novyy Afon|Yenakiyeve"
).split("|")
DISPUTED_COUNTRIES = frozenset(("Kosovo", "Palestinian Territories"))
_DEPARTMENTS = ("Guadeloupe", "Martinique")  # of France
_MORE_CONTESTED = (
    ("language", "South Sudan"),  # Swahili as well
    ("capital", "Malaysia"),  # the seat of government is Putrajaya
    ("continent", "Australia"),  # Australia, say others
)
NO_CITY, MEANING, SHARED, DISPUTED, OWN_COUNTRY = REASONS = (
    "district or suburb as a city",
    "name that is better known as something else",
    "name of places in two countries",
    "fact or place that is disputed",
    "country's name in the name",
)
_GROUPS = {
    "no city": NO_CITY,
    "suburb": NO_CITY,
    "its country": OWN_COUNTRY,
    "a place of another": SHARED,
    "a country,": MEANING,
    "an English": MEANING,
    "a common name": MEANING,
}


@lru_cache(maxsize=1)
def _stored() -> tuple[dict[str, object], ...]:
    return tuple(pq.read_table(str(files("ilp_bench.data.facts") / "cities.parquet")).to_pylist())


@lru_cache(maxsize=1)
def _excluded_cities() -> MappingProxyType[str, str]:
    """City to one of ``REASONS``."""
    reasons = {
        str(row["subject"]): next(group for start, group in _GROUPS.items() if str(row["reason"]).startswith(start))
        for row in _stored()
        if row["reason"]
    }
    lists = ((_OTHER_MEANING, MEANING), (_PHRASES, MEANING), (_NO_CITIES, NO_CITY), (_SHARED, SHARED))
    reasons |= {name: reason for names, reason in lists for name in names}
    disputed = {name for relation, name in CONTESTED if relation == "home_country"} | set(_CLAIMED)
    disputed |= {city for city, country in country_of_city().items() if country in DISPUTED_COUNTRIES}
    reasons |= dict.fromkeys(disputed, DISPUTED)
    return MappingProxyType({name: reason for name, reason in reasons.items() if name in country_of_city()})


@lru_cache(maxsize=64)
def why_excluded(relation: str) -> MappingProxyType[str, str]:
    """Subject to one of ``REASONS``, for the subjects that a relation must not be asked about.

    Of a relation about cities, and of an assigned one about any names, these are cities; of one about countries, those
    whose answer is disputed or that are no countries, and, of capitals, those whose name is in the answer or holds it.
    Raises KeyError for an unknown relation.
    """
    kind = RELATIONS[relation].subjects if relation != "home_country_more" else "city"
    if kind in ("city", "any"):
        return _excluded_cities()
    if kind != "country":
        return MappingProxyType({})
    disputed = {subject for name, subject in (*CONTESTED, *_MORE_CONTESTED) if name == relation}
    reasons = dict.fromkeys([*DISPUTED_COUNTRIES, *_DEPARTMENTS, *sorted(disputed)], DISPUTED)
    if relation == "capital":
        told = (subject for subject, answer in lookup(relation).items() if subject in answer or answer in subject)
        reasons |= dict.fromkeys(told, OWN_COUNTRY)
    return MappingProxyType(reasons)


@lru_cache(maxsize=64)
def excluded_subjects(relation: str) -> frozenset[str]:
    """The subjects that a relation must not be asked about, see :func:`why_excluded`."""
    return frozenset(why_excluded(relation))


_WRITTEN: Mapping[str, Mapping[str, str]] = {
    "country": spelling.COUNTRIES,
    "currency": spelling.CURRENCIES,
    "language": spelling.LANGUAGES,
    "city": spelling.CITIES,
    "smaller city": spelling.CITIES,
}
_ALIASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "country": spelling.COUNTRY_ALIASES,
    "currency": spelling.CURRENCY_ALIASES,
    "language": spelling.LANGUAGE_ALIASES,
    "capital": spelling.CAPITAL_ALIASES,
}


def _relation(relation: str) -> tuple[str, str]:
    """(kind of subjects, pool of answers) of a relation. Raises KeyError for an unknown one."""
    known = RELATIONS["home_country" if relation == "home_country_more" else relation]
    return known.subjects, known.answers


def written(relation: str, answer: str) -> str:
    """The answer of the table in the form that people write. Raises KeyError for an unknown relation."""
    return _WRITTEN.get(_relation(relation)[1], {}).get(answer, answer)


def written_subject(relation: str, subject: str, article: bool = False) -> str:
    """The subject of the table in the form that people write, with ``the`` where a sentence has it and it is wanted.

    Raises KeyError for an unknown relation.
    """
    kind = _relation(relation)[0]
    kinds = ("country", "city") if kind == "any" else (kind,)
    name = next((_WRITTEN[kind][subject] for kind in kinds if subject in _WRITTEN.get(kind, {})), subject)
    return f"the {name}" if article and "country" in kinds and name in spelling.WITH_ARTICLE else name


def aliases(relation: str, answer: str) -> tuple[str, ...]:
    """Other forms of an answer, in the table's or in the written form, that are as common and right as well.

    Never the answer itself. Raises KeyError for an unknown relation.
    """
    pool = _relation(relation)[1]
    tables = {form: name for name, form in _WRITTEN.get(pool, {}).items()}
    name = tables.get(answer, answer)
    names = (*_ALIASES.get(pool, {}).get(name, ()), written(relation, name))
    return tuple(form for form in dict.fromkeys(names) if form != answer)


@lru_cache(maxsize=16)
def cities_by_fame(per_country: int = 0) -> tuple[str, ...]:
    """The cities that may be asked about, large and smaller ones, best known first.

    per_country   at most so many of one country; 0 is no limit
    """
    homes, excluded = country_of_city(), excluded_subjects("home_country")
    ranked = sorted(_stored(), key=lambda row: (-float(str(row["fame"])), str(row["subject"])))
    taken: Counter[str] = Counter()
    cities = []
    for name in (str(row["subject"]) for row in ranked):
        if name not in excluded and not (per_country and taken[homes[name]] >= per_country):
            taken[homes[name]] += 1
            cities.append(name)
    return tuple(cities)
