"""TRL's SFTTrainer with batches that a recipe decides, and with the vocabulary head only where an answer is scored."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilp_bench.core.distributed import Processes, is_sharded
from ilp_bench.recipes.phase import Phase
from ilp_bench.training.batches import Pieces, TokenBatches
from ilp_bench.training.collators import answer_loss, keeps_columns, pack_batch, pad_left, pad_right, supports_packing

CHECKPOINTS = 10  # during continued pre-training
CPT_RATE, CPT_BATCH = 6, 4  # continued pre-training takes larger steps on larger batches of short documents


@dataclass(frozen=True)
class Setting:
    """Learning rate, examples a step, device, seed, dtype and prompt format of one phase."""

    rate: float
    batch_size: int
    device: str
    seed: int
    processes: Processes = Processes()  # noqa: RUF009
    dtype: str = "float32"  # or bfloat16: autocast over weights of float32
    chat: bool = False  # whether rows are trained under the model's chat template


def gather_weights(trainer: Any) -> dict[str, Any]:
    """The whole weights of a model that is sharded over processes; to be called by all of them."""
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) or {}
    return {name: (part.full_tensor() if hasattr(part, "full_tensor") else part).cpu() for name, part in state.items()}


def make_savable(model: Any) -> None:
    """Mend generation settings with which transformers saves no model once its trainer has set the mark ids in them.

    Most often these are settings of sampling without ``do_sample``, as published models have them.
    """
    from transformers import GenerationConfig

    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    settings = getattr(whole, "generation_config", None)
    if settings is None or _is_valid(settings):
        return
    settings.do_sample = True
    if not _is_valid(settings):
        whole.generation_config = GenerationConfig.from_model_config(whole.config)


def _is_valid(settings: Any) -> bool:
    try:
        settings.validate(strict=True)
    except ValueError:
        return False
    return True


def saves_checkpoints(phase: Phase) -> bool:
    """Whether checkpoints are of use: they lack what ``watch`` counts, and the shards of other processes."""
    return not phase.watch and not is_sharded()


def sft_trainer(
    model: Any,
    tokenizer: Any,
    phase: Phase,
    rows: list[dict[str, list[int]]],
    scratch: Path,
    setting: Setting,
    batches: TokenBatches | None = None,
) -> Any:
    """A trainer over encoded rows that saves its checkpoints to ``scratch``.

    With ``batches``, it goes on until a callback stops it, and saves when a callback says so. Without them, it trains
    one epoch in batches of rows of like length, as continued pre-training does, and saves ``CHECKPOINTS`` times.
    Nothing but public methods of transformers and TRL is overridden.
    """
    import torch
    from datasets import Dataset as HFDataset
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback
    from trl import SFTTrainer

    from ilp_bench.training.sft_config import OneGpuConfig

    class Trainer(SFTTrainer):  # type: ignore[misc]
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.losses: list[Any] = []  # of the batches since the last check; the parts of one add up to its loss

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            # TRL multiplies by the head itself, and where Triton does not run it scores every position: what some
            # models do with the logits behind the head, such as RecurrentGemma, would be left out of the loss.
            if return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return answer_loss(model, inputs, num_items_in_batch, keeps=keeps) * self.accelerator.num_processes

        def training_step(self, *values: Any, **named: Any) -> Any:
            loss = super().training_step(*values, **named)
            self.losses.append(loss)
            return loss

        def mean_losses(self) -> list[float]:
            """The losses, each the mean over all processes; to be called by all of them."""
            losses = torch.tensor([float(loss) for loss in self.losses], device=self.args.device)
            mean: list[float] = self.accelerator.reduce(losses, "mean").tolist()
            return mean

        def mean_loss(self, steps: int) -> float:
            """Mean loss of the steps since it was last asked for, in nats a supervised token."""
            mean = sum(self.mean_losses()) / max(1, steps)
            self.losses = []
            return round(mean, 5)

        def get_train_dataloader(self) -> Any:
            if batches is None:
                return super().get_train_dataloader()
            # Not prepared by accelerate, which would give each process batches of its own and fetch one too early. With
            # a generator of its own, it draws nothing from the stream that dropout uses.
            pieces: Any = Pieces(rows)
            return DataLoader(pieces, batch_sampler=batches, collate_fn=self.data_collator, generator=torch.Generator())

    pretraining, mixed = phase.kind == "cpt", setting.dtype == "bfloat16"
    if not mixed:  # some versions of transformers leave there what an earlier training in this process was
        os.environ.pop("ACCELERATE_MIXED_PRECISION", None)
    config = OneGpuConfig(
        output_dir=str(scratch),
        num_train_epochs=1,
        per_device_train_batch_size=max(1, setting.batch_size // setting.processes.world_size),
        gradient_accumulation_steps=CPT_BATCH if pretraining else 1,
        learning_rate=setting.rate * (CPT_RATE if pretraining else 1),
        lr_scheduler_type="cosine" if pretraining else "constant_with_warmup",
        warmup_steps=20 if pretraining else 5,
        weight_decay=0.0,
        train_sampling_strategy="group_by_length" if pretraining else "random",
        max_length=None,
        packing=False,
        shuffle_dataset=False,
        gradient_checkpointing=False,
        bf16=mixed,
        use_cpu=setting.device == "cpu",
        save_strategy="steps" if saves_checkpoints(phase) and batches is None else "no",
        save_steps=1 / CHECKPOINTS,
        ignore_data_skip=batches is not None,  # they begin at the step that they are told
        save_total_limit=2,  # the older one goes only when the newer is whole
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=setting.device != "cpu",
        seed=setting.seed,
        data_seed=setting.seed,
    )
    packs = supports_packing(model, setting.dtype)
    keeps = packs or keeps_columns(model)
    packed = pad_left if pretraining else pack_batch  # documents are grouped by length
    make_savable(model)
    use_cache = getattr(model.config, "use_cache", None)
    trainer = Trainer(
        model=model,
        args=config,
        train_dataset=HFDataset.from_list(rows),
        processing_class=tokenizer,
        data_collator=packed if packs else pad_right,
    )
    trainer.model_accepts_loss_kwargs = True  # answer_loss always wants the number of supervised tokens of a step
    if use_cache is not None:  # transformers switches it off, and whoever generates with what is saved would go without
        model.config.use_cache = use_cache
    trainer.remove_callback(PrinterCallback)
    return trainer
