"""One phase of a recipe, epoch by epoch: train, measure, save, report, and stop where the phase says so."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import read_json, write_text
from ilp_bench.core.logs import quiet
from ilp_bench.core.metrics import learned
from ilp_bench.evaluation.measure import score, wrap
from ilp_bench.recipes.phase import CONVERGED, Epoch, Example, Phase, Progress
from ilp_bench.records.training_record import PhaseRecord
from ilp_bench.training.collators import encode, pairs
from ilp_bench.training.trainer import EpochBatches, Setting, gathered, in_parts, sft_trainer
from ilp_bench.training.training_log import Log

WHOLE = "whole.json"  # written last into a checkpoint: the losses of the epoch's batches so far, and its seconds


def run_phase(
    model: Any,
    tokenizer: Any,
    phase: Phase,
    setting: Setting,
    scratch: Path,
    log: Log,
    progress: Progress | None,
) -> tuple[PhaseRecord, Any]:
    """Train one phase, from the trainer's last checkpoint in ``scratch`` where there is one; returns its report.

    Beside it, the whole weights where the model's parts lie with several processes (None elsewhere, and for all but the
    first of them).
    Raises ProblemError when the reference is not learned within the phase's epochs.
    """
    from transformers import TrainerCallback

    start = time.monotonic()
    scratch.mkdir(exist_ok=True)
    course = _Course(model, tokenizer, phase, setting, scratch, log)

    class Between(TrainerCallback):
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            course.begin(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            course.step(state, progress)

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            course.saved(state)

        def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            control.should_training_stop = course.end(state)

    with quiet():
        course.trainer.add_callback(Between())
        course.trainer.train(resume_from_checkpoint=course.checkpoint)
    if not course.rows:  # it was killed after the last step of its only epoch
        course.end(course.trainer.state)
    history = course.history
    if phase.reference and phase.epochs <= len(history) and not phase.stop(history):
        raise ProblemError(
            f"{phase.name} did not converge: {history[-1].learned:.2f} of its reference learned after {len(history)} "
            f"epochs, {CONVERGED} wanted: remove {scratch.parent} and try another learning rate "
            f"(this was {setting.rate:g})"
        )
    weights = gathered(course.trainer) if in_parts() else None
    return course.report(time.monotonic() - start), weights


class _Course:
    """What has happened in a phase so far, and what is done between its steps and epochs."""

    def __init__(self, model: Any, tokenizer: Any, phase: Phase, setting: Setting, scratch: Path, log: Log) -> None:
        self.tokenizer, self.phase, self.setting, self.scratch, self.log = tokenizer, phase, setting, scratch, log
        longest = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1_000_000
        examples = encode(tokenizer, phase.examples, longest)
        self.lengths = [len(row["input_ids"]) for row in examples]
        self.reference, self.probes = pairs(tokenizer, phase.reference), pairs(tokenizer, log.probes)
        self.batches = (
            EpochBatches(len(examples), setting.batch_size, setting.seed, setting.processes, phase.batches)
            if phase.kind == "sft"
            else None
        )
        self.checkpoint = None if phase.watch or in_parts() else last_checkpoint(scratch)
        so_far = self._so_far()
        self.rows: list[dict[str, Any]] = self._kept()
        self.history = [Epoch(row["learned"], row["loss"]) for row in self.rows if row["learned"] is not None]
        if setting.processes.is_main:
            log.rewind(phase.name, len(self.rows))
        self._probe_tokens = sum(len(context) + len(answer) for context, answer in self.probes)
        self._unprobed = 0  # tokens trained on since the probes were last measured
        for row in self.rows:
            self._due(row, over=False)
        with quiet():
            self.trainer = sft_trainer(model, tokenizer, phase, examples, scratch, setting, self.batches, self._most())
        self.trainer.losses += so_far["losses"]
        self._started, self._before = time.monotonic() - so_far["seconds"], 0

    def _so_far(self) -> dict[str, Any]:
        """What the checkpoint says of an epoch that is not over; one that is of no use to these processes is let go."""
        none = {"losses": [], "seconds": 0.0}
        if not self.checkpoint:
            return none
        found = read_json(Path(self.checkpoint) / WHOLE)
        if self.phase.kind == "sft" or found["processes"] == self.setting.processes.world_size:
            return found
        self.checkpoint = None  # texts are dealt out otherwise among more or fewer processes
        self.setting.processes.wait()
        if self.setting.processes.is_main:
            for folder in self.scratch.glob("checkpoint-*"):
                shutil.rmtree(folder)
        self.setting.processes.wait()
        return none

    def _kept(self) -> list[dict[str, Any]]:
        """The epochs that the checkpoint has behind it."""
        if not self.checkpoint or not (self.scratch / "history.json").is_file():
            return []
        epochs = int(read_json(Path(self.checkpoint) / "trainer_state.json")["epoch"] + 0.001)  # whole ones
        found: list[dict[str, Any]] = read_json(self.scratch / "history.json")["epochs"][:epochs]
        return found

    def _most(self) -> int:
        """A bound on the trainer's epochs: epochs that grow count more than once there, and are counted here."""
        done = len(self.rows)
        if done and (done == self.phase.epochs or (self.history and self.phase.stop(self.history))):
            return done  # it was killed at its very end
        return self.phase.epochs * (2 if self.batches else 1)

    def _due(self, row: dict[str, Any], *, over: bool) -> bool:
        """Whether the probes are to be measured after this epoch: not longer in all than is trained."""
        self._unprobed += row["tokens"]
        due = self.phase.kind == "sft" and (over or self._unprobed >= self._probe_tokens)
        self._unprobed = 0 if due else self._unprobed
        return due

    def begin(self, state: Any) -> None:
        """An epoch begins."""
        if self.batches:
            self.batches.epoch = round(state.epoch or 0)
            self._started, self._before = time.monotonic(), state.global_step

    def step(self, state: Any, progress: Progress | None) -> None:
        """A step was taken."""
        if progress:
            steps = state.global_step - self._before, len(self.batches) if self.batches else state.max_steps
            progress(self.phase.name, len(self.rows) + 1, self.history[-1].learned if self.history else None, steps)
        if self.phase.watch and state.global_step % self.phase.every == 0:
            self.phase.watch(self._rates)

    def saved(self, state: Any) -> None:
        """The trainer has written a checkpoint: mark it as whole."""
        so_far = {"losses": self.trainer.mean_losses(), "seconds": time.monotonic() - self._started}
        so_far["processes"] = self.setting.processes.world_size
        if self.setting.processes.is_main:
            write_text(self.scratch / f"checkpoint-{state.global_step}" / WHOLE, json.dumps(so_far))

    def end(self, state: Any) -> bool:
        """An epoch is over: whether the phase is."""
        done = state.global_step - self._before
        if self.batches and done != len(self.batches):
            raise ProblemError(
                f"{done} of the {len(self.batches)} batches of an epoch were trained on: this version of transformers "
                "fixes the length of epochs, update it"
            )
        seen = [n for batch in self.batches.whole() for n in batch] if self.batches else range(len(self.lengths))
        row: dict[str, Any] = {"learned": None, "loss": None, "train_loss": self.trainer.loss_of_epoch(done)}
        row["tokens"] = sum(self.lengths[n] for n in seen)
        if extra := row["tokens"] - sum(self.lengths[n] for n in set(seen)):
            row["replayed"] = extra
        over = len(self.rows) + 1 == self.phase.epochs
        if self.reference:
            found = self._measured(self.reference)
            share = float(learned(np.exp(np.minimum(found.logprob, 0.0))).mean())
            self.history.append(Epoch(share, float(-found.logprob.sum() / found.tokens.sum())))
            row |= self.history[-1]._asdict()
            over |= self.phase.stop(self.history)
        row["seconds"] = round(time.monotonic() - self._started, 2)
        self.rows.append(row)
        probed = self._measured(self.probes).logprob if self._due(row, over=over) else None
        if self.setting.processes.is_main:
            write_text(self.scratch / "history.json", json.dumps({"epochs": self.rows}) + "\n")
            self.log.add(self.phase.name, len(self.rows), row, probed)
        return over

    def _measured(self, asked: list[tuple[list[int], list[int]]]) -> Any:
        model = self.trainer.model
        model.eval()
        try:
            found = score(wrap(model, self.tokenizer), asked)
        except ProblemError as error:
            if any(not part.isfinite().all() for part in model.parameters()):
                raise ProblemError(
                    f"{self.phase.name} went astray, its weights are no numbers any more: remove {self.scratch.parent} "
                    f"and try a smaller learning rate (this was {self.setting.rate:g})"
                ) from error
            raise
        model.train()
        return found

    def _rates(self, wanted: Sequence[Example]) -> Any:
        """Learned rates of examples as the model is now, (examples,) in [0, 1]."""
        return learned(np.exp(np.minimum(self._measured(pairs(self.tokenizer, wanted)).logprob, 0.0)))

    def report(self, seconds: float) -> PhaseRecord:
        """The phase's part of the training record; ``seconds`` are those since it was begun or resumed."""
        rows = self.rows
        return PhaseRecord(
            name=self.phase.name,
            kind=self.phase.kind,
            examples=len(self.lengths),
            epochs=len(rows),
            steps=self.trainer.state.global_step,
            tokens=sum(row["tokens"] for row in rows),
            replayed=sum(row.get("replayed", 0) for row in rows),
            drawn_again={str(name): count for name, count in self.phase.counted.items()},
            loss=round(sum(row["train_loss"] for row in rows) / len(rows), 5),
            reference_learned=[round(epoch.learned, 5) for epoch in self.history],
            reference_loss=[round(epoch.loss, 5) for epoch in self.history],
            seconds=round(max(sum(row["seconds"] for row in rows), seconds), 2),
        )


def last_checkpoint(scratch: Path) -> str | None:
    """The trainer's last checkpoint that a kill did not cut off; it is written file by file."""
    whole = [file.parent for file in scratch.glob(f"checkpoint-*/{WHOLE}")]
    last = max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)
    return str(last) if last else None
