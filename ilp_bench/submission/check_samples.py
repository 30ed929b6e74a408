"""Do the samples of a submission cover the dataset they name, row by row, and do their columns agree?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.errors import UsageError
from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.records.run_record import RunRecord
from ilp_bench.submission.archive import FIXED, DatasetKey, dataset_items
from ilp_bench.submission.check_presence import Mask, presence_problems, report, wanted_of, wanted_of_dataset
from ilp_bench.submission.sample_store import CACHED_RUNS, RunKey, storage_keys

VOCABULARY = 1e6  # no vocabulary is larger, so the most probable token has at least a millionth of the probability
MARGIN = 1e-6
# Log-probabilities are sums of a few single-precision numbers: in committed runs each ends in 26 zero bits or more.
ZERO_BITS, SINGLE_PRECISION = 20, 0.99
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]


class Asked(NamedTuple):
    """What a run says that it asked: the dataset and its content hash, exemplars or not, how many options."""

    dataset: DatasetKey
    content_sha256: str
    probed: bool
    choices: int

    @classmethod
    def by(cls, record: RunRecord) -> Asked:
        """What a run record says."""
        data = record.data
        key = DatasetKey(data.version, data.size, data.seed)
        return cls(key, data.content_sha256, record.probed, record.choices)


def sample_problems(
    records: Mapping[RunKey, RunRecord], samples: pa.Table, stored: dict[RunKey, HashedTable]
) -> Iterator[str]:
    """Everything that is wrong with the rows, run by run; a probe's ``tokens`` must be the same in all of them.

    ``stored``: the rows of ``samples`` that belong to runs.
    """
    wanted = list(dict.fromkeys(storage_keys(records).values()))
    if set(stored) != set(wanted) or sum(run.rows.num_rows for run in stored.values()) != samples.num_rows:
        owner = pa.table({"role": samples["role"].cast(pa.string()), "replicate": samples["replicate"]})
        counts = owner.group_by(["role", "replicate"]).aggregate([([], "count_all")])
        present = zip(counts["role"].to_pylist(), counts["replicate"].to_pylist(), strict=True)
        roles = ", ".join(f"{role} {replicate}" for role, replicate in sorted(present, key=str))
        yield f"the roles are {roles}; the records say {', '.join(f'{a} {b}' for a, b in sorted(wanted))}: build again"
    first_tokens: dict[str, Counts] = {}
    wrong: set[DatasetKey] = set()
    for (role, number), run in stored.items():
        record = records[role, number]
        where = f"{role} {number}: " if (role, 1) in records else f"{role}: "
        asked = Asked.by(record)
        if wrong and asked.dataset not in wrong:
            continue  # one dataset with wrong rows is enough; others are not built
        if problem := _items(asked)[0]:
            yield where + problem
            return  # one dataset that is not what it is called is enough; others are not built
        check = _problems if role == "submission" else _cached_problems
        problems, tokens = check(run, asked)
        yield from (where + problem for problem in problems)
        if tokens is None:
            wrong.add(asked.dataset)
            continue
        first = first_tokens.setdefault(asked.content_sha256, tokens)
        if len(different := np.flatnonzero(first != tokens)):
            example = dataset_items(asked.dataset, asked.content_sha256).items["probe_id"][int(different[0])]
            yield (
                f"{where}{len(different)} answers have another number of tokens than in the other runs, such as "
                f"{example}: all runs must use the tokenizer of one base model"
            )


def _problems(run: HashedTable, asked: Asked) -> tuple[tuple[str, ...], Counts | None]:
    """Problems of one run's rows, and its ``tokens`` in the order of the dataset unless a problem forbids it."""
    problem, items = _items(asked)
    if items is None:
        return (problem,), None
    rows, probe_ids = run.rows, run.rows["probe_id"].cast(pa.string())
    in_order = probe_ids.equals(items["probe_id"])
    if in_order:
        uncovered = tuple(_wrong_names(rows, items))
    else:
        index = pc.index_in(probe_ids, value_set=items["probe_id"])
        uncovered = tuple(_coverage(rows, items, index))
    wanted = wanted_of_dataset(asked.dataset, asked.content_sha256) if in_order and not uncovered else wanted_of(rows)
    problems = (*uncovered, *_numbers(rows), *presence_problems(rows, wanted, asked.probed, asked.choices))
    if problems:
        return problems, None
    ordered = rows if in_order else rows.take(pa.array(np.argsort(index.to_numpy())))
    tokens: Counts = ordered["tokens"].to_numpy().astype(np.int64)
    tokens.setflags(write=False)
    return tuple(_options(ordered, items, asked.choices)), tokens


