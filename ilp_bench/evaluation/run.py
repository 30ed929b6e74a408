"""Measure a model on a dataset: one scoring pass per probe, through lm-eval's model classes.

p = P(answer + terminator | prompt) at temperature 1 is exactly the chance that a sampled answer reproduces the
supervision. The ``sampled`` protocol draws answers instead, for those who doubt it. Only this package imports
lm_eval.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ilp_bench import __version__
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import read_json
from ilp_bench.core.metrics import Array
from ilp_bench.data.dataset import Dataset
from ilp_bench.evaluation import request_plan as asking
from ilp_bench.evaluation.generation import Said, answers
from ilp_bench.evaluation.hf import AnswerLM, idle_threads, load_model, pick_device, pick_dtype
from ilp_bench.evaluation.result_cache import Journal, Results
from ilp_bench.models.resolve import Located, locate, weights_sha256
from ilp_bench.records.run_record import SAMPLES, Run, write_run

Progress = Callable[[int, int], None]
PROTOCOLS, BACKENDS = ("exact", "sampled"), ("hf", "vllm")
ENGINE_DEAD = "EngineDeadError"  # vLLM's, known by name so that vLLM need not be there
BATCH = {"cpu": 32, "other": 128}
ANSWER_TOKENS = 32  # of an untuned model's own answer; a longer one is no belief that could be compared


class Scores(NamedTuple):
    """Per request: log-probability of the completion, whether greedy decoding gives it, its length in tokens."""

    logprob: Array
    greedy: np.ndarray[Any, np.dtype[np.bool_]]
    tokens: np.ndarray[Any, np.dtype[np.int32]]


def score(lm: Any, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Scores:
    """Score (context ids, completion ids) pairs with an lm-eval model, in memory. Raises ProblemError for a NaN."""
    found = lm._loglikelihood_tokens([(("", ""), list(context), list(answer)) for context, answer in pairs])
    logprob = np.array([value for value, _ in found])
    _check(found)
    greedy = np.array([bool(exact) for _, exact in found])
    return Scores(logprob, greedy, np.array([len(answer) for _, answer in pairs], dtype=np.int32))


def _check(results: Results) -> None:
    if any(math.isnan(value) for value, _ in results):
        raise ProblemError("the model gives NaN: its weights are damaged or its dtype is too small (try float32)")


def evaluate(
    model: str,
    data: Dataset,
    out: Path,
    *,
    backend: str = "hf",
    protocol: str = "exact",
    draws: int = 100,
    seed: int = 0,
    choices: int = 0,
    probe_base: bool | None = None,
    chat: bool = False,
    dtype: str = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    threads: int | None = None,
    remote_code: bool = False,
    engine: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Run | None:
    """Measure ``model`` on every probe of ``data`` and write a run record to ``out``.

    protocol     ``exact``: p from one scoring pass. ``sampled``: the share of ``draws`` sampled answers that are
                 right, on recall, paraphrase and retention probes alone
    choices      0, 4 or 10: also score so many options of recall and retention probes
    probe_base   also ask recall and retention probes with four examples shown, which is how the knowledge of an
                 untuned model is read; by default on where the model folder has no training.json
    engine       vLLM's engine arguments

    Whatever is done is saved at once beside ``out``; the same call goes on after a kill. Started by ``accelerate
    launch`` or ``torchrun``, processes share the work: rank 0 writes and returns the run, others return None. Raises
    UsageError or ProblemError before anything is written to ``out``.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} already exists: choose a new folder or remove it")
    for value, known, what in ((backend, BACKENDS, "backend"), (protocol, PROTOCOLS, "protocol")):
        if value not in known:
            raise UsageError(f"unknown {what} {value!r}: use {' or '.join(known)}")
    if protocol == "sampled" and (draws < 1 or choices):
        raise UsageError(
            f"{draws} draws are impossible: at least 1" if draws < 1 else "options are scored, not sampled"
        )
    if engine and backend != "vllm":
        raise UsageError("engine arguments are for the vllm backend: choose it, or leave them out")
    located, start = locate(model), time.monotonic()
    notes = located.folder / "training.json"
    training = read_json(notes) if notes.is_file() else None
    probed = (training is None if probe_base is None else probe_base) and protocol == "exact"
    if data.is_user_data:
        _check_own(data, backend=backend, probed=probed, chat=chat, choices=choices)
    with _threads(threads, device if backend == "hf" else "gpu"):
        rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if world > 1 and backend == "vllm":
            raise UsageError(
                "vLLM shares the work itself: set its engine argument tensor_parallel_size or data_parallel_size"
            )
        lm, tokenizer, setting = _open(located, backend, dtype, device, batch_size, remote_code, engine or {})
        items = data.items.to_pylist()
        wanted = asking.plan(tokenizer, data, items, chat=chat, probed=probed, choices=choices)
        template = str(getattr(tokenizer, "chat_template", "")) if chat else None
        loaded = time.monotonic()
        record = {
            "ilp_bench": __version__,
            "model": {"name": located.name, "revision": located.revision, "weights_sha256": weights_sha256(located)}
            | {key: setting.pop(key) for key in ("architecture", "parameters")},
            "training": training,
            "data": data.manifest.identity,
            "prompt_format": "chat" if chat else "plain",
            "template_sha256": _sha256(template) if template else None,
            "probed": probed,
            "choices": choices,
            "protocol": protocol,
            "draws": draws if protocol == "sampled" else None,
            "seed": seed if protocol == "sampled" else None,
            "backend": backend,
            "dtype": setting["dtype"],
            "versions": {name: version(name) for name in ("torch", "transformers", "lm_eval", "numpy")}
            | ({"vllm": version("vllm")} if backend == "vllm" else {}),
        }
        kept = "prompt_format template_sha256 probed choices protocol draws seed backend dtype versions".split()
        about = {"weights": record["model"]["weights_sha256"], "data": data.sha256}
        about |= {key: record[key] for key in kept}
        blocks = wanted.blocks()
        journal = Journal(out, about, rank, world)
        saved = len(journal.done)
        try:
            _work(lm, wanted, blocks, journal, record, progress)
            if rank:
                journal.close()
                return None
            done = journal.gather(len(blocks))
            scores = _collect(wanted, blocks, done, len(wanted.unique))
            said = _said(lm, tokenizer, wanted, journal, progress) if probed and data.is_user_data else {}
            _check(list(zip(scores.logprob.tolist(), scores.greedy.tolist(), strict=True)))
            record |= {
                "device": setting["device"],
                "batch_size": getattr(lm, "fitted", 0) or None,
                "processes": world,
                "hardware": setting["hardware"],
                "requests": len(wanted.unique),
                "seconds": {"load": round(loaded - start, 2), "score": round(time.monotonic() - loaded, 2)},
                "resumed": saved > 0,
            }
            run = write_run(out, record, _samples(items, scores, wanted, protocol, choices, said))
        except BaseException:
            journal.close()
            raise
        journal.close(remove=True)
        return run


