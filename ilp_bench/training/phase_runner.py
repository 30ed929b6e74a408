"""One phase of a recipe, check by check: train, measure, save, report, and stop where its goal is reached."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ilp_bench.core.distributed import is_sharded
from ilp_bench.core.errors import ProblemError
from ilp_bench.core.logs import quiet
from ilp_bench.recipes.phase import CONVERGED, Epoch, Phase, Progress
from ilp_bench.records.training_record import PhaseRecord
from ilp_bench.training import budget
from ilp_bench.training.batches import TokenBatches
from ilp_bench.training.checkpoints import Saved, read_history, read_saved, write_history, write_saved
from ilp_bench.training.collators import encode, encode_pairs
from ilp_bench.training.measurements import Measurements
from ilp_bench.training.trainer import Setting, gather_weights, saves_checkpoints, sft_trainer
from ilp_bench.training.training_log import Log

SAVED = 4  # a checkpoint of the trainer is written every so many checks, and at the last one
PAUSE = 1800  # seconds; continued pre-training, which has no checks within, saves at least so often


def run_phase(
    model: Any,
    tokenizer: Any,
    phase: Phase,
    setting: Setting,
    scratch: Path,
    log: Log,
    progress: Progress | None,
    goal: budget.Goal,
) -> tuple[PhaseRecord, Any]:
    """Train one phase, from the trainer's last checkpoint in ``scratch`` where there is one.

    Returns the phase's record and, where the model is sharded over processes, its whole weights in the main one; None
    elsewhere. Raises ProblemError where what decides on its end does not come about.
    """
    from transformers import TrainerCallback

    start = time.monotonic()
    scratch.mkdir(exist_ok=True)
    run = PhaseRun(model, tokenizer, phase, setting, scratch, log, goal)

    class CheckCallback(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            run.begin(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            run.step(state, progress)
            if run.check_is_due(state):
                control.should_training_stop = over = run.check(state)
                control.should_save = saves_checkpoints(phase) and (over or len(run.rows) % SAVED == 0)
            elif saves_checkpoints(phase) and run.unsaved_for_long():
                control.should_save = True

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            run.complete_checkpoint(state)

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not run.batches:
                run.check(state)

    with quiet():
        run.trainer.add_callback(CheckCallback())
        run.trainer.train(resume_from_checkpoint=run.checkpoint)
    if not run.rows:  # pre-training that was killed after its last step
        run.check(run.trainer.state)
    run.require_success()
    weights = gather_weights(run.trainer) if is_sharded() else None
    return run.record(time.monotonic() - start), weights


class PhaseRun:
    """The state of a phase that is being trained, and what is done after its steps and at its checks.

    rows      one log line a check: p of the calibration items, training loss, tokens, seconds
    history   of user data, the reference's learned rate and loss an epoch
    batches   the batches of supervised training; None in continued pre-training, which has one check, at its end
    """

    def __init__(
        self, model: Any, tokenizer: Any, phase: Phase, setting: Setting, scratch: Path, log: Log, goal: budget.Goal
    ) -> None:
        self.tokenizer, self.phase, self.setting, self.scratch, self.log = tokenizer, phase, setting, scratch, log
        self.goal, self.calibrates = goal, phase.kind == "sft" and goal.tokens is None and phase.stop is None
        longest = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1_000_000
        examples = encode(tokenizer, phase.examples, longest, chat=setting.chat)
        self.lengths = [len(row["input_ids"]) for row in examples]
        self.checkpoint, saved = None, Saved()
        if saves_checkpoints(phase):  # texts are dealt out otherwise among more or fewer processes
            self.checkpoint, saved = read_saved(scratch, setting.processes, deals_again=phase.kind == "cpt")
        self.rows = read_history(scratch, saved.checks)
        self.history = [Epoch(row["learned"], row["loss"]) for row in self.rows if row["learned"] is not None]
        self.batches = None
        if phase.kind == "sft":
            self.batches = TokenBatches(
                examples, setting.batch_size, setting.seed, setting.processes, phase.batches, goal.tokens, saved.steps
            )
            if self.rows and self._is_over():
                self.batches.most_steps = saved.steps  # it was killed at its very end: no further step
        if setting.processes.is_main:
            log.rewind(phase.name, len(self.rows))
        probes = encode_pairs(tokenizer, log.probes, chat=setting.chat)
        self._probe_tokens = sum(len(context) + len(answer) for context, answer in probes)
        self._unprobed = 0  # tokens trained on since the probes were last measured
        for row in self.rows:
            self._probes_are_due(row, over=False)
        with quiet():
            self.trainer = sft_trainer(model, tokenizer, phase, examples, scratch, setting, self.batches)
        self.trainer.losses += saved.losses
        self.measured = Measurements(
            self.trainer,
            tokenizer,
            f"{phase.name} diverged, its weights are not finite any more: remove {scratch.parent} and try a smaller "
            f"learning rate (this was {setting.rate:g})",
            chat=setting.chat,
        )
        self._check_start, self._first_step = time.monotonic() - saved.seconds, 0
        self._last_saved = time.monotonic()

    def begin(self, state: Any) -> None:
        """Training begins, or goes on: supervised training after a check."""
        if self.batches:
            self._check_start, self._first_step = time.monotonic(), state.global_step

    def step(self, state: Any, progress: Progress | None) -> None:
        """A step was taken: report it, and look at what the phase watches."""
        if progress:
            epoch, done = 1, (state.global_step, state.max_steps)
            if self.batches:
                spent = self.batches.after(state.global_step)
                epoch, done = spent.epoch, (spent.supervised, self.goal.tokens or spent.epoch * self.batches.epoch)
            values = [row["calibration"] for row in self.rows if row["calibration"] is not None]
            values += [epoch.learned for epoch in self.history]
            progress(self.phase.name, epoch, values[-1] if values else None, done)
        if self.phase.watch and state.global_step % self.phase.every == 0:
            self.phase.watch(self.measured.rates)

    def check_is_due(self, state: Any) -> bool:
        """Whether supervised training passed an eighth of an epoch, or spent its tokens, with this step."""
        if not self.batches:
            return False
        spent = self.batches.after(state.global_step).supervised
        last = self.rows[-1]["supervised"] if self.rows else 0
        return spent >= budget.next_check(last, self.batches.epoch) or spent == self.goal.tokens

    def unsaved_for_long(self) -> bool:
        """Whether pre-training saved nothing for ``PAUSE`` seconds; not asked of several processes: clocks differ."""
        alone = not self.batches and self.setting.processes.world_size == 1
        return alone and time.monotonic() - self._last_saved > PAUSE

    def check(self, state: Any) -> bool:
        """Measure, report, and return whether the phase is over; of pre-training, at its end."""
        row = self._row(state)
        if self.phase.stop and self._ends_epoch(row):
            self.history.append(self.measured.epoch(self.phase.reference))
            row |= self.history[-1]._asdict()
        if self.calibrates:
            row["calibration"] = self.measured.mean_p(self.goal.calibration)
        self.rows.append(row)
        over = self._is_over()
        probed = None
        if self._probes_are_due(row, over=over):
            probed = self.measured.p(self.log.probes)
            if not self.calibrates:
                row["calibration"] = self.measured.mean_p(self.goal.calibration)
        row["seconds"] = round(time.monotonic() - self._check_start, 2)
        if self.setting.processes.is_main:
            write_history(self.scratch, self.rows)
            self.log.add(self.phase.name, len(self.rows), row, probed)
        self._check_start, self._first_step = time.monotonic(), state.global_step
        return over

    def complete_checkpoint(self, state: Any) -> None:
        """The trainer has written a checkpoint: say how far it is, and thereby that it is complete."""
        losses, self._last_saved = self.trainer.mean_losses(), time.monotonic()
        self.setting.processes.wait()  # for the random state of the others, which is part of the checkpoint
        if self.setting.processes.is_main:
            seconds, processes = time.monotonic() - self._check_start, self.setting.processes.world_size
            write_saved(self.scratch, Saved(len(self.rows), state.global_step, losses, seconds, processes))

    def require_success(self) -> None:
        """Raise ProblemError where training came to its last epoch before what was to be learned was learned."""
        remedy = f"remove {self.scratch.parent} and try another learning rate (this was {self.setting.rate:g})"
        if self.phase.stop and not self.phase.stop(self.history):
            raise ProblemError(
                f"{self.phase.name} did not converge: {self.history[-1].learned:.2f} of its reference learned after "
                f"{len(self.history)} epochs, {CONVERGED} wanted: {remedy}"
            )
        last = self.rows[-1]
        if self.calibrates and last["calibration"] < budget.THRESHOLD:
            raise ProblemError(
                f"{self.phase.name} was not learned: after {last['epochs']:.0f} epochs ({last['supervised']} supervised"
                f" tokens) its calibration items have a mean p of {last['calibration']:.2f}, {budget.THRESHOLD} is "
                f"wanted: {remedy}"
            )

    def record(self, seconds: float) -> PhaseRecord:
        """The phase's part of the training record; ``seconds`` are those since it was begun or resumed."""
        rows = self.rows
        return PhaseRecord(
            name=self.phase.name,
            kind=self.phase.kind,
            examples=len(self.lengths),
            epochs=rows[-1]["epoch"],
            steps=self.trainer.state.global_step,
            tokens=sum(row["tokens"] for row in rows),
            supervised=rows[-1]["supervised"],
            replayed=sum(row.get("replayed", 0) for row in rows),
            drawn_again={str(name): count for name, count in self.phase.counted.items()},
            loss=round(sum(row["train_loss"] for row in rows) / len(rows), 5),
            reference_learned=[round(epoch.learned, 5) for epoch in self.history],
            reference_loss=[round(epoch.loss, 5) for epoch in self.history],
            seconds=round(max(sum(row["seconds"] for row in rows), seconds), 2),
        )

    def _row(self, state: Any) -> dict[str, Any]:
        """The log line of a check, before anything is measured."""
        train_loss = self.trainer.mean_loss(state.global_step - self._first_step)
        row: dict[str, Any] = {"epoch": 1, "epochs": 1.0, "supervised": None, "tokens": sum(self.lengths)}
        row |= {"train_loss": train_loss, "calibration": None, "learned": None, "loss": None}
        if self.batches:
            spent, before = (self.batches.after(step) for step in (state.global_step, self._first_step))
            row |= {"epoch": spent.epoch, "epochs": round(spent.supervised / self.batches.epoch, 4)}
            row |= {"supervised": spent.supervised, "tokens": spent.tokens - before.tokens}
            if replayed := spent.replayed - before.replayed:
                row["replayed"] = replayed
        return row

    def _ends_epoch(self, row: dict[str, Any]) -> bool:
        assert self.batches
        before = self.rows[-1]["supervised"] if self.rows else 0
        return bool(row["supervised"] // self.batches.epoch > before // self.batches.epoch)

    def _is_over(self) -> bool:
        """Whether the last check is the phase's last."""
        if not self.batches:
            return True
        if self.goal.tokens is not None:
            return bool(self.rows[-1]["supervised"] >= self.goal.tokens)
        if self.phase.stop:
            return bool(self.history) and (len(self.history) >= self.phase.epochs or self.phase.stop(self.history))
        most = budget.MOST_EPOCHS * self.batches.epoch
        return bool(self.rows[-1]["calibration"] >= budget.THRESHOLD or self.rows[-1]["supervised"] >= most)

    def _probes_are_due(self, row: dict[str, Any], *, over: bool) -> bool:
        """Whether the probes are to be measured at this check: measuring takes no longer in all than training."""
        self._unprobed += row["tokens"]
        due = self.phase.kind == "sft" and (over or self._unprobed >= self._probe_tokens)
        self._unprobed = 0 if due else self._unprobed
        return due
