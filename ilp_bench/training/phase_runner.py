"""One phase of a recipe, epoch by epoch: train, measure, save, report, and stop where the phase says so."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ilp_bench.core.distributed import is_sharded
from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import read_json, write_text
from ilp_bench.core.logs import quiet
from ilp_bench.core.metrics import learned
from ilp_bench.evaluation.measure import score, wrap
from ilp_bench.evaluation.samples import Scores
from ilp_bench.recipes.phase import CONVERGED, Epoch, Example, Phase, Progress
from ilp_bench.records.training_record import PhaseRecord
from ilp_bench.training.collators import encode, encode_pairs
from ilp_bench.training.trainer import EpochBatches, Setting, gather_weights, saves_checkpoints, sft_trainer
from ilp_bench.training.training_log import Log

# Written last into a checkpoint: epochs and steps so far, and of the epoch that is not over, losses and seconds.
COMPLETE = "complete.json"


def run_phase(
    model: Any,
    tokenizer: Any,
    phase: Phase,
    setting: Setting,
    scratch: Path,
    log: Log,
    progress: Progress | None,
) -> tuple[PhaseRecord, Any]:
    """Train one phase, from the trainer's last checkpoint in ``scratch`` where there is one.

    Returns the phase's record and, where the model is sharded over processes, its whole weights in the main one; None
    elsewhere. Raises ProblemError when the reference is not learned within the phase's epochs.
    """
    from transformers import TrainerCallback

    start = time.monotonic()
    scratch.mkdir(exist_ok=True)
    run = PhaseRun(model, tokenizer, phase, setting, scratch, log)

    class EpochCallback(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            run.begin(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            run.step(state, progress)
            if run.batches and run.epoch_is_over(state):
                control.should_training_stop = run.end_epoch(state)
                control.should_save = saves_checkpoints(phase)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            run.complete_checkpoint(state)

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not run.batches:
                run.end_epoch(state)

    with quiet():
        run.trainer.add_callback(EpochCallback())
        run.trainer.train(resume_from_checkpoint=run.checkpoint)
    if not run.rows:  # it was killed after the last step of its only epoch
        run.end_epoch(run.trainer.state)
    history = run.history
    if phase.reference and phase.epochs <= len(history) and not phase.stop(history):
        raise ProblemError(
            f"{phase.name} did not converge: {history[-1].learned:.2f} of its reference learned after {len(history)} "
            f"epochs, {CONVERGED} wanted: remove {scratch.parent} and try another learning rate "
            f"(this was {setting.rate:g})"
        )
    weights = gather_weights(run.trainer) if is_sharded() else None
    return run.record(time.monotonic() - start), weights


class PhaseRun:
    """The state of a phase that is being trained, and what is done after its steps and epochs.

    rows      one log line an epoch: learned rate and loss of the reference, training loss, tokens, seconds
    history   the reference's learned rate and loss an epoch
    batches   the batches of supervised training; None in continued pre-training, which is one epoch
    """

    def __init__(self, model: Any, tokenizer: Any, phase: Phase, setting: Setting, scratch: Path, log: Log) -> None:
        self.tokenizer, self.phase, self.setting, self.scratch, self.log = tokenizer, phase, setting, scratch, log
        longest = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1_000_000
        examples = encode(tokenizer, phase.examples, longest)
        self.lengths = [len(row["input_ids"]) for row in examples]
        self.reference, self.probes = encode_pairs(tokenizer, phase.reference), encode_pairs(tokenizer, log.probes)
        self.batches = (
            EpochBatches(len(examples), setting.batch_size, setting.seed, setting.processes, phase.batches)
            if phase.kind == "sft"
            else None
        )
        self.checkpoint = last_checkpoint(scratch) if saves_checkpoints(phase) else None
        saved = self._read_checkpoint()
        self.rows: list[dict[str, Any]] = self._finished_epochs(saved["epochs"])
        self.history = [Epoch(row["learned"], row["loss"]) for row in self.rows if row["learned"] is not None]
        if self.batches:
            self.batches.epoch = len(self.rows)
            if self.rows and (len(self.rows) == phase.epochs or (self.history and phase.stop(self.history))):
                self.batches.most_steps = saved["steps"]  # it was killed at its very end: no further step
        if setting.processes.is_main:
            log.rewind(phase.name, len(self.rows))
        self._probe_tokens = sum(len(context) + len(answer) for context, answer in self.probes)
        self._unprobed = 0  # tokens trained on since the probes were last measured
        for row in self.rows:
            self._probes_are_due(row, over=False)
        with quiet():
            self.trainer = sft_trainer(model, tokenizer, phase, examples, scratch, setting, self.batches)
        self.trainer.losses += saved["losses"]
        self._epoch_start, self._first_step = time.monotonic() - saved["seconds"], 0

    def _read_checkpoint(self) -> dict[str, Any]:
        """What the checkpoint says of the training so far; one that is of no use to these processes is discarded."""
        nothing = {"epochs": 0, "steps": 0, "losses": [], "seconds": 0.0}
        if not self.checkpoint:
            return nothing
        saved = read_json(Path(self.checkpoint) / COMPLETE)
        if self.phase.kind == "sft" or saved["processes"] == self.setting.processes.world_size:
            return saved
        self.checkpoint = None  # texts are dealt out otherwise among more or fewer processes
        self.setting.processes.wait()
        if self.setting.processes.is_main:
            for folder in self.scratch.glob("checkpoint-*"):
                shutil.rmtree(folder)
        self.setting.processes.wait()
        return nothing

    def _finished_epochs(self, epochs: int) -> list[dict[str, Any]]:
        """The rows of the epochs that the checkpoint has behind it."""
        if not epochs:
            return []
        rows: list[dict[str, Any]] = read_json(self.scratch / "history.json")["epochs"]
        return rows[:epochs]

    def _probes_are_due(self, row: dict[str, Any], *, over: bool) -> bool:
        """Whether the probes are to be measured after this epoch: measuring takes no longer in all than training."""
        self._unprobed += row["tokens"]
        due = self.phase.kind == "sft" and (over or self._unprobed >= self._probe_tokens)
        self._unprobed = 0 if due else self._unprobed
        return due

    def begin(self, state: Any) -> None:
        """Training begins, or goes on: supervised training at the beginning of an epoch."""
        if self.batches:
            self._epoch_start, self._first_step = time.monotonic(), state.global_step

    def step(self, state: Any, progress: Progress | None) -> None:
        """A step was taken: report it, and look at what the phase watches."""
        if progress:
            steps = len(self.batches.current()) if self.batches else state.max_steps
            last = self.history[-1].learned if self.history else None
            progress(self.phase.name, len(self.rows) + 1, last, (state.global_step - self._first_step, steps))
        if self.phase.watch and state.global_step % self.phase.every == 0:
            self.phase.watch(self._rates)

    def epoch_is_over(self, state: Any) -> bool:
        """Whether all batches of this epoch of supervised training were trained on."""
        assert self.batches
        return bool(state.global_step - self._first_step >= len(self.batches.current()))

    def complete_checkpoint(self, state: Any) -> None:
        """The trainer has written a checkpoint: say how far it is, and thereby that it is complete."""
        saved = {
            "epochs": len(self.rows),
            "steps": state.global_step,
            "losses": self.trainer.mean_losses(),
            "seconds": time.monotonic() - self._epoch_start,
            "processes": self.setting.processes.world_size,
        }
        if self.setting.processes.is_main:
            write_text(self.scratch / f"checkpoint-{state.global_step}" / COMPLETE, json.dumps(saved))

    def end_epoch(self, state: Any) -> bool:
        """An epoch is over: measure and log it, go on to the next one, and return whether the phase is over."""
        batches = self.batches.current() if self.batches else [list(range(len(self.lengths)))]
        examples = [n for batch in batches for n in batch]
        train_loss = self.trainer.loss_of_epoch(state.global_step - self._first_step)
        row: dict[str, Any] = {"learned": None, "loss": None, "train_loss": train_loss}
        row["tokens"] = sum(self.lengths[n] for n in examples)
        if replayed := row["tokens"] - sum(self.lengths[n] for n in set(examples)):
            row["replayed"] = replayed
        over = len(self.rows) + 1 == self.phase.epochs
        if self.reference:
            scores = self._measure(self.reference)
            learned_rate = float(learned(np.exp(np.minimum(scores.logprob, 0.0))).mean())
            self.history.append(Epoch(learned_rate, float(-scores.logprob.sum() / scores.tokens.sum())))
            row |= self.history[-1]._asdict()
            over |= self.phase.stop(self.history)
        row["seconds"] = round(time.monotonic() - self._epoch_start, 2)
        self.rows.append(row)
        logprobs = self._measure(self.probes).logprob if self._probes_are_due(row, over=over) else None
        if self.setting.processes.is_main:
            write_text(self.scratch / "history.json", json.dumps({"epochs": self.rows}) + "\n")
            self.log.add(self.phase.name, len(self.rows), row, logprobs)
        if self.batches:
            self.batches.epoch = len(self.rows)
            self._epoch_start, self._first_step = time.monotonic(), state.global_step
        return over

    def _measure(self, pairs: list[tuple[list[int], list[int]]]) -> Scores:
        """Scores of (context ids, completion ids) pairs as the model is now."""
        model = self.trainer.model
        model.eval()
        try:
            scores = score(wrap(model, self.tokenizer), pairs)
        except ProblemError as error:
            if any(not part.isfinite().all() for part in model.parameters()):
                raise ProblemError(
                    f"{self.phase.name} diverged, its weights are not finite any more: remove {self.scratch.parent} "
                    f"and try a smaller learning rate (this was {self.setting.rate:g})"
                ) from error
            raise
        model.train()
        return scores

    def _rates(self, examples: Sequence[Example]) -> Any:
        """Learned rates of examples as the model is now, (examples,) in [0, 1]."""
        return learned(np.exp(np.minimum(self._measure(encode_pairs(self.tokenizer, examples)).logprob, 0.0)))

    def record(self, seconds: float) -> PhaseRecord:
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
    complete = [file.parent for file in scratch.glob(f"checkpoint-*/{COMPLETE}")]
    last = max(complete, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)
    return str(last) if last else None
