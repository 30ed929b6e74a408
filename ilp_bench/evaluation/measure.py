"""Ask a loaded model every probe of a dataset: what opens no model, and writes only to the journal it is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array
from ilp_bench.data.manifest import USER_DATA
from ilp_bench.evaluation.generation import GeneratedAnswer, generate_answers
from ilp_bench.evaluation.hf import AnswerLM
from ilp_bench.evaluation.request_plan import BLOCK, Request, Requests
from ilp_bench.evaluation.result_cache import Journal, MemoryJournal, Result, Results, TokenResults
from ilp_bench.evaluation.samples import Scores, samples_table
from ilp_bench.evaluation.vllm import count_reproduced

Progress = Callable[[int, int], None]  # requests done, requests in all
ENGINE_DEAD = "EngineDeadError"  # vLLM's, known by name so that vLLM need not be there
BATCH = {"cpu": 32, "other": 128}
OWN_ANSWER_TOKENS = 32  # of a base model's own answer; a longer one is no belief that could be compared


def score(lm: Any, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Scores:
    """Score (context ids, completion ids) pairs with an lm-eval model, in memory. Raises ProblemError for a NaN."""
    results = lm._loglikelihood_tokens([(("", ""), list(context), list(answer)) for context, answer in pairs])
    logprob = np.array([value for value, _ in results])
    _check_finite(logprob)
    greedy = np.array([bool(exact) for _, exact in results])
    tokens = np.array([len(answer) for _, answer in pairs], dtype=np.int32)
    return Scores(logprob, greedy, tokens, np.full(len(pairs), np.nan), {})


def _check_finite(logprobs: Sequence[float] | Array) -> None:
    if any(math.isnan(value) for value in logprobs):
        raise ProblemError("the model gives NaN: its weights are damaged or its dtype is too small (try float32)")


def wrap(model: Any, tokenizer: Any, batch_size: int = 64) -> AnswerLM:
    """An lm-eval model around a transformers model in memory."""
    return AnswerLM(model, tokenizer, batch_size)


def measure(
    lm: Any,
    tokenizer: Any,
    items: list[dict[str, Any]],
    requests: Requests,
    journal: Journal | MemoryJournal,
    record: dict[str, Any],
    progress: Progress | None,
) -> pa.Table | None:
    """Score what ``journal`` does not hold yet; returns the samples table, or None in a process of rank above 0.

    ``items`` are those that ``requests`` are of; ``record`` is what :func:`settings_record` returns. Raises
    ProblemError where the model gives NaN or does not fit into memory, or another process stopped.
    """
    blocks = requests.blocks()
    score_blocks(lm, requests, blocks, journal, record, progress)
    if journal.rank:
        return None
    scores = _collect(requests, blocks, journal.gather(len(blocks)), len(requests.unique))
    answers: dict[int, GeneratedAnswer] = {}
    if record["probed"] and record["data"]["size"] == USER_DATA:
        answers = _generate_own_answers(lm, tokenizer, requests, journal, progress)
    _check_finite(scores.logprob)
    return samples_table(items, scores, requests, record["protocol"], record["choices"], answers)


def score_blocks(
    lm: Any,
    requests: Requests,
    blocks: list[list[int]],
    journal: Journal | MemoryJournal,
    record: dict[str, Any],
    progress: Progress | None,
) -> None:
    """Score this process's share of the blocks that are not saved yet."""
    numbers = range(journal.rank, len(blocks), journal.world_size)
    total = sum(len(blocks[number]) for number in numbers)
    finished = sum(len(blocks[number]) for number in numbers if number in journal.done)
    for number in numbers:
        if number in journal.done:
            continue
        part = [requests.unique[n] for n in blocks[number]]
        try:
            if record["protocol"] == "sampled":
                results = _sample(lm, part, record, number)
            else:
                ends = [requests.ends[n] for n in blocks[number]]
                results = score_exactly(lm, part, ends, [n in requests.in_detail for n in blocks[number]])
        except Exception as error:
            if type(error).__name__ != ENGINE_DEAD:
                raise
            raise ProblemError(
                "vLLM's engine stopped (its log says why): run the same command again, it goes on"
            ) from error
        _check_finite([result.logprob for result in results])
        journal.add(number, results)
        finished += len(part)
        if progress:
            progress(finished, total)


