"""Do the samples of a submission cover the dataset they name, row by row, and do their columns agree?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.hashed_table import HashedTable
from ilp_bench.records.run_record import RunRecord
from ilp_bench.submission.archive import FIXED, DatasetKey, dataset_items
from ilp_bench.submission.asked import Asked
from ilp_bench.submission.check_all_rows import all_rows_hold
from ilp_bench.submission.check_presence import Mask, presence_problems, wanted_of
from ilp_bench.submission.check_values import number_problems, option_problems, plain
from ilp_bench.submission.sample_store import RunKey, storage_keys

Counts = np.ndarray[tuple[int], np.dtype[np.int64]]


def sample_problems(
    records: Mapping[RunKey, RunRecord], samples: pa.Table, stored: dict[RunKey, HashedTable]
) -> Iterator[str]:
    """Everything that is wrong with the rows, run by run; a probe's ``tokens`` must be the same in all of them.

    ``stored``: the rows of ``samples`` that belong to runs. All rows are looked at together first, in a third of the
    time; run by run only where that shows that something may be wrong.
    """
    wanted = list(dict.fromkeys(storage_keys(records).values()))
    if set(stored) != set(wanted) or sum(run.rows.num_rows for run in stored.values()) != samples.num_rows:
        owner = pa.table({"role": samples["role"].cast(pa.string()), "replicate": samples["replicate"]})
        counts = owner.group_by(["role", "replicate"]).aggregate([([], "count_all")])
        present = zip(counts["role"].to_pylist(), counts["replicate"].to_pylist(), strict=True)
        roles = ", ".join(f"{role} {replicate}" for role, replicate in sorted(present, key=str))
        yield f"the roles are {roles}; the records say {', '.join(f'{a} {b}' for a, b in sorted(wanted))}: build again"
    elif all_rows_hold(samples, tuple((key, Asked.by(records[key])) for key in wanted)):
        return
    first_tokens: dict[str, Counts] = {}
    wrong: set[DatasetKey] = set()
    for (role, number), run in stored.items():
        record = records[role, number]
        where = f"{role} {number}: " if (role, 1) in records else f"{role}: "
        asked = Asked.by(record)
        if wrong and asked.dataset not in wrong:
            continue  # one dataset with wrong rows is enough; others are not built
        if problem := asked.items()[0]:
            yield where + problem
            return  # one dataset that is not what it is called is enough; others are not built
        problems, tokens = _problems(run.rows, asked)
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


def _problems(rows: pa.Table, asked: Asked) -> tuple[tuple[str, ...], Counts | None]:
    """Problems of one run's rows, and its ``tokens`` in the order of the dataset unless a problem forbids it."""
    problem, items = asked.items()
    if items is None:
        return (problem,), None
    index = pc.index_in(rows["probe_id"].cast(pa.string()), value_set=items["probe_id"])
    problems = (
        *_coverage(rows, items, index),
        *number_problems(rows),
        *presence_problems(rows, wanted_of(rows, asked.probed, asked.choices)),
    )
    if problems:
        return problems, None
    ordered = rows.take(pa.array(np.argsort(index.to_numpy())))
    tokens: Counts = ordered["tokens"].to_numpy().astype(np.int64)
    return tuple(option_problems(ordered, asked.options(items))), tokens


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
        value, wanted = (plain(table[name]) for table in (rows, expected))
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
