"""TRL's SFTTrainer with batches that a recipe decides, and with the vocabulary head only where an answer is scored."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilp_bench.core.distributed import Processes
from ilp_bench.recipes.phase import Phase
from ilp_bench.training.collators import answer_loss, end_to_end, keeps_rows_apart, pad_left

PARTS = 10  # checkpoints during continued pre-training
CPT_RATE, CPT_BATCH = 6, 4  # continued pre-training takes larger steps on larger batches of short documents


@dataclass(frozen=True)
class Setting:
    """Learning rate, examples a step, device and seed of one phase."""

    rate: float
    batch_size: int
    device: str
    seed: int
    processes: Processes = Processes()  # noqa: RUF009


@dataclass
class EpochBatches:
    """A batch sampler that gives the same batches for the same seed and epoch, also after a restart.

    Each of several processes gets every so-manieth example of a batch; one that would get none gets the first.
    """

    count: int
    size: int
    seed: int
    processes: Processes
    make: Callable[[int, random.Random], Iterator[list[int]]] | None
    epoch: int = 0
    _made: tuple[int, list[list[int]]] = field(default=(-1, []))

    def whole(self) -> list[list[int]]:
        """The batches of this epoch, all processes together."""
        if self._made[0] != self.epoch:
            rng = random.Random(f"{self.seed}/{self.epoch}")
            order = rng.sample(range(self.count), self.count)
            plain = [order[n : n + self.size] for n in range(0, self.count, self.size)]
            self._made = self.epoch, list(self.make(self.size, rng)) if self.make else plain
        return self._made[1]

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.whole():
            yield batch[self.processes.rank :: self.processes.world_size] or batch[:1]

    def __len__(self) -> int:
        return len(self.whole())


def in_parts() -> bool:
    """Whether ``accelerate launch`` spreads the model over processes, as it tells them."""
    return any(os.environ.get(f"ACCELERATE_USE_{kind}") == "true" for kind in ("FSDP", "DEEPSPEED"))


def gathered(trainer: Any) -> dict[str, Any]:
    """The whole weights of a model whose parts lie with several processes; to be called by all of them."""
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) or {}
    return {name: (part.full_tensor() if hasattr(part, "full_tensor") else part).cpu() for name, part in state.items()}


def sft_trainer(
    model: Any,
    tokenizer: Any,
    phase: Phase,
    rows: list[dict[str, list[int]]],
    scratch: Path,
    setting: Setting,
    batches: EpochBatches | None = None,
    epochs: int = 1,
) -> Any:
    """A trainer for at most ``epochs`` over encoded rows.

    It takes the ``batches`` of a recipe; without them, batches of rows of like length, as continued pre-training does.
    Its checkpoints go to ``scratch``.
    """
    import torch
    from datasets import Dataset as HFDataset
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    class Trainer(SFTTrainer):  # type: ignore[misc]
        def __init__(self, **known: Any) -> None:
            super().__init__(**known)
            self.losses: list[Any] = []  # of the epoch's batches; the parts of one add up to its loss

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            # Where Triton runs, TRL skips unsupervised positions itself; elsewhere it scores every position.
            if return_outputs or not apart:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return answer_loss(model, inputs, num_items_in_batch) * self.accelerator.num_processes

        def training_step(self, *known: Any, **named: Any) -> Any:
            loss = super().training_step(*known, **named)
            self.losses.append(loss)
            return loss

        def mean_losses(self) -> list[float]:
            """The losses, each the mean over all processes; to be called by all of them."""
            found = torch.tensor([float(loss) for loss in self.losses], device=self.args.device)
            mean: list[float] = self.accelerator.reduce(found, "mean").tolist()
            return mean

        def loss_of_epoch(self, steps: int) -> float:
            """Mean loss of the steps since it was last asked for, in nats a supervised token."""
            found = sum(self.mean_losses()) / max(1, steps)
            self.losses = []
            return round(found, 5)

        def _run_epoch(self, **known: Any) -> Any:
            """An epoch is as long as its batches are: transformers fixes that once, at the start."""
            if batches:
                known |= dict.fromkeys(("steps_in_epoch", "num_update_steps_per_epoch"), len(batches))
            return super()._run_epoch(**known)

        def _init_training_state(self, *known: Any) -> tuple[int, int]:
            """Epochs that a saved state has behind it; saved are whole ones alone."""
            epochs, steps = super()._init_training_state(*known)
            return (round(self.state.epoch or 0), 0) if batches else (epochs, steps)

        def get_train_dataloader(self) -> Any:
            if batches is None:
                return super().get_train_dataloader()
            # Not prepared by accelerate, which would give each process batches of its own.
            return DataLoader(self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator)

    pretraining = phase.kind == "cpt"
    kept = "epoch" if batches else "steps"  # continued pre-training is one long epoch
    config = SFTConfig(
        output_dir=str(scratch),
        num_train_epochs=epochs,
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
        bf16=setting.device.startswith("cuda"),
        use_cpu=setting.device == "cpu",
        save_strategy="no" if phase.watch or in_parts() else kept,
        save_steps=1 / PARTS,
        save_total_limit=2,  # the older one goes only when the newer is whole
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=setting.device != "cpu",
        seed=setting.seed,
        data_seed=setting.seed,
    )
    config._n_gpu = min(1, config.n_gpu)  # several GPUs are for accelerate launch, not for DataParallel
    apart = not setting.device.startswith("cuda") and keeps_rows_apart(model)
    trainer = Trainer(
        model=model,
        args=config,
        train_dataset=HFDataset.from_list(rows),
        processing_class=tokenizer,
        data_collator=end_to_end if apart and not pretraining else pad_left,  # documents are grouped by length
    )
    if apart:
        trainer.model_accepts_loss_kwargs = True  # answer_loss always wants the number of supervised tokens of a step
    trainer.remove_callback(PrinterCallback)
    return trainer
