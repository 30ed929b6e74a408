"""Pre-train ``nano`` from nothing on :mod:`ilp_bench.data.corpus`.

Call it as ``python -m ilp_bench.models.nano.build [--name nano-qwen3]``.

About eight minutes on two CPU cores. Writes tokenizer, config and float32 safetensors to ``weights/<architecture>/``.
The three architectures see the same text in the same order.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    Olmo2Config,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from ilp_bench.data.corpus import documents
from ilp_bench.models.nano import CONTEXT, NANO, nano_path

VOCABULARY, END = 2048, "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)


def build_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE; it has seen some invented words too (``words.txt``), so that such words are not all letters."""
    text = list(documents(random.Random(seed)))
    words = files("ilp_bench.models.nano").joinpath("words.txt").read_text().split()
    text += [f"We heard of {word} today.\n" for word in words]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    specials = [END, "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=specials, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(text, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


CONFIGS: dict[str, type[PreTrainedConfig]] = {"llama": LlamaConfig, "qwen3": Qwen3Config, "olmo2": Olmo2Config}


def build_config(vocabulary: int, architecture: str = "llama") -> PreTrainedConfig:
    """Width 128, four layers, four heads: about a million parameters. The others normalise queries and keys too."""
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": 128,
        "intermediate_size": 352,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 32,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }
    return CONFIGS[architecture].from_dict(sizes)


def batches(rows: list[list[int]], tokens: int, rng: random.Random) -> Iterator[torch.Tensor]:
    """Length-sorted batches of at most ``tokens`` padded tokens, in random order; padding is -100."""
    rng.shuffle(rows)
    rows.sort(key=len)
    groups: list[list[list[int]]] = [[]]
    for row in rows:
        if groups[-1] and len(row) * (len(groups[-1]) + 1) > tokens:
            groups.append([])
        groups[-1].append(row)
    rng.shuffle(groups)
    for group in groups:
        width = max(map(len, group))
        yield torch.tensor([row + [-100] * (width - len(row)) for row in group])


def pretrain(
    out: Path, epochs: int, seed: int, tokens: int = 4096, rate: float = 3e-3, architecture: str = "llama"
) -> dict[str, float]:
    """Train and save; returns the loss, tokens and seconds it took. Same seed and machine, same weights."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    tokenizer = build_tokenizer(seed)
    model = AutoModelForCausalLM.from_config(build_config(len(tokenizer), architecture))  # type: ignore[no-untyped-call]
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
    schedule: torch.optim.lr_scheduler.OneCycleLR | None = None
    start, seen, loss_sum, steps = time.monotonic(), 0, 0.0, 0
    for epoch in range(epochs):
        rows = [ids[:CONTEXT] for ids in tokenizer(list(documents(rng)))["input_ids"]]
        todo = list(batches(rows, tokens, rng))
        if schedule is None:
            total = int(epochs * len(todo) * 1.02) + 1
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=total, pct_start=0.08)
        loss_sum, steps = 0.0, 0
        for labels in todo:
            ids = labels.clamp(min=0)
            loss = model(input_ids=ids, attention_mask=(labels >= 0).long(), labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            if schedule.last_epoch < schedule.total_steps - 1:
                schedule.step()
            seen, loss_sum, steps = seen + labels.numel(), loss_sum + loss.item(), steps + 1
        print(f"epoch {epoch + 1}/{epochs} loss {loss_sum / steps:.4f} {time.monotonic() - start:.0f} s", flush=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    report = {"loss": loss_sum / steps, "tokens": seen, "seconds": round(time.monotonic() - start), "epochs": epochs}
    (out / "pretraining.json").write_text(json.dumps({"seed": seed, **report}, indent=1) + "\n")
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", choices=NANO, default="nano")
    parser.add_argument("--out", type=Path, help="default: where the package keeps its weights")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    out = options.out or nano_path(options.name)
    print(pretrain(out, options.epochs, options.seed, architecture=NANO[options.name]))
