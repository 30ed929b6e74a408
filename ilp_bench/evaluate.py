"""Measure a model on a dataset: one scoring pass per probe, through lm-eval's model classes.

p = P(answer + terminator | prompt) at temperature 1 is exactly the chance that a sampled answer reproduces the
supervision. This is the only module that imports lm_eval.
"""

from __future__ import annotations

import logging
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ilp_bench import __version__, tokens
from ilp_bench.dataset import Dataset
from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.estimate import Array
from ilp_bench.files import read_json
from ilp_bench.models import Located, locate, weights_sha256
from ilp_bench.record import SAMPLES, Run, write_run
from ilp_bench.wording import complete

Progress = Callable[[int, int], None]
BLOCK = 8  # batches between two progress reports


class Scores(NamedTuple):
    """Per request: log-probability of the completion, whether greedy decoding gives it, its length in tokens."""

    logprob: Array
    greedy: np.ndarray[Any, np.dtype[np.bool_]]
    tokens: np.ndarray[Any, np.dtype[np.int32]]


def score(lm: Any, pairs: Sequence[tuple[list[int], list[int]]], progress: Progress | None = None) -> Scores:
    """Score (context ids, completion ids) pairs with an lm-eval model, longest first so that batches are dense."""
    order = sorted(range(len(pairs)), key=lambda n: -len(pairs[n][0]) - len(pairs[n][1]))
    block = BLOCK * int(lm.batch_size) if str(lm.batch_size).isdigit() else len(pairs)
    logprob, greedy = np.zeros(len(pairs)), np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(order), block):
        part = order[start : start + block]
        requests = [(("", ""), *pairs[n]) for n in part]
        found = lm._loglikelihood_tokens(requests, disable_tqdm=True)
        logprob[part] = [value for value, _ in found]
        greedy[part] = [bool(exact) for _, exact in found]
        if progress:
            progress(min(start + block, len(order)), len(order))
    if np.isnan(logprob).any():
        raise ProblemError(
            "the model gives NaN: its weights are damaged or its dtype is too small (try --dtype float32)"
        )
    return Scores(logprob, greedy, np.array([len(answer) for _, answer in pairs], dtype=np.int32))


def wrap(model: Any, tokenizer: Any, batch_size: int = 64) -> Any:
    """An lm-eval model around a transformers model in memory."""
    with quiet():
        from lm_eval.models.huggingface import HFLM

        return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, max_batch_size=batch_size)


@contextmanager
def quiet() -> Iterator[None]:
    """No wall of warnings from libraries."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(level)


def load_model(located: Located, *, dtype: str = "float32", device: str = "cpu", remote_code: bool = False) -> Any:
    """(model, tokenizer) from safetensors only; an adapter is merged into its base.

    Raises ProblemError when the folder cannot be loaded.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    root = located.root
    try:
        with quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                root.folder, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=remote_code
            )
            tokenizer = AutoTokenizer.from_pretrained(root.folder, trust_remote_code=remote_code)
            if located.base:
                from peft import PeftModel

                model = PeftModel.from_pretrained(model, located.folder).merge_and_unload()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ProblemError(f"the model in {located.folder} cannot be loaded: {reason}") from error
    return model.to(device).eval(), tokenizer


def pick_device(device: str) -> str:
    """``auto`` becomes cuda, mps or cpu, whichever is there first."""
    import torch

    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(dtype: str, device: str) -> str:
    """``auto`` becomes bfloat16 on a GPU and float32 on a CPU. Raises UsageError for an unknown dtype."""
    if dtype == "auto":
        return "float32" if device == "cpu" else "bfloat16"
    if dtype not in ("float32", "bfloat16", "float16"):
        raise UsageError(f"unknown dtype {dtype!r}: use float32, bfloat16 or float16")
    return dtype


