"""Measure a model on a dataset: one scoring pass per probe, through lm-eval's model classes.

p = P(answer + terminator | prompt) at temperature 1 is exactly the chance that a sampled answer reproduces the
supervision. The ``sampled`` protocol draws answers instead, for those who doubt it. Only this package imports
lm_eval.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilp_bench.core.distributed import launched_processes
from ilp_bench.core.errors import UsageError, near
from ilp_bench.core.files import read_json, require_new
from ilp_bench.data.dataset import Dataset
from ilp_bench.evaluation import request_plan
from ilp_bench.evaluation.askable_items import askable_items
from ilp_bench.evaluation.measure import BATCH, Progress, measure, wrap
from ilp_bench.evaluation.record_fields import (
    architecture,
    check_user_data,
    hardware,
    prompt_record,
    settings_record,
    token_limit,
)
from ilp_bench.evaluation.result_cache import Journal
from ilp_bench.models.devices import idle_threads, pick_device, pick_dtype
from ilp_bench.models.loading import load_model, load_tokenizer
from ilp_bench.models.quantization import quantization_of
from ilp_bench.models.resolve import Located, locate, weights_sha256
from ilp_bench.records.run_record import Run, write_run

PROTOCOLS, BACKENDS = ("exact", "sampled"), ("hf", "vllm")


def evaluate(
    model: str,
    data: Dataset,
    out: Path,
    *,
    base: str | None = None,
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
    strict: bool = False,
    engine: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Run | None:
    """Measure ``model`` on every probe of ``data`` and write a run record to ``out``.

    base         base model of an adapter, where its own path is one of another machine
    protocol     ``exact``: p from one scoring pass. ``sampled``: the share of ``draws`` sampled answers that are
                 right, on recall, paraphrase and retention probes alone
    choices      0, 4 or 10: also score so many options of recall and retention probes
    probe_base   also ask recall and retention probes with four few-shot exemplars, which is how the knowledge of an
                 untuned model is read; by default on where the model folder has no training.json
    strict       whether an item of user data that the model cannot be asked ends the run; else it is counted
    engine       vLLM's engine arguments

    Whatever is done is saved at once beside ``out``; the same call goes on after a kill. Started by ``accelerate
    launch`` or ``torchrun``, processes share the work: rank 0 writes and returns the run, others return None. Raises
    UsageError or ProblemError before anything is written to ``out``.
    """
    for value, known, what in ((backend, BACKENDS, "backend"), (protocol, PROTOCOLS, "protocol")):
        if value not in known:
            raise UsageError(f"unknown {what} {value!r}.{near(value, known)}")
    if protocol == "sampled" and (draws < 1 or choices):
        raise UsageError(
            f"{draws} draws are impossible: at least 1" if draws < 1 else "options are scored, not sampled"
        )
    if engine and backend != "vllm":
        raise UsageError("engine arguments are for the vllm backend: choose it, or leave them out")
    require_new(out)
    located, start = locate(model, base), time.monotonic()
    notes = located.folder / "training.json"
    training = read_json(notes) if notes.is_file() else None
    probed = (training is None if probe_base is None else probe_base) and protocol == "exact"
    if data.is_user_data:
        check_user_data(data, backend=backend, probed=probed, chat=chat, choices=choices)
    with _threads(threads, device if backend == "hf" else "gpu"):
        processes = launched_processes()
        if processes.world_size > 1 and backend == "vllm":
            raise UsageError(
                "vLLM shares the work itself: set its engine argument tensor_parallel_size or data_parallel_size"
            )
        lm, tokenizer, setting = _open(located, backend, dtype, device, batch_size, remote_code, engine or {})
        items, not_asked, encoded = askable_items(tokenizer, data, chat=chat, limit=token_limit(lm), strict=strict)
        requests = request_plan.plan(tokenizer, data, items, chat=chat, probed=probed, choices=choices, known=encoded)
        loaded = time.monotonic()
        record = settings_record(
            tokenizer,
            data,
            chat=chat,
            probed=probed,
            choices=choices,
            dtype=setting["dtype"],
            protocol=protocol,
            draws=draws,
            seed=seed,
            backend=backend,
        )
        record |= {
            "model": {"name": located.name, "revision": located.revision, "weights_sha256": weights_sha256(located)}
            | {key: setting[key] for key in ("architecture", "parameters")},
            "training": training,
            "prompts": prompt_record(lm, tokenizer, requests, not_asked, chat=chat),
        }
        kept = "prompt_format template_sha256 probed choices protocol draws seed backend dtype versions".split()
        about = {"weights": record["model"]["weights_sha256"], "data": data.sha256}
        about["prompts"] = requests.prompts_sha256
        about |= {key: record[key] for key in kept}
        journal = Journal(out, about, processes.rank, processes.world_size)
        saved = len(journal.done)
        try:
            samples = measure(lm, tokenizer, items, requests, journal, record, progress)
            if samples is None:
                journal.close()
                return None
            record |= {
                "device": setting["device"],
                "batch_size": getattr(lm, "fitted", 0) or None,
                "processes": processes.world_size,
                "hardware": setting["hardware"],
                "requests": len(requests.unique),
                "seconds": {"load": round(loaded - start, 2), "score": round(time.monotonic() - loaded, 2)},
                "resumed": saved > 0,
            }
            run = write_run(out, record, samples)
        except BaseException:
            journal.close()
            raise
        journal.close(remove=True)
        return run


@contextmanager
def _threads(count: int | None, device: str) -> Iterator[None]:
    """Use so many threads meanwhile; by default, on a CPU, as many as there are idle cores."""
    import torch

    before = torch.get_num_threads()
    if count or device in ("auto", "cpu"):
        torch.set_num_threads(count or idle_threads())
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

    if backend == "vllm":
        from ilp_bench.evaluation.vllm import open_engine

        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = pick_dtype(dtype, device)
        lm, about = open_engine(located, dtype, remote, engine)
        options = ", ".join(f"{key}={value}" for key, value in engine.items())
        machine = f"{platform.machine()} {platform.system()}, vLLM on {device}" + (f" ({options})" if options else "")
        tokenizer = load_tokenizer(located, remote_code=remote)  # the ids of hf, whatever vLLM would load
        return lm, tokenizer, about | {"dtype": dtype, "device": device, "hardware": machine}
    device = launched_processes().device(pick_device(device))
    kind = device.split(":")[0]
    dtype = pick_dtype(dtype, kind)
    model, tokenizer = load_model(located, dtype=dtype, device=device, remote_code=remote)
    quantization = quantization_of(located.root.folder)
    name = architecture(model.config.architectures, type(model).__name__)
    about = {
        "architecture": name + (f" ({quantization})" if quantization else ""),
        "parameters": model.num_parameters(),
        "dtype": dtype,
        "device": device,
        "hardware": hardware(device),
    }
    return wrap(model, tokenizer, batch or BATCH.get(kind, BATCH["other"])), tokenizer, about
