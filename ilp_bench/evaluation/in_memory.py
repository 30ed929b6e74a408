"""Measure a model that is in memory, such as one that is being trained: no folder, no journal, the same numbers."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import require_new
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
from ilp_bench.evaluation.result_cache import MemoryJournal
from ilp_bench.models.causal import require_causal
from ilp_bench.records.run_record import Run, run_of, write_run


def evaluate_model(
    model: Any,
    tokenizer: Any,
    data: Dataset,
    *,
    out: Path | None = None,
    name: str = "model in memory",
    chat: bool = False,
    probe_base: bool = False,
    choices: int = 0,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Measure a model in memory on every probe of ``data``; see :func:`ilp_bench.api.evaluate_model`."""
    if not hasattr(model, "config") or not callable(tokenizer):
        raise UsageError("a causal language model of transformers and its tokenizer are needed")
    if out is not None:
        require_new(out)
    if data.is_user_data:
        check_user_data(data, backend="hf", probed=probe_base, chat=chat, choices=choices)
    start, device = time.monotonic(), str(model.device)
    dtype = str(model.dtype).removeprefix("torch.")
    record = settings_record(tokenizer, data, chat=chat, probed=probe_base, choices=choices, dtype=dtype)
    training = [module for module in model.modules() if module.training]
    try:
        require_causal(model.eval(), tokenizer)
        lm = wrap(model, tokenizer, batch_size or BATCH.get(device, BATCH["other"]))
        items, not_asked, known = askable_items(tokenizer, data, chat=chat, limit=token_limit(lm))
        requests = request_plan.plan(tokenizer, data, items, chat=chat, probed=probe_base, choices=choices, known=known)
        loaded = time.monotonic()
        record["prompts"] = prompt_record(lm, tokenizer, requests, not_asked, chat=chat)
        samples = measure(lm, tokenizer, items, requests, MemoryJournal(), record, progress)
    finally:
        for module in training:
            module.training = True
    scored = time.monotonic()
    record |= {
        "model": {
            "name": name,
            "weights_sha256": _tensors_sha256(model),
            "architecture": architecture(model.config.architectures, type(model).__name__),
            "parameters": sum(tensor.numel() for tensor in model.parameters()),
        },
        "device": device,
        "batch_size": lm.fitted,
        "hardware": hardware(device),
        "requests": len(requests.unique),
        "seconds": {"load": round(loaded - start, 2), "score": round(scored - loaded, 2)},
    }
    return run_of(record, samples) if out is None else write_run(out, record, samples)


def _tensors_sha256(model: Any) -> str:
    """A hash over names, types, shapes and bytes of all tensors in name order; not that of the saved files."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