_cached_problems = lru_cache(maxsize=CACHED_RUNS)(_problems)  # many submissions share their base and vanilla runs


def _items(asked: Asked) -> tuple[str, pa.Table | None]:
    """The items of the dataset that was asked, or what is wrong with its name."""
    version, size, seed = asked.dataset
    try:
        known = dataset_items(asked.dataset, asked.content_sha256)
    except (UsageError, ValueError, OverflowError) as error:
        return f"dataset {size!r} seed {seed} cannot be built: {error}", None
    if known.content_sha256 != asked.content_sha256:
        return (
            f"the dataset is not ILP-Bench {size} seed {seed} of version {version}: evaluate on a current build",
            None,
        )
    return "", known.items


def _coverage(rows: pa.Table, items: pa.Table, index: pa.ChunkedArray) -> Iterator[str]:
    """Every probe of the dataset once, and each row with the item, arm and cause that the dataset gives it."""
    times = np.bincount(index.drop_null().to_numpy().astype(np.int64), minlength=items.num_rows)
    if len(missing := np.flatnonzero(times == 0)):
        yield (
            f"{len(missing)} probes are missing, such as {items['probe_id'][int(missing[0])]}: evaluate the whole "
            "dataset"
        )
    if index.null_count:
        unknown = rows["probe_id"].filter(pc.is_null(index))
        yield f"{index.null_count} probes are not in the dataset, such as {unknown[0].as_py()!r}: leave them out"
    if twice := int((times - 1).clip(min=0).sum()):
        yield f"{twice} probes are duplicated, such as {items['probe_id'][int(times.argmax())]}: leave one of each"
    yield from _wrong_names(rows.filter(pc.is_valid(index)), items.select(FIXED).take(index.drop_null()))


