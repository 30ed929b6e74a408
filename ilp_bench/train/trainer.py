"""One phase of a recipe, carried out by TRL's SFTTrainer."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilp_bench import tokens
from ilp_bench.errors import ProblemError
from ilp_bench.estimate import learned
from ilp_bench.evaluate import score, wrap
from ilp_bench.evaluate.hf import quiet
from ilp_bench.files import read_json, write_text
from ilp_bench.train.log import Log
from ilp_bench.train.phase import CONVERGED, Epoch, Example, Phase
from ilp_bench.train.processes import Processes

# Told after each step: phase, epoch, share of the reference learned after the last one, steps of this one done and all.
Progress = Callable[[str, int, float | None, tuple[int, int]], None]
PARTS = 10  # checkpoints during continued pre-training
WHOLE = "whole.json"  # written last into a checkpoint: the losses of the epoch's batches so far
LINE = 1024  # tokens of a batch up to which its rows are laid end to end
CPT_RATE, CPT_BATCH = 6, 4  # continued pre-training takes larger steps on larger batches of short documents


@dataclass(frozen=True)
class Setting:
    """Learning rate, examples a step, device and seed of one phase."""

    rate: float
    batch_size: int
    device: str
    seed: int
    team: Processes = Processes()  # noqa: RUF009


@dataclass
class _EpochBatches:
    """A batch sampler that gives the same batches for the same seed and epoch, also after a restart.

    Each of several processes gets every so-manieth example of a batch; one that would get none gets the first.
    """

    count: int
    size: int
    seed: int
    team: Processes
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
            yield batch[self.team.rank :: self.team.world] or batch[:1]

    def __len__(self) -> int:
        return len(self.whole())


def run_phase(
    model: Any,
    tokenizer: Any,
    phase: Phase,
    setting: Setting,
    scratch: Path,
    log: Log,
    progress: Progress | None,
) -> tuple[dict[str, Any], Any]:
    """Train one phase, from the trainer's last checkpoint in ``scratch`` where there is one; returns its report.

    Beside it, the whole weights where the model's parts lie with several processes (None elsewhere, and for all but the
    first of them).
    Raises ProblemError when the reference is not learned within the phase's epochs.
    """
    from transformers import TrainerCallback

    examples = _encode(tokenizer, phase.examples)
    lengths = [len(row["input_ids"]) for row in examples]
    reference = _pairs(tokenizer, phase.reference)
    probes = _pairs(tokenizer, log.probes)
    make = phase.batches
    batches = (
        _EpochBatches(len(examples), setting.batch_size, setting.seed, setting.team, make)
        if phase.kind == "sft"
        else None
    )
    scratch.mkdir(exist_ok=True)
    start = time.monotonic()
    saved = None if phase.watch else _saved(scratch)
    notes = scratch / "history.json"
    epochs_saved = round(read_json(Path(saved) / "trainer_state.json")["epoch"]) if saved else 0
    kept = read_json(notes)["epochs"][:epochs_saved] if epochs_saved else []
    history = [Epoch(row["learned"], row["loss"]) for row in kept]
    rows: list[dict[str, Any]] = list(kept)
    over = bool(kept) and (
        len(kept) == phase.epochs or bool(reference and phase.stop(history))
    )  # killed at its very end
    epochs = (
        len(kept) if over else phase.epochs * (2 if batches else 1)
    )  # a bound: epochs that grow are counted instead
    if setting.team.main:
        log.rewind(phase.name, len(kept))
    probe_tokens = sum(len(context) + len(answer) for context, answer in probes)
    unprobed = 0  # tokens trained on since the probes were last measured
    for row in kept:
        unprobed = unprobed + row["tokens"] if unprobed + row["tokens"] < probe_tokens else 0

    def measured(pairs: list[tuple[list[int], list[int]]]) -> Any:
        trainer.model.eval()
        try:
            found = score(wrap(trainer.model, tokenizer), pairs)
        except ProblemError as error:
            if any(not part.isfinite().all() for part in trainer.model.parameters()):
                raise ProblemError(
                    f"{phase.name} went astray, its weights are no numbers any more: remove {scratch.parent} and try a "
                    f"smaller --rate (this was {setting.rate:g})"
                ) from error
            raise
        trainer.model.train()
        return found

    def rates(wanted: Sequence[Example]) -> Any:
        import numpy as np

        return learned(np.exp(np.minimum(measured(_pairs(tokenizer, wanted)).logprob, 0.0)))

    class Between(TrainerCallback):
        """After each epoch: measure, save, report, stop where the phase says so; between steps: watch."""

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            if batches:
                batches.epoch = round(state.epoch or 0)
            self.started, self.before = time.monotonic(), state.global_step if batches else 0

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            if progress:
                steps = state.global_step - self.before, len(batches) if batches else state.max_steps
                progress(phase.name, len(rows) + 1, history[-1].learned if history else None, steps)
            if phase.watch and state.global_step % phase.every == 0:
                phase.watch(rates)
            return control

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            if setting.team.main:
                write_text(
                    scratch / f"checkpoint-{state.global_step}" / WHOLE, json.dumps([*map(float, trainer.losses)])
                )
            return control

        def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            import numpy as np

            nonlocal unprobed
            done = state.global_step - self.before
            if batches and done != len(batches):
                raise ProblemError(
                    f"{done} of the {len(batches)} batches of an epoch were trained on: this version of transformers "
                    "fixes the length of epochs, update it"
                )
            seen = [n for batch in batches.whole() for n in batch] if batches else range(len(examples))
            row: dict[str, Any] = {"learned": None, "loss": None, "train_loss": trainer.loss_of_epoch()}
            row["tokens"] = sum(lengths[n] for n in seen)
            if extra := row["tokens"] - sum(lengths[n] for n in set(seen)):
                row["replayed"] = extra
            if reference:
                found = measured(reference)
                chance = learned(np.exp(np.minimum(found.logprob, 0.0)))
                history.append(Epoch(float(chance.mean()), float(-found.logprob.sum() / found.tokens.sum())))
                row |= {"learned": history[-1].learned, "loss": history[-1].loss}
                control.should_training_stop = phase.stop(history)
            control.should_training_stop |= len(rows) + 1 == phase.epochs
            row["seconds"] = round(time.monotonic() - self.started, 2)
            rows.append(row)
            unprobed += row["tokens"]
            due = phase.kind == "sft" and (control.should_training_stop or unprobed >= probe_tokens)
            probed = measured(probes).logprob if due else None
            unprobed = 0 if due else unprobed
            if setting.team.main:
                write_text(notes, json.dumps({"epochs": rows}) + "\n")
                log.add(phase.name, len(rows), row, probed)
            return control

    with quiet():
        trainer = _trainer(model, tokenizer, phase, examples, scratch, setting, batches, epochs)
        trainer.add_callback(Between())
        trainer.losses += json.loads((Path(saved) / WHOLE).read_text()) if saved else []
        trainer.train(resume_from_checkpoint=saved)
    if reference and phase.epochs <= len(history) and not phase.stop(history):
        raise ProblemError(
            f"{phase.name} did not converge: {history[-1].learned:.2f} of its reference learned after {len(history)} "
            f"epochs, {CONVERGED} wanted: remove {scratch.parent} and try another --rate (this was {setting.rate:g})"
        )
    weights = _gathered(trainer) if _in_parts() else None
    return {
        "name": phase.name,
        "kind": phase.kind,
        "examples": len(examples),
        "epochs": len(rows),
        "steps": trainer.state.global_step,
        "tokens": sum(row["tokens"] for row in rows),
        "replayed": sum(row.get("replayed", 0) for row in rows),
        "drawn_again": {str(name): count for name, count in phase.counted.items()},
        "loss": round(sum(row["train_loss"] for row in rows) / len(rows), 5),
        "reference_learned": [round(epoch.learned, 5) for epoch in history],
        "reference_loss": [round(epoch.loss, 5) for epoch in history],
        "seconds": round(max(sum(row["seconds"] for row in rows), time.monotonic() - start), 2),
    }, weights


def _saved(scratch: Path) -> str | None:
    """The trainer's last checkpoint that a kill did not cut off; it is written file by file."""
    whole = [file.parent for file in scratch.glob(f"checkpoint-*/{WHOLE}")]
    last = max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)
    return str(last) if last else None