def _check_own(data: Dataset, *, backend: str, probed: bool, chat: bool, choices: int) -> None:
    """Raise UsageError for what cannot be asked about rows of one's own."""
    if choices:
        raise UsageError("user data has no options to score: set choices to 0")
    if chat and not data.manifest.chat:
        raise UsageError("these rows are bare prompts, not conversations: evaluate without the chat template")
    if data.manifest.chat and not chat and not probed:
        raise UsageError(
            "these rows are conversations: evaluate with the chat template, as the model was trained on them (where it "
            "has none, import the rows as prompts and completions)"
        )
    if probed and backend != "hf":
        raise UsageError(
            "the base-model probe of user data needs the hf backend: choose it, or switch the probe off for a "
            "fine-tuned model"
        )


@contextmanager
def _threads(wanted: int | None, device: str) -> Iterator[None]:
    """Use so many threads meanwhile; by default, on a CPU, as many as there are idle cores."""
    import torch

    before = torch.get_num_threads()
    if wanted or device in ("auto", "cpu"):
        torch.set_num_threads(wanted or idle_threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _open(
    located: Located,
    backend: str,
    dtype: str,
    device: str,
    batch: int | None,
    remote: bool,
    engine: dict[str, Any],
) -> tuple[Any, Any, dict[str, Any]]:
    """(lm-eval model, tokenizer, what the run record says of both)."""
    import torch

    machine = f"{platform.machine()} {platform.system()}"
    if backend == "vllm":
        from ilp_bench.evaluation.vllm import open_engine

        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = pick_dtype(dtype, device)
        lm, about = open_engine(located, dtype, remote, engine)
        options = ", ".join(f"{key}={value}" for key, value in engine.items())
        hardware = f"{machine}, vLLM on {device}" + (f" ({options})" if options else "")
        return lm, lm.tokenizer, about | {"dtype": dtype, "device": device, "hardware": hardware}
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = pick_device(device)
    if device == "cuda" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        device = f"cuda:{local}"
    kind = device.split(":")[0]
    dtype = pick_dtype(dtype, kind)
    model, tokenizer = load_model(located, dtype=dtype, device=device, remote_code=remote)
    name = torch.cuda.get_device_name(device) if kind == "cuda" else f"{torch.get_num_threads()} threads"
    about = {
        "architecture": model.config.architectures[0],
        "parameters": sum(p.numel() for p in model.parameters()),
        "dtype": dtype,
        "device": device,
        "hardware": f"{machine}, {name}",
    }
    return wrap(model, tokenizer, batch or BATCH.get(kind, BATCH["other"])), tokenizer, about


def wrap(model: Any, tokenizer: Any, batch_size: int = 64) -> AnswerLM:
    """An lm-eval model around a transformers model in memory."""
    return AnswerLM(model, tokenizer, batch_size)


def _work(
    lm: Any,
    wanted: asking.Requests,
    blocks: list[list[int]],
    journal: Journal,
    record: dict[str, Any],
    progress: Progress | None,
) -> None:
    """Score this process's share of the blocks that are not saved yet."""
    mine = range(journal.rank, len(blocks), journal.world)
    total = sum(len(blocks[number]) for number in mine)
    finished = sum(len(blocks[number]) for number in mine if number in journal.done)
    for number in mine:
        if number in journal.done:
            continue
        part = [wanted.unique[n] for n in blocks[number]]
        try:
            if record["protocol"] == "sampled":
                results = _sample(lm, part, record, number)
            else:
                results = lm._loglikelihood_tokens([(("", ""), list(c), list(a)) for c, a in part], disable_tqdm=True)
        except Exception as error:
            if type(error).__name__ != ENGINE_DEAD:
                raise
            raise ProblemError(
                "vLLM's engine stopped (its log says why): run the same command again, it goes on"
            ) from error
        _check(results)
        journal.add(number, [(float(value), bool(exact)) for value, exact in results])
        finished += len(part)
        if progress:
            progress(finished, total)


def _sample(lm: Any, part: list[asking.Request], record: dict[str, Any], block: int) -> Results:
    """The logarithm of the share of reproductions; a block's draws depend on the seed and its number alone."""
    import torch

    draws, seed = record["draws"], record["seed"] * 100_003 + block
    if record["backend"] == "vllm":
        from ilp_bench.evaluation.vllm import count_reproduced

        hits = count_reproduced(lm, part, draws, seed)
    else:
        torch.manual_seed(seed)
        hits = [lm.count_reproduced(request, draws) for request in part]
    return [(math.log(hit / draws) if hit else -math.inf, False) for hit in hits]


def _collect(wanted: asking.Requests, blocks: list[list[int]], done: dict[int, Results], count: int) -> Scores:
    logprob, greedy = np.full(count, np.nan), np.zeros(count, dtype=bool)
    for number, block in enumerate(blocks):
        logprob[block] = [value for value, _ in done[number]]
        greedy[block] = [exact for _, exact in done[number]]
    return Scores(logprob, greedy, np.array([len(answer) for _, answer in wanted.unique], dtype=np.int32))


def _samples(
    items: list[dict[str, Any]],
    scores: Scores,
    wanted: asking.Requests,
    protocol: str,
    choices: int,
    said: dict[int, Said],
) -> pa.Table:
    kept = ("probe_id", "item_id", "pair_id", "cause", "arm", "probe", "dose", "prior_answer")
    column = asking.CHOICES[choices] or "choices"
    rows: list[dict[str, Any]] = [{name: item[name] for name in kept} for item in items]
    for index, (row, n) in enumerate(zip(rows, wanted.probe, strict=True)):
        row |= {"logprob": float(scores.logprob[n]), "p": float(np.exp(scores.logprob[n]))}
        row |= {"greedy": bool(scores.greedy[n]) if protocol == "exact" else None, "tokens": int(scores.tokens[n])}
        if index in wanted.shots:
            shot = wanted.shots[index]
            row |= {"shots_p": float(np.exp(scores.logprob[shot])), "shots_greedy": bool(scores.greedy[shot])}
        if index in wanted.options:
            logprobs = scores.logprob[wanted.options[index]]
            q = np.exp(logprobs - np.logaddexp.reduce(logprobs))
            gold = wanted.options[index].index(n)
            row |= {
                "options": logprobs.tolist(),
                "gold": gold,
                "entropy": float(-(q * np.log(np.maximum(q, 1e-300))).sum()),
            }
        if index in wanted.beliefs:
            logprobs = scores.logprob[wanted.beliefs[index]]
            options = items[index][column]
            best = int(np.argmax(logprobs))
            row["shots_options"] = logprobs.tolist()
            row |= {"belief": options[best], "belief_p": float(np.exp(logprobs[best] - np.logaddexp.reduce(logprobs)))}
        if index in said and said[index].finished:
            row |= {"belief": said[index].text.strip(), "belief_p": said[index].probability}
    return pa.Table.from_pylist(rows, schema=SAMPLES)


def _said(
    lm: Any, tokenizer: Any, wanted: asking.Requests, journal: Journal, progress: Progress | None
) -> dict[int, Said]:
    """What an untuned model itself answers to each item with examples shown, block by block."""
    distinct = list(dict.fromkeys(wanted.asked.values()))
    saved = journal.answers()
    found: dict[str, Said] = {}
    for number, start in enumerate(range(0, len(distinct), asking.BLOCK)):
        part = distinct[start : start + asking.BLOCK]
        if number not in saved:
            saved[number] = [list(one) for one in answers(lm.model, tokenizer, part, longest=ANSWER_TOKENS)]
            journal.add_answers(number, saved[number])
        found |= {prompt: Said(*one) for prompt, one in zip(part, saved[number], strict=True)}
        if progress:
            progress(start + len(part), len(distinct))
    return {index: found[prompt] for index, prompt in wanted.asked.items()}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
