"""From examples to token ids, from rows to batches, and the loss of a batch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.templates import question_in
from ilp_bench.models import tokenization as tokens
from ilp_bench.recipes.phase import Example

PACKED_TOKENS = 1024  # tokens of a batch up to which its rows are packed
TEXT_TOKENS = 512  # tokens of one row of continued pre-training, at most
# How far the logits of packed rows may be from those of the rows alone, as a share of their norm. Where rows see one
# another, they are 0.28 to 0.43 apart (nanos, SmolLM2), and where they do not, 3e-7. Two kernels may round otherwise:
# bfloat16 moves the logits of nano by 0.005 and those of SmolLM2, with thirty layers, by 0.011.
PACKING_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.05}


def encode_pairs(
    tokenizer: Any, examples: Sequence[Example], *, chat: bool = False
) -> list[tuple[list[int], list[int]]]:
    """(context ids, completion ids) of each example; with ``chat``, its question and answer under the chat template."""
    if not chat:
        return tokens.encode(tokenizer, *zip(*examples, strict=True)) if examples else []
    texts = [
        tokens.chat_text(tokenizer, [{"role": "user", "content": question_in(prompt)}], completion.strip())
        for prompt, completion in examples
    ]
    return [(encoded.context, encoded.answer) for encoded in tokens.encode_texts(tokenizer, texts)]


def encode(
    tokenizer: Any, examples: Sequence[Example], longest: int, *, chat: bool = False
) -> list[dict[str, list[int]]]:
    """Token ids with labels on completions only; where the prompt is empty, on all but a row's first token.

    A text of more than ``longest`` or ``TEXT_TOKENS`` tokens becomes several rows of nearly the same length; a prompt
    that does not fit beside its completion is cut from the left. Raises ProblemError where a completion by itself is
    longer than ``longest``.
    """
    rows = []
    texts = [text for prompt, text in examples if not prompt]
    for ids in tokenizer(texts)["input_ids"] if texts else ():
        count = -(-len(ids) // min(TEXT_TOKENS, longest))
        ends = [len(ids) * n // count for n in range(count + 1)] if len(ids) > 1 else []
        rows += [{"input_ids": ids[a:b], "labels": [-100, *ids[a + 1 : b]]} for a, b in itertools.pairwise(ends)]
    for context, answer in encode_pairs(tokenizer, [example for example in examples if example[0]], chat=chat):
        if len(answer) >= longest:
            raise ProblemError(
                f"the completion {tokenizer.decode(answer[:8])!r} … has {len(answer)} tokens, and the model takes "
                f"{longest} with its prompt: remove it"
            )
        kept = context[max(0, len(context) + len(answer) - longest) :]
        rows.append({"input_ids": kept + answer, "labels": [-100] * len(kept) + answer})
    return rows


def pad_left(rows: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
    """A batch in which all answers end at the right: ids, mask, positions and labels, each (rows, longest row).

    For models that support packing: what carries a state along, or counts positions by itself, would read the padding.
    """
    import torch

    width = max(len(row["input_ids"]) for row in rows)
    pads = [width - len(row["input_ids"]) for row in rows]
    mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in pads])
    return {
        "input_ids": torch.tensor([[0] * pad + row["input_ids"] for pad, row in zip(pads, rows, strict=True)]),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
        "labels": torch.tensor([[-100] * pad + row["labels"] for pad, row in zip(pads, rows, strict=True)]),
    }


def pad_right(rows: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
    """A batch whose padding no token of a row looks at, whatever the model does with it: ids, mask and labels."""
    import torch

    width = max(len(row["input_ids"]) for row in rows)
    values = {"input_ids": 0, "attention_mask": 0, "labels": -100}
    full = [{**row, "attention_mask": [1] * len(row["input_ids"])} for row in rows]
    return {
        name: torch.tensor([row[name] + [pad] * (width - len(row[name])) for row in full])
        for name, pad in values.items()
    }


def pack_batch(rows: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
    """A packed batch: ids, positions and labels, each (1, tokens); a long one is padded by :func:`pad_left` instead.

    Attention grows with the square of the packed length: beyond ``PACKED_TOKENS`` padding is taken to be the cheaper.
    """
    from transformers import DataCollatorWithFlattening

    if sum(len(row["input_ids"]) for row in rows) > PACKED_TOKENS:
        return pad_left(rows)
    flatten: Any = DataCollatorWithFlattening
    batch: dict[str, Any] = flatten()(rows)
    return batch


def supports_packing(model: Any, dtype: str = "float32") -> bool:
    """Whether the logits of packed rows, as one sequence of (1, tokens), are those of the rows by themselves.

    Transformers masks packed rows from one another where positions restart, if it makes the mask (eager, sdpa, flex)
    or the attention kernel takes the lengths (flash). A model that carries a state along, has an attention of its own,
    or does not compute logits at given positions only, does not support packing. Computed as in training, in ``dtype``.
    """
    return packing_difference(model, dtype) < PACKING_TOLERANCE[dtype]


def packing_difference(model: Any, dtype: str = "float32") -> float:
    """The distance between a packed row's logits and those of the row alone, over the norm of the latter.

    Infinite where the model does not take what packing needs.
    """
    import torch

    first, second = torch.arange(16, device=model.device), torch.arange(8, device=model.device)
    packed = torch.cat([first, second + 16])[None] % model.config.get_text_config().vocab_size
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.autocast(model.device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
            alone = model(packed[:, 16:], use_cache=False).logits.float()
            positions = torch.cat([first, second])[None]
            beside = model(packed, position_ids=positions, use_cache=False, logits_to_keep=second + 16).logits.float()
    except (TypeError, ValueError, IndexError, RuntimeError):  # an argument that this model does not have, or no index
        return float("inf")
    finally:
        model.train(training)
    return float((beside - alone).norm() / alone.norm()) if beside.shape == alone.shape else float("inf")


def keeps_columns(model: Any) -> bool:
    """Whether a model computes logits at given positions only, the same as it computes at all of them."""
    import torch

    ids, columns = torch.arange(8, device=model.device)[None], torch.tensor([2, 5], device=model.device)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            every = model(ids, use_cache=False).logits[:, columns]
            kept = model(ids, use_cache=False, logits_to_keep=columns).logits
    except (TypeError, ValueError, IndexError, RuntimeError):  # as of packing_difference
        return False
    finally:
        model.train(training)
    return bool(kept.shape == every.shape and torch.allclose(kept, every, rtol=1e-2, atol=1e-2))


def answer_loss(model: Any, inputs: dict[str, Any], items: Any, *, keeps: bool = True) -> Any:
    """Summed cross-entropy in nats over the supervised tokens, divided by ``items`` or by their number.

    The vocabulary head is computed only in the columns before one that is supervised, where the model ``keeps`` them;
    in any case by the model itself, whatever it does with the logits behind its head.
    """
    import torch

    labels = inputs["labels"][:, 1:]
    before = (labels != -100).any(0).nonzero()[:, 0]
    rest = {name: value for name, value in inputs.items() if name != "labels"}
    kept = {"logits_to_keep": before} if keeps else {}
    logits = model(**rest, use_cache=False, **kept).logits.float()
    logits, wanted = logits if keeps else logits[:, before], labels[:, before]
    total = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
    return total / (items if items is not None else (wanted != -100).sum().clamp(min=1))