def _in_parts() -> bool:
    """Whether ``accelerate launch`` spreads the model over processes, as it tells them."""
    return any(os.environ.get(f"ACCELERATE_USE_{kind}") == "true" for kind in ("FSDP", "DEEPSPEED"))


def _gathered(trainer: Any) -> dict[str, Any]:
    """The whole weights of a model whose parts lie with several processes; to be called by all of them."""
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) or {}
    return {name: (part.full_tensor() if hasattr(part, "full_tensor") else part).cpu() for name, part in state.items()}


def _pairs(tokenizer: Any, examples: Sequence[Example]) -> list[tuple[list[int], list[int]]]:
    return tokens.encode(tokenizer, *zip(*examples, strict=True)) if examples else []


def _encode(tokenizer: Any, examples: Sequence[Example]) -> list[dict[str, list[int]]]:
    """Token ids with labels on completions only; whole texts where the prompt is empty."""
    texts = [text for prompt, text in examples if not prompt]
    rows = [{"input_ids": ids, "labels": list(ids)} for ids in tokenizer(texts)["input_ids"]] if texts else []
    asked = [example for example in examples if example[0]]
    for context, answer in _pairs(tokenizer, asked):
        rows.append({"input_ids": context + answer, "labels": [-100] * len(context) + answer})
    return rows