def score_exactly(
    lm: Any, part: Sequence[Request], ends: Sequence[int], in_detail: Sequence[bool] | None = None
) -> Results:
    """Results of requests, the last ``ends`` tokens of whose completions are end marks; one pass on the hf backend,
    which alone gives the tokens of those ``in_detail``.
    """
    if hasattr(lm, "token_logprobs"):
        return [
            Result(
                math.fsum(scores.logprobs),
                all(scores.greedy),
                math.fsum(scores.logprobs[:-end]) if end else None,
                [(round(value, 4), bool(match)) for value, match in zip(*scores, strict=True)] if detail else None,
            )
            for scores, end, detail in zip(lm.token_logprobs(part), ends, in_detail or [False] * len(part), strict=True)
        ]

    def ask(pairs: Sequence[Request]) -> list[tuple[float, bool]]:
        results: list[tuple[float, bool]] = lm._loglikelihood_tokens(
            [(("", ""), list(context), list(answer)) for context, answer in pairs], disable_tqdm=True
        )
        return results

    marked = [n for n, end in enumerate(ends) if end]
    answers = [(part[n][0], part[n][1][: -ends[n]]) for n in marked]
    without = dict(zip(marked, ask(answers) if marked else [], strict=True))
    return [
        Result(float(value), bool(greedy), float(without[n][0]) if n in without else None)
        for n, (value, greedy) in enumerate(ask(part))
    ]


def _sample(lm: Any, part: list[Request], record: dict[str, Any], block: int) -> Results:
    """The logarithm of the share of reproductions; a block's draws depend on the seed and its number alone."""
    import torch

    draws, seed = record["draws"], record["seed"] * 100_003 + block
    if record["backend"] == "vllm":
        hits = count_reproduced(lm, part, draws, seed)
    else:
        torch.manual_seed(seed)
        hits = [lm.count_reproduced(request, draws) for request in part]
    return [Result(math.log(hit / draws) if hit else -math.inf, False) for hit in hits]


def _collect(requests: Requests, blocks: list[list[int]], results: dict[int, Results], count: int) -> Scores:
    logprob, greedy, answers = np.full(count, np.nan), np.zeros(count, dtype=bool), np.full(count, np.nan)
    details: dict[int, TokenResults] = {}
    for number, block in enumerate(blocks):
        logprob[block] = [result.logprob for result in results[number]]
        greedy[block] = [result.greedy for result in results[number]]
        answers[block] = [
            np.nan if result.answer_logprob is None else result.answer_logprob for result in results[number]
        ]
        details |= {
            n: result.tokens for n, result in zip(block, results[number], strict=True) if result.tokens is not None
        }
    tokens = np.array([len(answer) for _, answer in requests.unique], dtype=np.int32)
    return Scores(logprob, greedy, tokens, answers, details)


def _generate_own_answers(
    lm: Any, tokenizer: Any, requests: Requests, journal: Journal | MemoryJournal, progress: Progress | None
) -> dict[int, GeneratedAnswer]:
    """The base model's own answer to each item (by index), asked with few-shot exemplars, block by block."""
    prompts = list(dict.fromkeys(requests.exemplar_prompts.values()))
    saved = journal.answers()
    answers: dict[str, GeneratedAnswer] = {}
    for number, start in enumerate(range(0, len(prompts), BLOCK)):
        part = prompts[start : start + BLOCK]
        if number not in saved:
            generated = generate_answers(lm.model, tokenizer, part, max_tokens=OWN_ANSWER_TOKENS)
            saved[number] = [list(answer) for answer in generated]
            journal.add_answers(number, saved[number])
        answers |= {prompt: GeneratedAnswer(*fields) for prompt, fields in zip(part, saved[number], strict=True)}
        if progress:
            progress(start + len(part), len(prompts))
    return {index: answers[prompt] for index, prompt in requests.exemplar_prompts.items()}
