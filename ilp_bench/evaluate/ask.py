"""What a base model answers when asked with examples shown: text and confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

ANSWER_TOKENS = 8


class Said(NamedTuple):
    """A greedy answer up to a line's end, its probability in [0, 1] as a whole, and whether the line ended."""

    text: str
    probability: float
    finished: bool


def answers(
    model: Any, tokenizer: Any, prompts: Sequence[str], batch: int = 32, longest: int = ANSWER_TOKENS
) -> list[Said]:
    """What the model says to each prompt, in at most ``longest`` tokens."""
    import torch

    ids = tokenizer(list(prompts))["input_ids"]
    order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    found: dict[int, Said] = {}
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        width = max(len(ids[n]) for n in part)
        pad = tokenizer.pad_token_id or 0
        rows = torch.tensor([[pad] * (width - len(ids[n])) + ids[n] for n in part], device=model.device)
        mask = torch.tensor([[0] * (width - len(ids[n])) + [1] * len(ids[n]) for n in part], device=model.device)
        with torch.no_grad():
            done = model.generate(
                rows, attention_mask=mask, do_sample=False, max_new_tokens=longest, pad_token_id=pad,
                output_logits=True, return_dict_in_generate=True, temperature=None, top_p=None, top_k=None,
            )  # fmt: skip
        drawn = done.sequences[:, width:]
        chances = torch.stack([step.float().log_softmax(-1).max(-1).values for step in done.logits], dim=1)
        for n, row, chance in zip(part, drawn.tolist(), chances.tolist(), strict=True):
            text, total = "", 0.0
            for token, value in zip(row, chance, strict=False):
                text, total = text + tokenizer.decode([token]), total + value
                if "\n" in text:
                    break
            found[n] = Said(text.split("\n")[0], float(torch.tensor(total).exp()), "\n" in text)
    return [found[n] for n in range(len(ids))]
