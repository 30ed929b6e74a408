"""hf and vLLM beside each other for every tokenizer and chat template of the tests: python benchmarks/vllm_matrix.py

Prints one line of JSON a tokenizer: how many answers were scored, in how many formats, and the largest difference in
log-probability, of the answer with and without its end mark; at last the largest of all. Needs vLLM (scripts/vllm-cpu).
The model is small, with random weights: what is compared are token ids and how both score them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ENGINE = {"enforce_eager": True, "max_model_len": 512, "max_num_seqs": 32}
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def compare(name: str, folder: Path) -> dict[str, Any]:
    """Score the rows and conversations of the tests with the tokenizer ``name``, on both backends."""
    import torch
    from tokenizers_zoo import CHATS, ROWS, TEMPLATES, ZOO, messages  # type: ignore[import-not-found]
    from transformers import LlamaConfig, LlamaForCausalLM

    from ilp_bench.evaluation.measure import score_exactly, wrap
    from ilp_bench.evaluation.vllm import open_engine
    from ilp_bench.models import tokenization as tokens
    from ilp_bench.models.loading import load_model
    from ilp_bench.models.resolve import locate

    torch.manual_seed(0)
    tokenizer = ZOO[name]()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        initializer_range=0.1, max_position_embeddings=512,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    located = locate(str(folder))
    model, tokenizer = load_model(located)
    texts = [tokens.row_text(tokenizer, prompt, completion) for prompt, completion in ROWS]
    tools = [{"type": "function", "function": {"name": "colour", "description": "Colour of a box."}}]
    for template, source in TEMPLATES.items():
        tokenizer.chat_template = source
        arguments = {"tools": tools} if template == "tools" else {}
        for *turns, answer in map(messages, CHATS):
            texts.append(tokens.chat_text(tokenizer, turns, answer["content"], **arguments))
    encoded = tokens.encode_texts(tokenizer, texts)
    requests, ends = [(tuple(each.context), tuple(each.answer)) for each in encoded], [each.end for each in encoded]
    engine, _ = open_engine(located, "float32", False, ENGINE)
    left, right = (score_exactly(lm, requests, ends) for lm in (wrap(model, tokenizer), engine))
    pairs = list(zip(left, right, strict=True))
    without_end = [
        abs(a.answer_logprob - b.answer_logprob)
        for a, b in pairs
        if a.answer_logprob is not None and b.answer_logprob is not None
    ]
    return {
        "tokenizer": name,
        "formats": 1 + len(TEMPLATES),
        "answers": len(pairs),
        "largest_difference": max(abs(a.logprob - b.logprob) for a, b in pairs),
        "largest_difference_without_end": max(without_end, default=None),
        "greedy_agrees": sum(a.greedy == b.greedy for a, b in pairs) / len(pairs),
    }


if __name__ == "__main__":
    if len(sys.argv) == 2:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(compare(sys.argv[1], Path(scratch))), flush=True)
        sys.exit()
    from tokenizers_zoo import ZOO

    results = []
    for each in ZOO:  # an engine a process: vLLM does not give back all that it takes
        run = subprocess.run([sys.executable, __file__, each], capture_output=True, text=True, check=False)
        if run.returncode:
            print(json.dumps({"tokenizer": each, "error": run.stderr.strip().splitlines()[-1]}), flush=True)
            continue
        results.append(json.loads(run.stdout.strip().splitlines()[-1]))
        print(json.dumps(results[-1]), flush=True)
    largest = max((result["largest_difference"] for result in results), default=None)
    print(json.dumps({"tokenizers": len(results), "of": len(ZOO), "largest_difference": largest}))
