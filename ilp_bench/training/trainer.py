"""TRL's SFTTrainer with batches that a recipe decides, and with the vocabulary head only where an answer is scored."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilp_bench.core.distributed import Processes, is_sharded
from ilp_bench.recipes.phase import Phase
from ilp_bench.training.collators import answer_loss, pack_batch, pad_left, supports_packing

CHECKPOINTS = 10  # during continued pre-training
CPT_RATE, CPT_BATCH = 6, 4  # continued pre-training takes larger steps on larger batches of short documents


@dataclass(frozen=True)
class Setting:
    """Learning rate, examples a step, device, seed and dtype of one phase."""

    rate: float
    batch_size: int
    device: str
    seed: int
    processes: Processes = Processes()  # noqa: RUF009
    dtype: str = "float32"  # or bfloat16: autocast over weights of float32


@dataclass
class EpochBatches:
    """A batch sampler that gives the batches of one epoch after the other, without end.

    Whoever trains counts the epochs, by setting ``epoch`` before the first batch of the next one is asked for, and ends
    the training. An epoch has as many batches as ``make`` gives; they depend on seed and epoch alone, so a training
    that was killed goes on with the same ones. Of several processes, each gets every ``world_size``-th example of a
    batch; one that would get none gets the first.
    """

    count: int
    size: int
    seed: int
    processes: Processes
    make: Callable[[int, random.Random], Iterator[list[int]]] | None
    epoch: int = 0
    most_steps: int = 10**9  # after which the trainer stops by itself
    _made: tuple[int, list[list[int]]] = field(default=(-1, []))

    def current(self) -> list[list[int]]:
        """The batches of this epoch, as positions of examples, for all processes together."""
        if self._made[0] != self.epoch:
            rng = random.Random(f"{self.seed}/{self.epoch}")
            order = rng.sample(range(self.count), self.count)
            plain = [order[n : n + self.size] for n in range(0, self.count, self.size)]
            self._made = self.epoch, list(self.make(self.size, rng)) if self.make else plain
        return self._made[1]

    def share(self, batch: list[int]) -> list[int]:
        """What of a batch this process trains on."""
        return batch[self.processes.rank :: self.processes.world_size] or batch[:1]

    def __iter__(self) -> Iterator[list[int]]:
        while batches := self.current():
            yield from map(self.share, batches)

    def __len__(self) -> int:
        return self.most_steps


def gather_weights(trainer: Any) -> dict[str, Any]:
    """The whole weights of a model that is sharded over processes; to be called by all of them."""
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) or {}
    return {name: (part.full_tensor() if hasattr(part, "full_tensor") else part).cpu() for name, part in state.items()}


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
    batches: EpochBatches | None = None,
) -> Any:
    """A trainer over encoded rows that saves its checkpoints to ``scratch``.

    With ``batches`` of a recipe, it goes on until a callback stops it, and saves when a callback says so. Without them,
    it trains one epoch in batches of rows of like length, as continued pre-training does, and saves ``CHECKPOINTS``
    times. Nothing but public methods of transformers and TRL is overridden.
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
            self.losses: list[Any] = []  # of the epoch's batches; the parts of one add up to its loss

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            # Where Triton runs, TRL skips unsupervised positions itself; elsewhere it scores every position.
            if return_outputs or not packs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return answer_loss(model, inputs, num_items_in_batch) * self.accelerator.num_processes

        def training_step(self, *values: Any, **named: Any) -> Any:
            loss = super().training_step(*values, **named)
            self.losses.append(loss)
            return loss

        def mean_losses(self) -> list[float]:
            """The losses, each the mean over all processes; to be called by all of them."""
            losses = torch.tensor([float(loss) for loss in self.losses], device=self.args.device)
            mean: list[float] = self.accelerator.reduce(losses, "mean").tolist()
            return mean

        def loss_of_epoch(self, steps: int) -> float:
            """Mean loss of the steps since it was last asked for, in nats a supervised token."""
            mean = sum(self.mean_losses()) / max(1, steps)
            self.losses = []
            return round(mean, 5)

        def get_train_dataloader(self) -> Any:
            if batches is None:
                return super().get_train_dataloader()
            # Not prepared by accelerate, which would give each process batches of its own and fetch one too early. With
            # a generator of its own, it draws nothing from the stream that dropout uses.
            return DataLoader(
                self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator, generator=torch.Generator()
            )

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
        ignore_data_skip=batches is not None,  # they begin at the epoch that they are told
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
    trainer = Trainer(
        model=model,
        args=config,
        train_dataset=HFDataset.from_list(rows),
        processing_class=tokenizer,
        data_collator=pack_batch if packs and not pretraining else pad_left,  # documents are grouped by length
    )
    if packs:
        trainer.model_accepts_loss_kwargs = True  # answer_loss always wants the number of supervised tokens of a step
    trainer.remove_callback(PrinterCallback)
    return trainer
