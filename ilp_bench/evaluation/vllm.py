"""The vllm backend, through lm-eval's class for it; tensor and data parallelism are its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import read_json
from ilp_bench.core.logs import quiet
from ilp_bench.evaluation.record_fields import architecture
from ilp_bench.evaluation.request_plan import Request
from ilp_bench.models.loading import load_config
from ilp_bench.models.resolve import Located, tokenizer_folder
from ilp_bench.models.weight_files import count_values, weight_files

BLOCK = 1024  # requests that the engine gets at once; it batches them itself (and "auto" would draw bars)


def open_engine(located: Located, dtype: str, remote_code: bool, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """(lm-eval's VLLM, architecture and parameters). ``options`` are vLLM's engine arguments.

    Raises UsageError where vLLM is absent or an option is unknown, ProblemError where the engine does not start.
    """
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    try:
        with quiet():
            from lm_eval.models.vllm_causallms import VLLM
            from vllm import LLM  # noqa: F401
    except ImportError as error:
        raise UsageError(f"the vllm backend is not installed ({error}): pip install 'ilp-bench[vllm]'") from error
    if len(located.adapters) > 1:
        raise UsageError("vLLM serves one adapter: merge those below it into their base, and save that")
    check_head(located.root.folder, remote_code)
    adapter = {"lora_local_path": str(located.folder)} if located.base else {}
    adapter["tokenizer"] = str(tokenizer_folder(located))
    given: dict[str, Any] = {"batch_size": BLOCK, "trust_remote_code": remote_code, "dtype": dtype, "seed": 0}
    try:
        with quiet():
            lm = VLLM(pretrained=str(located.root.folder), **(given | adapter | options))
    except (TypeError, ModuleNotFoundError) as error:
        raise UsageError(f"vLLM does not take these options: {str(error).splitlines()[0]}") from error
    except (RuntimeError, ValueError, OSError) as error:
        raise ProblemError(f"vLLM does not start: {str(error).strip().splitlines()[0]}") from error
    return lm, {"architecture": _architecture(located.root.folder), "parameters": count_values(located.root.folder)}


def _architecture(folder: Path) -> str:
    """The class by config.json, else the one that transformers has for its type of model."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CLASSES

    config = read_json(folder / "config.json")
    kind = str(config.get("model_type"))
    return architecture(config.get("architectures"), str(CLASSES.get(kind, kind)))


def check_head(folder: Path, remote_code: bool = False) -> None:
    """Raise ProblemError where the weights have a head of their own and the config ties it: vLLM would leave it out."""
    import torch
    from safetensors import safe_open

    config = load_config(folder, remote_code=remote_code)
    if not getattr(config.get_text_config(), "tie_word_embeddings", False):
        return
    found = {}
    for file in weight_files(folder):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                if name.endswith(("lm_head.weight", "embed_tokens.weight")):
                    found[name.rsplit(".", 2)[-2]] = opened.get_tensor(name)
    if len(found) > 1 and not torch.equal(found["lm_head"], found["embed_tokens"]):
        raise ProblemError(
            f"{folder} has a head of its own, and its config.json ties it to the embeddings, which vLLM would do: set "
            "tie_word_embeddings to false there"
        )


def count_reproduced(lm: Any, requests: list[Request], draws: int, seed: int) -> list[int]:
    """How many of ``draws`` answers, sampled at temperature 1 from the bare distribution, are the completion.

    On a CPU vLLM takes no seed for a request; there the engine's decides, and a resumed run draws others.
    """
    import torch
    from vllm import SamplingParams

    own = seed if torch.cuda.is_available() else None
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    params = [
        SamplingParams(n=draws, max_tokens=len(answer), seed=own, ignore_eos=True, detokenize=False, **neutral)
        for _, answer in requests
    ]
    prompts = [{"prompt_token_ids": list(context)} for context, _ in requests]
    done = lm.model.generate(prompts, params, use_tqdm=False)
    return [
        sum(tuple(drawn.token_ids) == answer for drawn in output.outputs)
        for output, (_, answer) in zip(done, requests, strict=True)
    ]