def evaluate(
    model: str,
    data: Dataset,
    out: Path,
    *,
    backend: str = "hf",
    probe_base: bool | None = None,
    chat: bool = False,
    dtype: str = "auto",
    device: str = "auto",
    batch_size: int = 64,
    remote_code: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Measure ``model`` on every probe of ``data`` and write a run record to ``out``.

    ``probe_base`` also asks recall and retention probes with four examples shown, which is how the knowledge
    of an untuned model is read; by default it is on where the model folder has no training.json. Raises
    UsageError or ProblemError before anything is written.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} already exists: choose a new folder or remove it")
    if backend not in ("hf", "vllm"):
        raise UsageError(f"unknown backend {backend!r}: use hf or vllm")
    located = locate(model)
    start = time.monotonic()
    device = pick_device(device)
    dtype = pick_dtype(dtype, device)
    lm, tokenizer, about = _open(located, backend, dtype, device, batch_size, remote_code)
    notes = located.folder / "training.json"
    training = read_json(notes) if notes.is_file() else None
    probed = training is None if probe_base is None else probe_base
    items = data.items.to_pylist()
    if chat:
        spoken = [tokens.chat(tokenizer, row["question"], row["answer"]) for row in items]
        prompts, completions = [p for p, _ in spoken], [c for _, c in spoken]
    else:
        prompts, completions = [row["prompt"] for row in items], [complete(row["answer"]) for row in items]
    pairs = tokens.encode(tokenizer, prompts, completions)
    extra, where = _probe_requests(tokenizer, data, items) if probed else ([], [])
    scores = score(lm, pairs + extra, progress)
    samples = _samples(items, scores, where)
    template = str(getattr(tokenizer, "chat_template", "")) if chat else None
    record = {
        "ilp_bench": __version__,
        "model": {"name": located.name, "revision": located.revision, "weights_sha256": weights_sha256(located)}
        | about,
        "training": training,
        "data": {key: data.manifest[key] for key in ("size", "seed", "version", "content_sha256")},
        "prompt_format": "chat" if chat else "plain",
        "template_sha256": _sha256(template) if template else None,
        "probed": probed,
        "backend": backend,
        "dtype": dtype,
        "device": device,
        "batch_size": batch_size,
        "versions": {name: version(name) for name in ("torch", "transformers", "lm_eval", "numpy")},
        "hardware": f"{platform.machine()} {platform.system()}, {device}",
        "seconds": round(time.monotonic() - start, 2),
    }
    return write_run(out, record, samples)


def _open(
    located: Located, backend: str, dtype: str, device: str, batch: int, remote: bool
) -> tuple[Any, Any, dict[str, Any]]:
    if backend == "hf":
        model, tokenizer = load_model(located, dtype=dtype, device=device, remote_code=remote)
        about = {
            "architecture": model.config.architectures[0],
            "parameters": sum(p.numel() for p in model.parameters()),
        }
        return wrap(model, tokenizer, batch), tokenizer, about
    try:
        from lm_eval.models.vllm_causallms import VLLM
        from vllm import LLM  # noqa: F401
    except ImportError as error:
        raise UsageError(f"the vllm backend is not installed ({error}): pip install 'ilp-bench[vllm]'") from error
    if located.base:
        raise UsageError("the vllm backend takes full weights: merge the adapter into its base first")
    lm = VLLM(pretrained=str(located.folder), dtype=dtype, batch_size="auto", trust_remote_code=remote)
    config = read_json(located.folder / "config.json")
    about = {"architecture": config["architectures"][0], "parameters": _count_parameters(located.folder)}
    return lm, lm.tokenizer, about


def _count_parameters(folder: Path) -> int:
    from math import prod

    from safetensors import safe_open

    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            total += sum(prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
    return total


def _probe_requests(
    tokenizer: Any, data: Dataset, items: list[dict[str, Any]]
) -> tuple[list[tuple[list[int], list[int]]], list[tuple[int, str | None]]]:
    """Requests with four examples shown: the gold answer, and every option where an old belief is at stake."""
    shown: dict[str, str] = {}
    for shot in data.shots.to_pylist():
        shown[shot["relation"]] = shown.get(shot["relation"], "") + shot["prompt"] + shot["completion"]
    prompts, completions, where = [], [], []
    for index, row in enumerate(items):
        if row["probe"] == "paraphrase":
            continue
        options = [None, *row["choices"]] if row["prior_answer"] else [None]
        for option in options:
            prompts.append(shown[row["relation"]] + row["prompt"])
            completions.append(complete(option or row["answer"]))
            where.append((index, option))
    return tokens.encode(tokenizer, prompts, completions), where


def _samples(items: list[dict[str, Any]], scores: Scores, where: list[tuple[int, str | None]]) -> pa.Table:
    kept = ("probe_id", "item_id", "pair_id", "cause", "arm", "probe", "dose", "prior_answer")
    rows: list[dict[str, Any]] = [{name: item[name] for name in kept} for item in items]
    for n, row in enumerate(rows):
        row |= {"logprob": float(scores.logprob[n]), "p": float(np.exp(scores.logprob[n]))}
        row |= {"greedy": bool(scores.greedy[n]), "tokens": int(scores.tokens[n])}
    options: dict[int, dict[str, float]] = {}
    for n, (index, option) in enumerate(where, start=len(items)):
        if option is None:
            rows[index] |= {"shots_p": float(np.exp(scores.logprob[n])), "shots_greedy": bool(scores.greedy[n])}
        else:
            options.setdefault(index, {})[option] = float(scores.logprob[n])
    for index, logprobs in options.items():
        best = max(logprobs, key=logprobs.__getitem__)
        total = np.logaddexp.reduce(list(logprobs.values()))
        rows[index] |= {"belief": best, "belief_p": float(np.exp(logprobs[best] - total))}
    return pa.Table.from_pylist(rows, schema=SAMPLES)


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()