def _wrong_names(rows: pa.Table, expected: pa.Table) -> Iterator[str]:
    """Rows that have not the item, arm and cause of the dataset's rows, which stand in the same order."""
    differs: Mask = np.zeros(rows.num_rows, dtype=bool)
    for name in FIXED:
        value, wanted = (_plain(table[name]) for table in (rows, expected))
        if pa.types.is_floating(value.type):
            number, wanted_number = value.to_numpy(), wanted.to_numpy()  # null is NaN there
            differs |= ~((number == wanted_number) | (np.isnan(number) & np.isnan(wanted_number)))
        elif not value.equals(wanted):
            equal = pc.fill_null(pc.equal(value, wanted), False).to_numpy()
            absent = pc.and_(pc.is_null(value), pc.is_null(wanted)).to_numpy()
            differs |= ~(equal | absent)
    if differs.any():
        first = rows["probe_id"][int(np.flatnonzero(differs)[0])]
        yield f"{differs.sum()} rows name another item, arm or cause than the dataset, such as {first}: evaluate again"


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _numbers(rows: pa.Table) -> Iterator[str]:
    """Are the numbers possible, and do they follow from one another?"""
    logprob, p = rows["logprob"].to_numpy(), rows["p"].to_numpy()
    greedy, tokens = rows["greedy"].fill_null(False).to_numpy(), rows["tokens"].fill_null(0).to_numpy()
    again = np.exp(np.minimum(logprob, 0.0))
    near = [(again * (1 + way * 1e-14)).astype(np.float32) for way in (-1, 0, 1)]
    if len(bad := np.flatnonzero(~((p >= 0) & (p <= 1)))):
        yield f"p is {p[bad[0]]} for {rows['probe_id'][int(bad[0])]} ({len(bad)} bad rows): evaluate again"
    yield from report(rows, ~np.isfinite(logprob) | (logprob > 0), "logprob is not a finite number of at most 0")
    yield from report(rows, np.signbit(p) | ((logprob == 0) & np.signbit(logprob)), "a number is -0.0")
    yield from report(
        rows, (p >= 0) & (p <= 1) & ~((p == near[0]) | (p == near[1]) | (p == near[2])), "p is not exp(logprob)"
    )
    yield from report(rows, (tokens < 1) | (tokens > 10_000), "an answer has no possible number of tokens")
    coarse = logprob.view(np.uint64) % 2**ZERO_BITS != 0
    if np.mean(coarse) > 1 - SINGLE_PRECISION:
        yield from report(rows, coarse, "logprob is not a sum of numbers in single precision")
    # More than half of the probability means that no token can be more probable than the one scored.
    yield from report(rows, (again > 0.5 + MARGIN) & ~greedy, "greedy is false although p exceeds one half")
    floor = -np.log(VOCABULARY) * tokens
    yield from report(rows, greedy & (logprob < floor), "greedy is true although p is lower than any best token's")
    shots = rows["shots_p"].fill_null(0.0).to_numpy()
    best = rows["shots_greedy"].fill_null(False).to_numpy()
    yield from report(rows, ~((shots >= 0) & (shots <= 1)), "shots_p is not a probability")
    yield from report(rows, (shots > 0.5 + MARGIN) & ~best, "shots_greedy is false although shots_p exceeds one half")
    yield from report(
        rows, best & (shots < np.exp(floor)), "shots_greedy is true although shots_p is lower than any best token's"
    )


def _options(rows: pa.Table, items: pa.Table, choices: int) -> Iterator[str]:
    """Do belief and entropy follow from the log-probabilities of the options? Rows stand as in the dataset."""
    names = items["choices10" if choices == 10 else "choices"]
    for column in ("shots_options", "options"):
        there = pc.is_valid(rows[column]).to_numpy()
        asked, lengths = pc.list_value_length(rows[column]), pc.list_value_length(names)
        other = there & ~pc.fill_null(pc.equal(asked, lengths), False).to_numpy()
        if other.any():
            yield from report(rows, other, f"{column} are not as many as the dataset has options")
            continue
        for count in np.unique(asked.filter(pa.array(there)).to_numpy()):
            here = np.flatnonzero(there & pc.fill_null(pc.equal(asked, count), False).to_numpy())
            mine, options = rows.take(pa.array(here)), names.take(pa.array(here)).combine_chunks().flatten()
            values = np.asarray(mine[column].combine_chunks().flatten()).reshape(-1, count)
            with np.errstate(invalid="ignore"):  # what is not finite is reported below
                whole = np.logaddexp.reduce(values, axis=1)
            wrong = ~np.isfinite(values).all(axis=1) | (values > 0).any(axis=1)
            if column == "shots_options":
                best = values.argmax(axis=1)
                picked = options.take(pa.array(np.arange(len(best)) * count + best))
                wrong |= ~pc.fill_null(pc.equal(picked, _plain(mine["belief"])), False).to_numpy()
                share = np.exp(values.max(axis=1) - whole)
                wrong |= ~np.isclose(mine["belief_p"].to_numpy(), share, rtol=1e-6, atol=1e-9)
                yield from report(mine, wrong, "belief is not the preferred of shots_options")
            else:
                gold = mine["gold"].to_numpy().astype(np.int64)
                wrong |= values[np.arange(len(values)), gold.clip(0, count - 1)] != mine["logprob"].to_numpy()
                q = np.maximum(values - whole[:, None], -690)
                wrong |= ~np.isclose(-(np.exp(q) * q).sum(axis=1), mine["entropy"].to_numpy(), atol=1e-6)
                yield from report(mine, wrong, "entropy or logprob does not follow from options")