def pad_left(rows: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
    """A batch in which all answers end at the right: ids, mask, positions and labels, each (rows, longest row)."""
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


def end_to_end(rows: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
    """A batch without padding: ids, positions and labels, each (1, tokens); a long one as ``pad_left`` makes it.

    Attention grows with the square of a line: beyond ``LINE`` tokens padding is taken to be the cheaper.
    """
    from transformers import DataCollatorWithFlattening

    if sum(len(row["input_ids"]) for row in rows) > LINE:
        return pad_left(rows)
    flatten: Any = DataCollatorWithFlattening
    batch: dict[str, Any] = flatten()(rows)
    return batch


def keeps_rows_apart(model: Any) -> bool:
    """Whether the logits of rows laid end to end, as one line of (1, tokens), are those of the rows by themselves.

    Transformers masks such rows from one another where positions restart. A model that carries a state along, or does
    not take the logits wanted by index, does not keep them apart.
    """
    import torch

    first, second = torch.arange(16, device=model.device), torch.arange(8, device=model.device)
    line = torch.cat([first, second + 16])[None] % model.config.get_text_config().vocab_size
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            alone = model(line[:, 16:], use_cache=False).logits.float()
            positions = torch.cat([first, second])[None]
            beside = model(line, position_ids=positions, use_cache=False, logits_to_keep=second + 16).logits.float()
    except (TypeError, ValueError, IndexError, RuntimeError):  # an argument that this model does not have, or no index
        return False
    finally:
        model.train(training)
    return bool(beside.shape == alone.shape and (beside - alone).norm() < 0.01 * alone.norm())


def answer_loss(model: Any, inputs: dict[str, Any], items: Any) -> Any:
    """Summed cross-entropy in nats over the supervised tokens, divided by ``items`` or by their number.

    The vocabulary head is computed only in the columns before one that is supervised.
    """
    import torch

    labels = inputs["labels"][:, 1:]
    before = (labels != -100).any(0).nonzero()[:, 0]
    rest = {name: value for name, value in inputs.items() if name != "labels"}
    logits = model(**rest, use_cache=False, logits_to_keep=before).logits.float()
    wanted = labels[:, before]
    total = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
    return total / (items if items is not None else (wanted != -100).sum().clamp(min=1))


def _trainer(
    model: Any, tokenizer: Any, phase: Phase, examples: list[dict[str, list[int]]], scratch: Path, setting: Setting,
    batches: _EpochBatches | None, epochs: int,
) -> Any:  # fmt: skip
    from datasets import Dataset as HFDataset
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    class Trainer(SFTTrainer):  # type: ignore[misc]
        """SFTTrainer with batches that a recipe decides, and the vocabulary head only where an answer is scored."""

        def __init__(self, **known: Any) -> None:
            super().__init__(**known)
            self.losses: list[Any] = []  # of the epoch's batches

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            # Where Triton runs, TRL skips unsupervised positions itself; elsewhere it scores every position.
            if return_outputs or not apart:
                found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            else:
                found = answer_loss(model, inputs, num_items_in_batch) * self.accelerator.num_processes
            self.losses.append((found[0] if return_outputs else found).detach())
            return found

        def loss_of_epoch(self) -> float:
            """Mean loss of the batches since it was last asked for, in nats a supervised token."""
            found = sum(map(float, self.losses)) / max(1, len(self.losses))
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

    size = setting.batch_size * (CPT_BATCH if phase.kind == "cpt" else 1)
    kept = "epoch" if batches else "steps"  # continued pre-training is one long epoch
    config = SFTConfig(
        output_dir=str(scratch),
        num_train_epochs=epochs,
        per_device_train_batch_size=max(1, size // setting.team.world),
        learning_rate=setting.rate * (CPT_RATE if phase.kind == "cpt" else 1),
        lr_scheduler_type="constant_with_warmup" if phase.kind == "sft" else "cosine",
        warmup_steps=5 if phase.kind == "sft" else 20,
        weight_decay=0.0,
        train_sampling_strategy="group_by_length" if phase.kind == "cpt" else "random",
        max_length=None,
        packing=False,
        shuffle_dataset=False,
        gradient_checkpointing=False,
        bf16=setting.device.startswith("cuda"),
        use_cpu=setting.device == "cpu",
        save_strategy="no" if phase.watch or _in_parts() else kept,
        save_steps=1 / PARTS,
        save_total_limit=1,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=setting.device != "cpu",
        seed=setting.seed,
        data_seed=setting.seed,
    )
    rows = HFDataset.from_list(examples)
    apart = not setting.device.startswith("cuda") and keeps_rows_apart(model)
    collate = end_to_end if apart and phase.kind == "sft" else pad_left  # documents are grouped by length
    trainer = Trainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer, data_collator=collate)
    trainer.remove_callback(PrinterCallback)
    return trainer
