"""The rows of all runs of a submission at once: does everything hold? If not, ``check_samples`` says what does not."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ilp_bench.data.causes import CAUSES
from ilp_bench.submission.archive import FIXED, archived
from ilp_bench.submission.asked import Asked
from ilp_bench.submission.check_presence import Wanted, presence_problems, wanted_of
from ilp_bench.submission.check_values import number_problems, option_problems, plain
from ilp_bench.submission.sample_store import RunKey

NAMED = ["probe_id", *FIXED]  # columns of items and of rows
Runs = tuple[tuple[RunKey, Asked], ...]  # whose, and what it asked


class _Expected(NamedTuple):
    """What the rows of several runs must be, where each run stands in the order of its dataset.

    named     columns that say whose a row is and what it asks
    options   the options of each row
    wanted    the optional columns that it must have
    runs      rows of each run
    same      the number of the first run on the same dataset, for each run
    """

    named: pa.Table
    options: pa.ChunkedArray
    wanted: Wanted
    runs: list[slice]
    same: list[int]


def all_rows_hold(samples: pa.Table, runs: Runs) -> bool:
    """Whether all runs stand one after the other, each in the order of its dataset, and nothing is wrong with a row.

    False also where a dataset has no copy here: it would have to be built, and a stranger may name many.
    """
    if any(asked.dataset not in archived() for _, asked in runs):
        return False
    expected = _expected(runs, CAUSES.names())
    if expected is None or expected.named.num_rows != samples.num_rows:
        return False
    if not all(_equal(samples[name], expected.named[name]) for name in expected.named.column_names):
        return False
    problems = chain(
        number_problems(samples, most_coarse=0),
        presence_problems(samples, expected.wanted),
        option_problems(samples, expected.options),
    )
    if next(problems, None):
        return False
    tokens = [samples["tokens"].to_numpy()[rows] for rows in expected.runs]
    return all(np.array_equal(mine, tokens[first]) for mine, first in zip(tokens, expected.same, strict=True))


@lru_cache(maxsize=4)  # most entries have the same replicates
def _expected(runs: Runs, causes: tuple[str, ...]) -> _Expected | None:
    """What the rows of these runs must be while ``causes`` are registered; None where a dataset is another."""
    named, options, wanted = [], [], []
    for (role, number), asked in runs:
        _, items = asked.items()
        if items is None:
            return None
        whose = {"role": [role] * len(items), "replicate": pa.array(np.full(len(items), number, np.int8))}
        named.append(pa.table({**whose, **{name: items[name] for name in NAMED}}))
        options += asked.options(items).chunks
        wanted.append(wanted_of(items, asked.probed, asked.choices))
    everything, ends = pa.concat_tables(named), accumulate(map(len, named), initial=0)
    hashes = [asked.content_sha256 for _, asked in runs]
    return _Expected(
        pa.table({name: _encoded(everything[name]) for name in everything.column_names}),
        pa.chunked_array(options),
        Wanted(*map(np.concatenate, zip(*wanted, strict=True))),
        [slice(start, end) for start, end in pairwise(ends)],
        [hashes.index(each) for each in hashes],
    )


def _encoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in one piece, texts as samples have them when they are read."""
    whole = pa.chunked_array([column.combine_chunks()])
    return whole.dictionary_encode() if pa.types.is_string(whole.type) else whole


def _equal(column: pa.ChunkedArray, wanted: pa.ChunkedArray) -> bool:
    """Whether a column is as wanted; no number and NaN are the same."""
    if pa.types.is_floating(wanted.type):
        return np.array_equal(column.to_numpy(), wanted.to_numpy(), equal_nan=True)
    # A file that is made here has its texts in the order of their first use, and so have the wanted ones.
    return bool(column.equals(wanted) or plain(column).equals(plain(wanted)))
