"""From scores of requests to the samples table of a run record."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ilp_bench.core.metrics import Array
from ilp_bench.evaluation.generation import GeneratedAnswer
from ilp_bench.evaluation.request_plan import CHOICES, Requests
from ilp_bench.evaluation.result_cache import TokenResults
from ilp_bench.records.samples import DETAILED_SAMPLES, SAMPLES, USER_SAMPLES


class Scores(NamedTuple):
    """Per request: log-probability of the completion, whether greedy decoding gives it, its length in tokens.

    ``answer_logprob`` is the log-probability without the end mark, NaN where that was not asked; ``details`` has the
    scores of each token, by request, where they were kept.
    """

    logprob: Array
    greedy: np.ndarray[Any, np.dtype[np.bool_]]
    tokens: np.ndarray[Any, np.dtype[np.int32]]
    answer_logprob: Array
    details: dict[int, TokenResults]


def samples_table(
    items: list[dict[str, Any]],
    scores: Scores,
    requests: Requests,
    protocol: str,
    choices: int,
    answers: dict[int, GeneratedAnswer],
) -> pa.Table:
    """The samples of a run: one row an item, in their order, with the columns of ``SAMPLES``.

    Where an answer was also scored without its end mark (user data), the columns are those of ``USER_SAMPLES``; where
    its tokens were kept, those of ``DETAILED_SAMPLES``.

    ``answers`` has a base model's own answers by item index; an answer that did not end is left out.
    """
    kept = ("probe_id", "item_id", "pair_id", "cause", "arm", "probe", "dose", "prior_answer")
    column = CHOICES[choices] or "choices"
    rows: list[dict[str, Any]] = [{name: item[name] for name in kept} for item in items]
    for index, (row, n) in enumerate(zip(rows, requests.probe, strict=True)):
        row |= {"logprob": float(scores.logprob[n]), "p": float(np.exp(scores.logprob[n]))}
        row |= {"greedy": bool(scores.greedy[n]) if protocol == "exact" else None, "tokens": int(scores.tokens[n])}
        if index in requests.with_exemplars:
            request = requests.with_exemplars[index]
            row |= {"shots_p": float(np.exp(scores.logprob[request])), "shots_greedy": bool(scores.greedy[request])}
        if index in requests.options:
            logprobs = scores.logprob[requests.options[index]]
            q = np.exp(logprobs - np.logaddexp.reduce(logprobs))
            gold = requests.options[index].index(n)
            row |= {
                "options": logprobs.tolist(),
                "gold": gold,
                "entropy": float(-(q * np.log(np.maximum(q, 1e-300))).sum()),
            }
        if index in requests.options_with_exemplars:
            logprobs = scores.logprob[requests.options_with_exemplars[index]]
            options = items[index][column]
            best = int(np.argmax(logprobs))
            row["shots_options"] = logprobs.tolist()
            row |= {"belief": options[best], "belief_p": float(np.exp(logprobs[best] - np.logaddexp.reduce(logprobs)))}
        if index in answers and answers[index].finished:
            row |= {"belief": answers[index].text.strip(), "belief_p": answers[index].probability}
    if np.isnan(scores.answer_logprob[requests.probe]).all() and not scores.details:
        return pa.Table.from_pylist(rows, schema=SAMPLES)
    for row, n in zip(rows, requests.probe, strict=True):
        logprob = scores.answer_logprob[n]
        row["answer_p"] = None if np.isnan(logprob) else float(np.exp(logprob))
    if not scores.details:
        return pa.Table.from_pylist(rows, schema=USER_SAMPLES)
    for row, n in zip(rows, requests.probe, strict=True):
        if n in scores.details:
            values, matches = zip(*scores.details[n], strict=True)
            row |= {"token_logprobs": values, "token_greedy": matches}
    return pa.Table.from_pylist(rows, schema=DETAILED_SAMPLES)
