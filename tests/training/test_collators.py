from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MambaConfig,
    MambaForCausalLM,
    RecurrentGemmaConfig,
    RwkvConfig,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import causal_mask_function, sdpa_mask

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.logs import quiet
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.recipes.phase import Phase
from ilp_bench.training.adapter import add_adapter
from ilp_bench.training.batches import TokenBatches
from ilp_bench.training.collators import (
    PACKED_TOKENS,
    PACKING_TOLERANCE,
    TEXT_TOKENS,
    answer_loss,
    encode,
    pack_batch,
    packing_difference,
    pad_left,
    supports_packing,
)
from ilp_bench.training.trainer import Setting, sft_trainer

ROWS = [
    {"input_ids": [5, 6, 7, 8, 9], "labels": [-100, -100, -100, 8, 9]},
    {"input_ids": [9, 8], "labels": [-100, 8]},
    {"input_ids": [4, 4, 3, 2, 7, 6, 5], "labels": [-100, -100, 3, 2, 7, 6, 5]},
]


@pytest.mark.parametrize(("name", "lora"), [("nano", 0), ("nano", 4), ("nano-qwen3", 0), ("nano-olmo2", 0)])
def test_packed_rows_have_the_loss_and_gradients_of_each_by_itself(name: str, lora: int) -> None:
    model = add_adapter(load_model(locate(name))[0], locate(name), lora, seed=0)
    assert supports_packing(model)

    def gradient(batches: list[dict[str, torch.Tensor]]) -> tuple[float, torch.Tensor]:
        model.zero_grad()
        loss = sum(answer_loss(model, batch, 8) for batch in batches)
        loss.backward()
        return loss.item(), torch.cat([part.grad.flatten() for part in model.parameters() if part.requires_grad])

    alone = gradient([pad_left([row]) for row in ROWS])
    for batch in (pad_left(ROWS), pack_batch(ROWS)):
        loss, grad = gradient([batch])
        assert loss == pytest.approx(alone[0], rel=1e-5)
        assert (grad - alone[1]).norm() < 1e-4 * alone[1].norm()


@pytest.fixture
def leaking() -> Any:
    """nano with an attention that masks padding, and lets packed rows see one another."""

    def mask(*, mask_function: Any, **settings: Any) -> Any:
        del mask_function
        return sdpa_mask(mask_function=causal_mask_function, **settings)

    AttentionInterface.register("leaking", sdpa_attention_forward)
    AttentionMaskInterface.register("leaking", mask)
    model, _ = load_model(locate("nano"))
    model.set_attn_implementation("leaking")
    return model


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["nano", "nano-qwen3", "nano-olmo2"])
def test_rows_are_kept_apart_by_a_wide_margin_in_both_dtypes(name: str, dtype: str, leaking: Any) -> None:
    for attention in ("sdpa", "eager"):
        model, _ = load_model(locate(name))
        model.set_attn_implementation(attention)
        assert packing_difference(model, dtype) < PACKING_TOLERANCE[dtype] / 4
    assert packing_difference(leaking, dtype) > PACKING_TOLERANCE[dtype] * 4


def test_training_falls_back_to_padding_where_attention_leaks(tmp_path: Path, leaking: Any) -> None:
    """Its first loss is that of nano on the same rows: packed, it would be another one."""
    _, tokenizer = load_model(locate("nano"))
    packed, losses = answer_loss(leaking, pack_batch(ROWS), 8).item(), []
    for model in (load_model(locate("nano"))[0], leaking):
        batches = TokenBatches(ROWS, len(ROWS), 0, most_steps=1)
        phase, setting = Phase("x", "sft", [("a", "b")] * len(ROWS)), Setting(1e-4, len(ROWS), "cpu", 0)
        with quiet():
            ready = sft_trainer(model, tokenizer, phase, ROWS, tmp_path, setting, batches)
            ready.train()
        losses.append((ready.data_collator.__name__, float(ready.losses[0])))
    (kept_apart, expected), (fallen_back, loss) = losses
    assert (kept_apart, fallen_back) == ("pack_batch", "pad_right")
    assert loss == pytest.approx(expected, rel=1e-5)
    assert packed != pytest.approx(expected, rel=1e-3)


def test_a_model_that_carries_a_state_along_does_not_keep_rows_apart() -> None:
    small = {"vocab_size": 40, "num_hidden_layers": 2}
    with quiet():
        mamba = MambaForCausalLM(MambaConfig(hidden_size=16, **small))
        gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2))
    assert not supports_packing(mamba)
    assert supports_packing(gpt2)


SMALL: dict[str, Any] = {"vocab_size": 2048, "hidden_size": 32, "num_hidden_layers": 2}


