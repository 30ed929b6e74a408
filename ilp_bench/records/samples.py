"""The samples of a run: one row a probe, in Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import ProblemError

SCHEMA_VERSION = 2
SAMPLES = pa.schema(
    [("probe_id", pa.string()), ("item_id", pa.string()), ("pair_id", pa.string()), ("cause", pa.string())]
    + [("arm", pa.string()), ("probe", pa.string()), ("dose", pa.float64())]
    + [("prior_answer", pa.string()), ("tokens", pa.int32())]
    + [("logprob", pa.float64()), ("p", pa.float64()), ("greedy", pa.bool_())]
    # Log-probabilities of the options, the place of the answer among them, and their entropy in nats; on request.
    + [("options", pa.list_(pa.float64())), ("gold", pa.int32()), ("entropy", pa.float64())]
    # With four examples shown: recall and retention rows of a probed base model only, else null.
    + [("shots_p", pa.float64()), ("shots_greedy", pa.bool_()), ("shots_options", pa.list_(pa.float64()))]
    + [("belief", pa.string()), ("belief_p", pa.float64())]
)
PROBE_COLUMNS = ("probe_id", "pair_id", "cause", "arm", "probe", "dose")  # what a row asks, and not what was answered
# On user data, also p of the answer without its end mark; null where the two share a token.
USER_SAMPLES = SAMPLES.append(pa.field("answer_p", pa.float64()))
# On the hf backend also the log-probability of each token of the answer, and whether greedy decoding gives it.
DETAILED_SAMPLES = USER_SAMPLES.append(pa.field("token_logprobs", pa.list_(pa.float32()))).append(
    pa.field("token_greedy", pa.list_(pa.bool_()))
)


class SampleRow(TypedDict):
    """A row of ``Run.samples``: one probe. See ``SAMPLES`` for what is null where."""

    probe_id: str
    item_id: str
    pair_id: str | None
    cause: str | None
    arm: str | None
    probe: str
    dose: float | None
    prior_answer: str | None
    tokens: int | None
    logprob: float | None
    p: float
    greedy: bool | None
    options: list[float] | None
    gold: int | None
    entropy: float | None
    shots_p: float | None
    shots_greedy: bool | None
    shots_options: list[float] | None
    belief: str | None
    belief_p: float | None


def read_samples(file: Path, *, with_answers: bool = False) -> pa.Table:
    """A run's samples with exactly the columns of ``SAMPLES`` and sound probabilities; raises ProblemError if not.

    ``with_answers`` allows those of ``USER_SAMPLES`` and of ``DETAILED_SAMPLES`` too.
    """
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise ProblemError(f"{file} cannot be read as Parquet: {error}") from error
    schemas = (SAMPLES, USER_SAMPLES, DETAILED_SAMPLES) if with_answers else (SAMPLES,)
    if not any(table.schema.equals(schema) for schema in schemas):
        raise ProblemError(f"{file} does not have the columns of samples schema {SCHEMA_VERSION}: evaluate again")
    p = table["p"].to_numpy()
    bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if len(bad):
        where = table["probe_id"][int(bad[0])].as_py()
        raise ProblemError(f"{file}: p is {p[bad[0]]} for {where} ({len(bad)} bad rows): evaluate again")
    return table
