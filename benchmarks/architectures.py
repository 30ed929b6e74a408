"""Whether every architecture is measured and trained exactly: python benchmarks/architectures.py [MODEL_TYPE...]

Builds a tiny model with random weights of each causal language model that transformers knows (or of those named), and
compares what ilp-bench computes with bare forward passes of one sequence at a time, without a cache:
scores    log-probabilities of answers, in a batch
answers   greedy answers with their probabilities, in a batch of prompts of several lengths
training  loss of a batch, packed or padded
adapter   logits with a LoRA adapter, saved and merged into its base
Prints JSON: how many were compared, what of which differs, which are refused, and which could not be built or run here.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn.functional import cross_entropy
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES  # type: ignore[attr-defined]
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from ilp_bench.core.errors import IlpBenchError
from ilp_bench.core.logs import quiet
from ilp_bench.evaluation.generation import end_tokens, generate_answers
from ilp_bench.evaluation.hf import AnswerLM
from ilp_bench.models.causal import require_causal
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.training.adapter import add_adapter
from ilp_bench.training.collators import answer_loss, keeps_columns, pack_batch, pad_right, supports_packing

MOST_PARAMETERS, MEMORY = 40_000_000, 6 * 2**30
TOLERANCE = 2e-3  # of log-probabilities, losses and the largest logit
WIDTH, LAYERS = 32, 2
MLA = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
# Names of sizes, as configurations have them; a configuration gets those that it knows.
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim", "embedding_size", "word_embed_proj_dim"), WIDTH),
    **dict.fromkeys(("attention_hidden_size", "lru_width"), WIDTH),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), LAYERS),
    **dict.fromkeys(("decoder_layers", "encoder_layers"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim", "d_ff"), 2 * WIDTH),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), WIDTH),
    **dict.fromkeys(("head_dim", "d_kv", "state_size", "rotary_dim", "mamba_d_state", "ssm_state_size"), 8),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "mamba_head_dim"), 8),
    **dict.fromkeys(("linear_num_value_heads", "linear_num_key_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("max_position_embeddings", "n_positions"), 512),
    **dict.fromkeys(("sliding_window", "attention_window_size", "window_size"), 32),
    **dict.fromkeys(("n_group", "topk_group", "mamba_n_groups", "n_groups"), 1),
    **{"vocab_size": 2048, "num_experts_per_tok": 2, "is_decoder": True},
    **{"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1},
}
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_expand": 2}
DEEPSEEK = MLA | {"num_key_value_heads": 4, "head_dim": 8, "first_k_dense_replace": 1}
# What some need besides, or instead; None leaves a size as it is.
SPECIAL: dict[str, dict[str, Any]] = {
    "bamba": MAMBA | {"attn_layer_indices": [1], "layer_types": None},
    "deepseek_v2": DEEPSEEK,
    "deepseek_v3": DEEPSEEK,
    "falcon": {"head_dim": None},
    "falcon_h1": MAMBA | {"mamba_d_ssm": 64, "layer_types": None},
    "falcon_mamba": {"layer_types": None},
    "gemma4_text": {"global_head_dim": 8, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 2048}
    | {"num_kv_shared_layers": 0, "layer_types": ["sliding_attention", "full_attention"]},
    "glm4_moe_lite": DEEPSEEK,
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": MAMBA | {"layer_types": ["mamba", "attention"], "shared_intermediate_size": 32},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1}
    | {"mamba_dt_rank": 4, "use_mamba_kernels": False, "layer_types": None},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "mamba": {"layer_types": None},
    "mamba2": {"num_heads": 8, "layer_types": None},
    "minicpm3": DEEPSEEK,
    "nemotron_h": {"layers_block_type": ["mamba", "attention"], "mamba_num_heads": 8, "layer_types": None},
    "recurrent_gemma": {"block_types": ["recurrent", "attention"], "layer_types": None},
}  # fmt: skip
SHOWN = "".join(f"Question: What is the capital city of {name}?\nAnswer: {name}\n" for name in ("Peru", "Japan"))
SUBJECTS = ("Italy", "the Democratic Republic of the Congo", "Chad", "Trinidad and Tobago", "Chad?", "Chad!")
PROMPTS = [f"{SHOWN}Question: What is it of {subject}?\nAnswer:" for subject in SUBJECTS]
ANSWER_TOKENS = 6


def configured(name: str) -> Any:
    """A tiny configuration of a model type."""
    kind = getattr(transformers, CONFIG_MAPPING_NAMES[name])
    default, special = kind(), SPECIAL.get(name, {})
    known = default.to_dict()
    sizes = {key: value for key, value in SIZES.items() if key in known}
    if (kinds := known.get("layer_types")) and "layer_types" not in special:
        distinct = list(dict.fromkeys(kinds))
        sizes["layer_types"] = (distinct * LAYERS)[: max(LAYERS, len(distinct))]
        sizes |= {key: len(sizes["layer_types"]) for key in sizes if key in ("num_hidden_layers", "n_layer")}
    return kind(**{key: value for key, value in (sizes | special).items() if value is not None})


def built(name: str) -> Any:
    """A tiny model of a model type, whose answers hang on all that was read. Raises whatever goes wrong."""
    configuration, kind = configured(name), MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[name]
    model_class = getattr(transformers, kind if isinstance(kind, str) else kind[0])
    with torch.device("meta"):
        count = sum(part.numel() for part in model_class(configuration).parameters())
    if count > MOST_PARAMETERS:
        raise ValueError(f"{count:,} parameters")
    torch.manual_seed(0)
    model = model_class(configuration).eval().float()
    for weights in model.parameters():
        if weights.dim() > 1:
            weights.data.normal_(0, 0.4)
    bare(model, [5, 6, 7])
    return model


def bare(model: Any, ids: list[int]) -> Any:
    """Log-probabilities behind each token of one sequence, (tokens, vocabulary), without a cache."""
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].float().log_softmax(-1)


def near(value: float, other: float) -> bool:
    return abs(value - other) <= TOLERANCE * max(1.0, abs(other))


def scores_agree(model: Any, tokenizer: Any) -> bool:
    """Log-probabilities of two tokens behind each prompt."""
    pairs = [(tuple(tokenizer(prompt)["input_ids"]), (5, 7)) for prompt in PROMPTS]
    found = [scores.logprobs for scores in AnswerLM(model, tokenizer, batch_size=6).token_logprobs(pairs)]
    for (context, answer), scored in zip(pairs, found, strict=True):
        wanted = bare(model, [*context, *answer])[len(context) - 1 : -1].gather(1, torch.tensor(answer)[:, None])
        if not np.allclose(scored, wanted[:, 0], atol=TOLERANCE, rtol=TOLERANCE):
            return False
    return True


def answers_agree(model: Any, tokenizer: Any) -> bool:
    """Greedy answers, by their log-probabilities."""
    ends = end_tokens(model, tokenizer)
    found = generate_answers(model, tokenizer, PROMPTS, max_tokens=ANSWER_TOKENS, batch_size=6)
    for prompt, answer in zip(PROMPTS, found, strict=True):
        ids, total = list(tokenizer(prompt)["input_ids"]), 0.0
        start = len(ids)
        while len(ids) < start + ANSWER_TOKENS:
            behind = bare(model, ids)[-1]
            ids.append(int(behind.argmax()))
            total += float(behind[ids[-1]])
            if ids[-1] in ends or "\n" in tokenizer.decode(ids[start:]):
                break
        if not near(math.log(max(answer.probability, 1e-300)), total):
            return False
    return True


def training_agrees(model: Any, tokenizer: Any) -> bool:
    """The loss of a batch of rows of several lengths, as training computes it."""
    rows, total, count = [], 0.0, 0
    for number, prompt in enumerate(PROMPTS):
        context, answer = tokenizer(prompt)["input_ids"][-(10 + 6 * number) :], [5, 7, 9][: 1 + number % 3]
        rows.append({"input_ids": context + answer, "labels": [-100] * len(context) + answer})
        behind, labels = bare(model, rows[-1]["input_ids"])[:-1], torch.tensor(rows[-1]["labels"][1:])
        total, count = total + float(cross_entropy(behind, labels, reduction="sum")), count + len(answer)
    packs = supports_packing(model)
    with torch.no_grad():
        batch = pack_batch(rows) if packs else pad_right(rows)
        loss = float(answer_loss(model, batch, None, keeps=packs or keeps_columns(model)))
    return near(loss, total / count)


def adapter_agrees(model: Any, tokenizer: Any) -> bool:
    """Logits behind a prompt, of an adapter whose layers that take part in them are not 0."""
    ids = tokenizer(PROMPTS[0])["input_ids"]
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(base := Path(folder) / "base")
        tokenizer.save_pretrained(base)
        adapted = add_adapter(load_model(locate(str(base)))[0], locate(str(base)), 4, 0)
        adapted(torch.tensor([ids]), use_cache=False).logits.sum().backward()
        for name, part in adapted.named_parameters():
            if "lora_B" in name and part.grad is not None:
                part.data.normal_(0, 0.05)
        wanted = bare(adapted.eval(), ids)
        adapted.save_pretrained(Path(folder) / "adapter")
        tokenizer.save_pretrained(Path(folder) / "adapter")
        found = bare(load_model(locate(str(Path(folder) / "adapter")))[0], ids)
    return bool(torch.allclose(found, wanted, atol=TOLERANCE * float(wanted.abs().max())))


CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "scores": scores_agree,
    "answers": answers_agree,
    "training": training_agrees,
    "adapter": adapter_agrees,
}


def problems(model: Any, tokenizer: Any) -> Iterator[tuple[str, str]]:
    """(check, what is wrong) of those that do not agree."""
    for name, agrees in CHECKS.items():
        try:
            if not agrees(model, tokenizer):
                yield name, "differs"
        except Exception as error:
            yield name, said(error)


def said(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:120]}"


def main(names: list[str]) -> dict[str, Any]:
    """Figures by name; see the top of this file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    _, tokenizer = load_model(locate("nano"))
    compared: list[str] = []
    lacking: dict[str, str] = {}
    refused: dict[str, str] = {}
    wrong: dict[str, dict[str, str]] = {name: {} for name in CHECKS}
    for name in names or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        with quiet():
            try:
                model = built(name)
            except Exception as error:
                lacking[name] = said(error)
                continue
            try:
                require_causal(model, tokenizer)
            except IlpBenchError as error:
                refused[name] = str(error)
                continue
            compared.append(name)
            for check, problem in problems(model, tokenizer):
                wrong[check][name] = problem
    return {
        "transformers": transformers.__version__,
        "compared": len(compared),
        "agree in all": [name for name in compared if not any(name in found for found in wrong.values())],
        "wrong": wrong,
        "refused": refused,
        "not built here": lacking,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:]), indent=1))