@pytest.mark.parametrize("kind", ["sft", "cpt"])
@pytest.mark.parametrize(
    "config",
    [
        RwkvConfig(attention_hidden_size=32, intermediate_size=64, **SMALL),
        RecurrentGemmaConfig(num_attention_heads=4, intermediate_size=64, lru_width=32, attention_window_size=32,
                             block_types=["recurrent", "attention"], **SMALL),
    ],
    ids=["rwkv", "recurrent_gemma"],
)  # fmt: skip
def test_padding_enters_no_state_in_training(config: Any, kind: str, tmp_path: Path) -> None:
    """The first loss is that of the rows by themselves, in models that read padding into what they carry along."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for weights in model.parameters():
        if weights.dim() > 1:
            weights.data.normal_(0, 0.4)
    _, tokenizer = load_model(locate("nano"))
    alone = 0.0
    for row in ROWS:
        logits = model(torch.tensor([row["input_ids"]])).logits[0, :-1].detach()
        alone += torch.nn.functional.cross_entropy(logits, torch.tensor(row["labels"][1:]), reduction="sum").item()
    batches = TokenBatches(ROWS, len(ROWS), 0, most_steps=1) if kind == "sft" else None
    phase, setting = Phase("x", kind, [("a", "b")] * len(ROWS)), Setting(1e-4, len(ROWS), "cpu", 0)
    with quiet():
        ready = sft_trainer(model, tokenizer, phase, ROWS, tmp_path, setting, batches)
        ready.train()
    assert float(ready.losses[0]) == pytest.approx(alone / 8, rel=1e-4)


def test_long_rows_are_padded_instead_of_laid_on_one_long_line() -> None:
    row = {"input_ids": [5] * (PACKED_TOKENS // 2), "labels": [5] * (PACKED_TOKENS // 2)}
    assert pack_batch([row] * 2)["input_ids"].shape == (1, PACKED_TOKENS)
    assert pack_batch([row] * 3)["input_ids"].shape == (3, PACKED_TOKENS // 2)


def test_a_long_text_becomes_pieces_and_loses_nothing() -> None:
    _, tokenizer = load_model(locate("nano"))
    text = "The capital of Norway is Oslo. " * 200
    ids = tokenizer(text)["input_ids"]
    for longest in (TEXT_TOKENS, 100, 1_000_000):
        rows = encode(tokenizer, [("", "short"), ("", text)], longest)
        lengths = [len(row["input_ids"]) for row in rows[1:]]
        assert max(lengths) <= min(longest, TEXT_TOKENS)
        assert max(lengths) - min(lengths) <= 1
        assert [n for row in rows[1:] for n in row["input_ids"]] == ids
        assert all(row["labels"] == [-100, *row["input_ids"][1:]] for row in rows)


def test_a_long_prompt_is_cut_from_the_left_and_a_long_completion_refused() -> None:
    _, tokenizer = load_model(locate("nano"))
    (whole,) = encode(tokenizer, [("word " * 60 + "Q: where? A:", " Oslo\n")], 512)
    (kept,) = encode(tokenizer, [("word " * 60 + "Q: where? A:", " Oslo\n")], 20)
    assert kept["input_ids"] == whole["input_ids"][-20:]
    assert kept["labels"] == whole["labels"][-20:]
    with pytest.raises(ProblemError, match="remove it"):
        encode(tokenizer, [("Q:", " Oslo" * 60)], 20)


def test_pretraining_in_parts_of_a_batch_gives_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four parts of sixteen texts, or one batch of them all: the same steps, so the memory of a part is enough."""
    from ilp_bench.training import trainer

    texts = [("", f"{'Some words are said. ' * (n % 7)}The number is {n}.\n") for n in range(200)]
    found = {}
    for parts, size in ((4, 16), (1, 64)):
        monkeypatch.setattr(trainer, "CPT_BATCH", parts)
        model, tokenizer = load_model(locate("nano"))
        rows, phase = encode(tokenizer, texts, 512), Phase("knowledge", "cpt", texts)
        with quiet():
            ready = trainer.sft_trainer(
                model, tokenizer, phase, rows, tmp_path / str(parts), trainer.Setting(1e-4, size, "cpu", 0)
            )
            ready.args.save_strategy = "no"
            ready.train()
        steps = ready.state.global_step
        found[parts] = steps, ready.mean_loss(steps), torch.cat([p.detach().flatten() for p in model.parameters()])
    (steps, loss, weights), (steps_whole, loss_whole, weights_whole) = found.values()
    assert steps == steps_whole == 4
    assert loss == pytest.approx(loss_whole, rel=1e-4)
    assert (weights - weights_whole).abs().max() < 1e-4
