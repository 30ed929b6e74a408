import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import nano_path
from ilp_bench.models.resolve import locate
from ilp_bench.recipes.phase import Phase
from ilp_bench.training.batches import TokenBatches
from ilp_bench.training.trainer import Setting, make_savable, sft_trainer

ROWS = [{"input_ids": [5, 6, 7, 8], "labels": [-100, -100, 7, 8]}] * 6


def trainer(
    kind: Any, scratch: Path, batches: TokenBatches | None, dtype: str = "float32", generation: Any = None
) -> Any:
    model, tokenizer = load_model(locate("nano"))
    model.generation_config.update(**(generation or {}))
    phase = Phase("x", kind, [("a", "b")] * len(ROWS))
    return sft_trainer(model, tokenizer, phase, ROWS, scratch, Setting(1e-4, 2, "cpu", 0, dtype=dtype), batches)


@pytest.mark.parametrize("kind", ["sft", "cpt"])
def test_no_private_method_of_a_library_is_overridden(kind: str, tmp_path: Path) -> None:
    batches = TokenBatches(ROWS, 2, 0) if kind == "sft" else None
    ours = trainer(kind, tmp_path, batches)
    for cls in (type(ours), type(ours.args)):
        assert cls.__module__.startswith("ilp_bench")
        private = [name for name in vars(cls) if name.startswith("_") and not name.startswith("__")]
        assert not [name for name in private if any(hasattr(base, name) for base in cls.__mro__[1:])]


def test_a_callback_ends_the_training_in_an_epoch_of_any_length(tmp_path: Path) -> None:
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop = state.global_step == 8

    ours = trainer("sft", tmp_path, TokenBatches(ROWS, 2, 0))  # 3 batches an epoch
    ours.add_callback(Stop())
    ours.train()
    assert ours.state.global_step == 8
    assert len(ours.losses) == 8


def test_training_takes_no_more_than_the_most_steps(tmp_path: Path) -> None:
    ours = trainer("sft", tmp_path, TokenBatches(ROWS, 2, 0, most_steps=5))
    ours.train()
    assert ours.state.global_step == 5


def test_bfloat16_is_autocast_over_float32_weights_and_ends_with_its_training(tmp_path: Path) -> None:
    for dtype in ("bfloat16", "float32"):
        ours = trainer("sft", tmp_path / dtype, TokenBatches(ROWS, 2, 0, most_steps=2), dtype)
        computed: set[torch.dtype] = set()
        head = ours.model.get_output_embeddings()
        head.register_forward_hook(lambda module, inputs, output, into=computed: into.add(output.dtype))
        ours.train()
        assert computed == {getattr(torch, dtype)}
        assert {part.dtype for part in ours.model.parameters()} == {torch.float32}
        assert "logits_to_keep" in inspect.signature(ours.model.forward).parameters  # as evaluation asks it


@pytest.mark.parametrize("settings", [{"do_sample": False, "temperature": 0.6}, {"max_new_tokens": 0}])
def test_a_model_with_settings_that_transformers_refuses_is_saved_all_the_same(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """As transformers has them after its trainer changed them; unchanged ones it only warns of."""
    from transformers import GenerationConfig

    model, _ = load_model(locate("nano"))
    model.generation_config = GenerationConfig(eos_token_id=7)
    make_savable(model)
    assert model.generation_config.eos_token_id == 7  # what is valid stays as it is
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    with pytest.raises(ValueError, match="Fix these issues to save"):
        model.save_pretrained(tmp_path)
    make_savable(model)
    model.save_pretrained(tmp_path)


def test_the_trainer_saves_such_a_model(tmp_path: Path) -> None:
    from transformers import TrainerCallback

    class Save(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_save = True

    ours = trainer("sft", tmp_path, TokenBatches(ROWS, 2, 0, most_steps=1), generation={"temperature": 0.6})
    assert ours.model.config.use_cache
    ours.add_callback(Save())
    ours.train()
    assert (tmp_path / "checkpoint-1" / "model.safetensors").is_file()
    before, saved = (
        json.loads((folder / "config.json").read_text()) for folder in (nano_path(), tmp_path / "checkpoint-1")
    )
    assert {**before, "transformers_version": ""} == {**saved, "transformers_version": ""}
