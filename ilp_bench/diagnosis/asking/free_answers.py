"""What the tuned model itself answers where answers are long, greedily and without help: ROUGE-L is read from that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ilp_bench.diagnosis.answers import SHORT
from ilp_bench.diagnosis.asking.ask import encode_known
from ilp_bench.evaluation.batches import map_in_batches
from ilp_bench.evaluation.generation import GREEDY, carries_state
from ilp_bench.models.tokenization import Text, Tokens

MOST = 16  # long answers that are generated
MOST_TOKENS = 256  # of one


def free_answers(lm: Any, tokenizer: Any, texts: Sequence[Text | None]) -> dict[int, tuple[str, str]]:
    """Position -> (what the model answers, the supervised answer as far as that could reach), of some long answers."""
    encoded = encode_known(tokenizer, texts)
    asked = [(n, each) for n, each in enumerate(encoded) if each is not None and len(each.answer) > SHORT][:MOST]

    def generate(part: Sequence[Tokens]) -> list[tuple[str, str]]:
        import torch

        length = min(MOST_TOKENS, max(len(each.answer) for each in part))
        room = lm.max_length - length
        contexts = [each.context[-room:] for each in part]
        width, pad = max(map(len, contexts)), tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in contexts], device=lm.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in contexts], device=lm.device)
        with torch.no_grad():
            rows = lm.model.generate(ids, attention_mask=mask, max_new_tokens=length, pad_token_id=pad, **GREEDY)
        return [
            (
                tokenizer.decode(row[width : width + len(each.answer)].tolist(), skip_special_tokens=True),
                tokenizer.decode(each.answer[:length], skip_special_tokens=True),
            )
            for row, each in zip(rows, part, strict=True)
        ]

    size = 1 if carries_state(lm.model) else lm.fitted  # padding is on the left
    results, _ = map_in_batches(generate, [each for _, each in asked], size, "long answer") if asked else ([], 0)
    return {n: result for (n, _), result in zip(asked, results, strict=True)}


def rouge_l(answered: str, supervised: str) -> float:
    """ROUGE-L F1 in [0, 1] of two texts."""
    from rouge_score.rouge_scorer import RougeScorer

    return float(RougeScorer(["rougeL"]).score(supervised, answered)["rougeL"].fmeasure)
