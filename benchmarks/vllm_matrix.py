"""hf and vLLM beside each other for every tokenizer and chat template of the tests: python benchmarks/vllm_matrix.py

Prints one line of JSON a tokenizer: how many answers were scored, in how many formats, and the largest difference in
log-probability, of the answer with and without its end mark; at last the largest of all. Needs vLLM (scripts/vllm-cpu).
One small model with random weights, whose vocabulary holds every id of every tokenizer, scores all answers: what is
compared are token ids and how both backends score them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ENGINE = {"enforce_eager": True, "max_model_len": 512, "max_num_seqs": 32}
TOOLS = [{"type": "function", "function": {"name": "colour", "description": "Colour of a box."}}]
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def encoded_rows(tokenizer: Any) -> list[Any]:
    """The plain rows and, under each chat template, the conversations of the tests as token ids."""
    from tokenizers_zoo import CHATS, ROWS, TEMPLATES, messages  # type: ignore[import-not-found]

    from ilp_bench.models import tokenization as tokens

    texts = [tokens.row_text(tokenizer, prompt, completion) for prompt, completion in ROWS]
    for template, source in TEMPLATES.items():
        tokenizer.chat_template = source
        arguments = {"tools": TOOLS} if template == "tools" else {}
        for *turns, answer in map(messages, CHATS):
            texts.append(tokens.chat_text(tokenizer, turns, answer["content"], **arguments))
    return tokens.encode_texts(tokenizer, texts)


def make_model(tokenizers: dict[str, Any], folder: Path) -> None:
    """A small Llama with random weights, under the tokenizer with the largest vocabulary."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    largest = max(tokenizers.values(), key=len)
    config = LlamaConfig(
        vocab_size=len(largest), hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        initializer_range=0.1, max_position_embeddings=512,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    largest.save_pretrained(folder)


def differences(encoded: list[Any], lms: tuple[Any, Any]) -> dict[str, Any]:
    """What both backends say of the same answers."""
    from ilp_bench.evaluation.measure import score_exactly

    requests, ends = [(tuple(each.context), tuple(each.answer)) for each in encoded], [each.end for each in encoded]
    pairs = list(zip(*(score_exactly(lm, requests, ends) for lm in lms), strict=True))
    without_end = [
        abs(a.answer_logprob - b.answer_logprob)
        for a, b in pairs
        if a.answer_logprob is not None and b.answer_logprob is not None
    ]
    return {
        "answers": len(pairs),
        "largest_difference": max(abs(a.logprob - b.logprob) for a, b in pairs),
        "largest_difference_without_end": max(without_end, default=None),
        "greedy_agrees": sum(a.greedy == b.greedy for a, b in pairs) / len(pairs),
    }


def main() -> None:
    """Print a line for each tokenizer."""
    from tokenizers_zoo import TEMPLATES, ZOO

    from ilp_bench.evaluation.measure import wrap
    from ilp_bench.evaluation.vllm import open_engine
    from ilp_bench.models.loading import load_model
    from ilp_bench.models.resolve import locate

    tokenizers = {name: make() for name, make in ZOO.items()}
    with tempfile.TemporaryDirectory() as name:
        make_model(tokenizers, Path(name))
        located = locate(name)
        engine, _ = open_engine(located, "float32", False, ENGINE)
        lms = wrap(*load_model(located)), engine
        results = []
        for each, tokenizer in tokenizers.items():
            results.append(differences(encoded_rows(tokenizer), lms))
            print(json.dumps({"tokenizer": each, "formats": 1 + len(TEMPLATES)} | results[-1]), flush=True)
    largest = max(result["largest_difference"] for result in results)
    print(json.dumps({"tokenizers": len(results), "largest_difference": largest}))


if __name__ == "__main__":
    main()
