"""What a killed training goes on from: answers of the base model, finished phases and checkpoints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from ilp_bench.core.distributed import Processes
from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import read_json, write_text
from ilp_bench.core.resume import acquire, check_plan, partial_folder
from ilp_bench.records.training_record import PhaseRecord


def _phases(plan: dict[str, Any]) -> list[PhaseRecord]:
    return [PhaseRecord.model_validate(phase) for phase in plan["done"]]


class TrainingState:
    """The folder ``CKPT.partial`` beside a checkpoint that is being made; a lock keeps a second training out.

    ``done`` has the records of the finished phases; ``resumed`` says whether an earlier call began the training.
    """

    def __init__(self, out: Path, about: dict[str, Any], processes: Processes = Processes()) -> None:  # noqa: B008
        self.folder = partial_folder(out)
        self._out, self._about, self._lock = out, about, FileLock(self.folder / "lock")
        self.done: list[PhaseRecord] = []
        self.processes = processes

    def __enter__(self) -> TrainingState:
        if self.processes.is_main:
            self._open()
        self.processes.wait()
        if not self.processes.is_main:
            self.done, self.resumed = _phases(read_json(self.folder / "plan.json")), False
        return self

    def _open(self) -> None:
        acquire(self._lock, "training", self._out)
        file = self.folder / "plan.json"
        self.resumed = file.is_file()
        if self.resumed:
            plan = read_json(file)
            self.done = _phases(plan)
            try:
                if self._is_trained or plan["about"].get("base") != self._about.get("base"):
                    check_plan(self.folder, "training", plan["about"], self._about)
            except UsageError:
                self._lock.release()
                raise
        if not self.done:  # the answers of a base model serve other trainings of it
            write_text(file, json.dumps({"about": self._about, "done": []}, indent=1) + "\n")

    def __exit__(self, error: Any, *_: Any) -> None:
        self._lock.release()
        begun = self._is_trained or any(self.folder.glob("answers-*"))
        if error and self.processes.is_main and not begun:  # nothing is lost, and the next call may want something else
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _is_trained(self) -> bool:
        """Whether anything was trained so far, and not the base model asked alone."""
        return bool(self.done) or any(self.folder.glob("trainer-*"))

    def trainer(self, number: int) -> Path:
        """Where the trainer of that phase keeps its checkpoints."""
        return self.folder / f"trainer-{number}"

    def restore(self, model: Any) -> Any:
        """The weights after the last finished phase."""
        if self.done:
            from safetensors.torch import load_model as load_weights

            load_weights(model, str(self.folder / f"phase-{len(self.done) - 1}.safetensors"))
        return model

    def finish(self, model: Any, phase: PhaseRecord) -> None:
        """Save the weights after a phase, then that it is done, then discard what came before.

        Not before all processes are here: a slower one may still read what came before, or write beside it.
        """
        self.processes.wait()
        if self.processes.is_main:
            self._save(model, phase)
        else:
            self.done.append(phase)
        self.processes.wait()

    def _save(self, model: Any, phase: PhaseRecord) -> None:
        from safetensors.torch import save_model

        number = len(self.done)
        draft = self.folder / "phase.tmp"
        save_model(model, str(draft))
        draft.replace(self.folder / f"phase-{number}.safetensors")
        self.done.append(phase)
        write_text(
            self.folder / "plan.json",
            json.dumps({"about": self._about, "done": [record.model_dump() for record in self.done]}, indent=1) + "\n",
        )
        shutil.rmtree(self.trainer(number), ignore_errors=True)
        (self.folder / f"phase-{number - 1}.safetensors").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, once the checkpoint is written."""
        self.processes.wait()
        if self.processes.is_main:
            self._lock.release()
            shutil.rmtree(self.folder, ignore_errors=True)
