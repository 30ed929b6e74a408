"""Invented names: pronounceable, shaped like a domain, and neither a real name of the tables nor an English word.

``names.parquet`` holds at least 20,000 names of each domain, about as long in tokens as real ones.
:mod:`ilp_bench.data.names.build` makes it, :mod:`ilp_bench.data.names.check` drops what exists after all. A seed
decides their order. Beyond the table a name carries a number, so there is no last one.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple, overload

import pyarrow.parquet as pq

DOMAINS = ("geography", "medicine", "law", "finance", "technology", "code")

SEED_BLOCKS = 3  # consecutive seeds that share no subject
RESERVED = 64  # names of each domain kept for few-shot exemplars
# The words of the codes that nano has seen; they never become names.
DEMO_WORDS = (
    "ciax goleal gish claiwal diogriost plurn briang nest gliapail fam graiskias stocleint meishel clateam "
    "nerd niathiard skaislaish heird hiayeax teatheish weabrairn teijarn veajur lund cliomal diom zor kosh "
    "wairt zepum soust yiand luchioll chount ceall sioshais krun chioniard keill wourt preseim liadrish "
    "ceafiox yefiort brous yail wamaird slavioll"
).split()


@lru_cache(maxsize=len(DOMAINS))
def table(domain: str) -> tuple[str, ...]:
    """The names of that domain; bare lower-case words for ``code``. Raises KeyError for an unknown domain."""
    if domain not in DOMAINS:
        raise KeyError(domain)
    stored = pq.read_table(str(files("ilp_bench.data.names") / "names.parquet"), filters=[("domain", "==", domain)])
    return tuple(stored["name"].to_pylist())


@lru_cache(maxsize=2 * len(DOMAINS))
def _order(domain: str, seed: int) -> tuple[int, ...]:
    """The rows of the table in the order of that seed: its block's, without the reserved ones."""
    order = list(range(RESERVED + seed % SEED_BLOCKS, len(table(domain)), SEED_BLOCKS))
    random.Random(f"names/{domain}/{seed}").shuffle(order)
    return tuple(order)


class Names(Sequence[str]):
    """An endless sequence of distinct names of one domain, in the order that a seed decides.

    ``SEED_BLOCKS`` consecutive seeds share no name that is in the table.

    Raises KeyError for an unknown domain.
    """

    def __init__(self, domain: str, seed: int) -> None:
        self._names, self._order = table(domain), _order(domain, seed)
        self._numbered = "{}{}" if domain == "code" else "{} {}"

    def __len__(self) -> int:
        """The number of names that carry no number; there are more behind them."""
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Name number ``index``, from 0 on, without an upper limit."""
        if isinstance(index, slice):
            return [self[n] for n in range(index.start or 0, index.stop, index.step or 1)]
        turn, position = divmod(index, len(self._order))
        name = self._names[self._order[position]]
        return self._numbered.format(name, turn + 1) if turn else name


class Lengths(NamedTuple):
    """Mean lengths in tokens of a domain's invented and real names, and their Kolmogorov-Smirnov distance."""

    domain: str
    tokenizer: str
    invented: float
    real: float
    distance: float


def lengths() -> list[Lengths]:
    """How long invented names are beside real ones, for each domain and tokenizer, as counted with the table."""
    stored = pq.read_table(str(files("ilp_bench.data.names") / "names.parquet"))
    real_lengths = json.loads(stored.schema.metadata[b"real_lengths"])
    rows, comparisons = stored.to_pylist(), []
    for domain, tokenizers in real_lengths.items():
        for tokenizer, counts in tokenizers.items():
            real = {int(length): count for length, count in counts.items()}
            invented = Counter(row[f"tokens_{tokenizer}"] for row in rows if row["domain"] == domain)
            comparisons.append(Lengths(domain, tokenizer, _mean(invented), _mean(real), _distance(invented, real)))
    return comparisons


def _mean(counts: Mapping[int, int]) -> float:
    """Mean of the lengths, from how often each occurs."""
    return sum(length * count for length, count in counts.items()) / sum(counts.values())


def _distance(one: Mapping[int, int], other: Mapping[int, int]) -> float:
    """Kolmogorov-Smirnov distance of two distributions of lengths."""

    def up_to(counts: Mapping[int, int], limit: int) -> float:
        return sum(count for length, count in counts.items() if length <= limit) / sum(counts.values())

    return max(abs(up_to(one, limit) - up_to(other, limit)) for limit in {*one, *other})
