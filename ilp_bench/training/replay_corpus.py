"""The replay corpus of continued pre-training: a file or Hub dataset of the user's, or texts of known facts."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import HUB_ID
from ilp_bench.data.corpus import HOP2_RELATIONS, documents, two_hops
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.file_formats import OPENERS, SUFFIXES
from ilp_bench.data.row_file import read_rows

Texts = Callable[[int], list[str]]  # from a number of characters to that many characters of text, or a few more


def replay_texts(source: str | None) -> Texts | None:
    """Texts of ``source``, from its beginning and again where it is too short; None without a source.

    The last text is cut: one long text must not outweigh the documents to be learned beside it.
    A ``.txt`` file has one text a line; other files (``.jsonl``, ``.csv``, ``.parquet`` …) and Hub datasets
    (``org/name``, split ``train``, streamed) have a column ``text``. Raises UsageError for anything else: at once where
    the first text shows it, and when it comes to the line otherwise.
    """
    if source is None:
        return None
    if next(_read(source), None) is None:
        raise UsageError(f"the replay corpus {source} holds no text")

    def first_texts(characters: int) -> list[str]:
        texts = _take(itertools.chain.from_iterable(_read(source) for _ in itertools.count()), characters)
        surplus = sum(map(len, texts)) - characters
        return [*texts[:-1], texts[-1][: len(texts[-1]) - surplus]] if texts else []

    return first_texts


def held_out_facts(data: Dataset) -> set[tuple[str, str]]:
    """(relation, subject) of the facts on which held-out fact retention is measured."""
    probes = [row["probe_id"] for row in data.item_rows() if row["probe"] == "retention"]
    return {(relation, subject) for _, relation, subject in (probe.split("/", 2) for probe in probes)}


def known_fact_texts(rng: random.Random, without: Collection[tuple[str, str]] = ()) -> Texts:
    """Texts of known facts, in random order; nothing of the facts named in ``without``.

    Facts on which retention is measured must not be replayed, or it would not show what training cost elsewhere. Of a
    city whose home country is not named, the home country's currency and language are not named either.
    """
    cities = [subject for relation, subject in without if relation == "home_country"]
    hinting = {(f"{relation}_hop2", two_hops(city)) for relation in HOP2_RELATIONS for city in cities}

    def shuffled() -> Iterator[str]:
        while True:
            texts = list(documents(rng, {*without, *hinting}))
            rng.shuffle(texts)
            yield from texts

    return lambda characters: _take(shuffled(), characters)


def _take(texts: Iterator[str], characters: int) -> list[str]:
    """The first texts, until they have so many characters together."""
    taken: list[str] = []
    while characters > 0:
        taken.append(next(texts))
        characters -= len(taken[-1])
    return taken


def _read(source: str) -> Iterator[str]:
    path = Path(source)
    try:
        if path.suffix in (*SUFFIXES, *OPENERS) and path.is_file():
            rows: Iterator[Any] = _rows(path)
        elif path.is_file():
            rows = _lines(path)
        elif HUB_ID.fullmatch(source):
            rows = _hub(source)
        else:
            raise UsageError(
                f"the replay corpus {source} cannot be read as text: give a .txt, .jsonl or .parquet file, or a Hub "
                "dataset"
            )
        yield from (row for row in rows if isinstance(row, str) and row.strip())
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        reason = "there is none" if isinstance(error, KeyError) else reason
        where = "" if path.suffix == ".txt" else " in a column 'text'"
        raise UsageError(f"the replay corpus {source} cannot be read as text{where}: {reason}") from error


def _rows(path: Path) -> Iterator[Any]:
    for row in read_rows(path):
        if row.values is None:
            raise ValueError(f"line {row.number}: {row.problem}")
        yield row.values["text"]


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        yield from (line.rstrip("\n") for line in file)


def _hub(name: str) -> Iterator[Any]:
    from datasets import load_dataset

    repository, _, revision = name.partition("@")
    for row in load_dataset(repository, split="train", streaming=True, revision=revision or None):
        yield row["text"]
