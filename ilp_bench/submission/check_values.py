"""Are the numbers of samples possible, and do they follow from one another?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.submission.check_presence import report

VOCABULARY = 1e6  # no vocabulary is larger, so the most probable token has at least a millionth of the probability
MARGIN = 1e-6
# Log-probabilities are sums of a few single-precision numbers: in committed runs each ends in 26 zero bits or more.
ZERO_BITS, SINGLE_PRECISION = 20, 0.99
OPTION_COLUMNS = ["probe_id", "shots_options", "options", "belief", "belief_p", "gold", "logprob", "entropy"]


def number_problems(rows: pa.Table, most_coarse: float = 1 - SINGLE_PRECISION) -> Iterator[str]:
    """Are the numbers possible, and do they follow from one another?

    ``most_coarse``: the share of rows that may have log-probabilities in double precision.
    """
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
    if np.mean(coarse) > most_coarse:
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


def option_problems(rows: pa.Table, names: pa.ChunkedArray) -> Iterator[str]:
    """Do belief and entropy follow from the log-probabilities of the options, whose ``names`` the dataset gives?"""
    rows = rows.select(OPTION_COLUMNS)
    for column in ("shots_options", "options"):
        if rows[column].null_count == rows.num_rows:
            continue
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
                wrong |= ~pc.fill_null(pc.equal(picked, plain(mine["belief"])), False).to_numpy()
                share = np.exp(values.max(axis=1) - whole)
                wrong |= ~np.isclose(mine["belief_p"].to_numpy(), share, rtol=1e-6, atol=1e-9)
                yield from report(mine, wrong, "belief is not the preferred of shots_options")
            else:
                gold = mine["gold"].to_numpy().astype(np.int64)
                wrong |= values[np.arange(len(values)), gold.clip(0, count - 1)] != mine["logprob"].to_numpy()
                q = np.maximum(values - whole[:, None], -690)
                wrong |= ~np.isclose(-(np.exp(q) * q).sum(axis=1), mine["entropy"].to_numpy(), atol=1e-6)
                yield from report(mine, wrong, "entropy or logprob does not follow from options")


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without dictionary encoding."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
