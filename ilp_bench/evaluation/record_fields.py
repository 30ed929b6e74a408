"""What a run record says of how it was measured: settings, prompts, model class and machine."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from datetime import date
from typing import Any

from ilp_bench import __version__
from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.manifest import Skipped
from ilp_bench.evaluation.hf import AnswerLM
from ilp_bench.evaluation.request_plan import Requests
from ilp_bench.records.run_record import library_versions


def check_user_data(data: Dataset, *, backend: str, probed: bool, chat: bool, choices: int) -> None:
    """Raise UsageError for what cannot be asked about user data."""
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


def settings_record(
    tokenizer: Any,
    data: Dataset,
    *,
    chat: bool,
    probed: bool,
    choices: int,
    dtype: str,
    protocol: str = "exact",
    draws: int | None = None,
    seed: int | None = None,
    backend: str = "hf",
) -> dict[str, Any]:
    """The fields of a run record that say what is asked, how, and with which libraries."""
    template = str(getattr(tokenizer, "chat_template", "")) if chat else None
    sampled = protocol == "sampled"
    return {
        "ilp_bench": __version__,
        "data": data.manifest.identity,
        "prompt_format": "chat" if chat else "plain",
        "template_sha256": hashlib.sha256(template.encode()).hexdigest() if template else None,
        "probed": probed,
        "choices": choices,
        "protocol": protocol,
        "draws": draws if sampled else None,
        "seed": seed if sampled else None,
        "backend": backend,
        "dtype": dtype,
        "versions": library_versions(*(["vllm"] if backend == "vllm" else [])),
    }


def token_limit(lm: Any) -> int:
    """How many tokens of prompt and answer together ``lm`` can score."""
    return int(lm.max_length) + (1 if isinstance(lm, AnswerLM) else -1)  # vLLM wants to generate a token as well


def prompt_record(
    lm: Any, tokenizer: Any, requests: Requests, not_asked: dict[str, Skipped], *, chat: bool
) -> dict[str, Any]:
    """The field ``prompts`` of a run record: their hash, what was cut off or left out, what was not asked."""
    limit = token_limit(lm)
    surplus = [len(context) + len(answer) - limit for context, answer in requests.unique]
    dated = chat and "strftime_now" in str(tokenizer.chat_template)
    return {
        "sha256": requests.prompts_sha256,
        "template_date": date.today().isoformat() if dated else None,
        "left_out": requests.prompts_left_out,
        "cut": sum(tokens > 0 for tokens in surplus),
        "tokens_cut": sum(tokens for tokens in surplus if tokens > 0),
        "not_asked": not_asked,
    }


def architecture(named: Sequence[str] | None, otherwise: str) -> str:
    """The class of a model: the first that its configuration names, ``otherwise`` where it names none."""
    return (named or [otherwise])[0]


def hardware(device: str) -> str:
    """The machine and, on a GPU, its name, else the number of threads: as run records say it."""
    import torch

    threads = torch.get_num_threads()
    on_cpu = f"{threads} thread{'' if threads == 1 else 's'}"
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else on_cpu
    return f"{platform.machine()} {platform.system()}, {name}"
