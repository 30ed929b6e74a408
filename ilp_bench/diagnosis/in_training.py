"""Ask a model about its training rows while it is trained, with any trainer that takes transformers' callbacks."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import import_rows
from ilp_bench.detectors.contradictions import contradicting_groups
from ilp_bench.detectors.rare_patterns import repetitions
from ilp_bench.diagnosis.answers import LEARNED_P
from ilp_bench.diagnosis.asking.ask import ask, text_of_rows
from ilp_bench.diagnosis.probes import AS_ASKED, WayScores, mean

FILE = "learned_rates.jsonl"
PARTS = 4  # of the rows, in training order
SIGNS = ("contradicted", "rare")


class LearnedRates(TrainerCallback):
    """A transformers callback that measures, during training, how far the training rows are reproduced.

        >>> callback = ilp_bench.LearnedRates("train.jsonl")
        >>> trainer = SFTTrainer(..., callbacks=[callback])
        >>> callback.trainer = trainer  # to log through its report_to

    rows      the training rows: a file, a folder, a Hub dataset, or a dataset by ``import_rows``
    every     steps between two measurements; by default as often as ``at_most`` allows
    at_most   share of the training time that measurements may take, where ``every`` is not given
    sample    rows that are measured each time; as many more are taken in turn, so that every row has a loss in the end
    stop_at   mean reproduction in [0, 1] from which on the training is stopped; by default it never is
    trainer   logs through it; without one, values are in its ``log_history`` and in the file alone
    reading   arguments of ``import_rows``

    Logged are ``learned_rates/reproduced`` and ``learned_rates/learned``, and the former of rows that others
    contradict, of rare patterns, and of each quarter of the rows in training order. ``learned_rates.jsonl`` in the
    output folder has the loss and reproduction of each measured row. Raises UsageError for rows that cannot be read or
    an impossible number.
    """

    def __init__(
        self,
        rows: str | Path | Dataset,
        *,
        every: int | None = None,
        at_most: float = 0.05,
        sample: int = 64,
        seed: int = 0,
        stop_at: float | None = None,
        trainer: Any = None,
        **reading: Any,
    ) -> None:
        if (every is not None and every < 1) or not 0 < at_most <= 1 or sample < 1:
            raise UsageError("every and sample are at least 1, at_most is above 0 and at most 1")
        self.data = rows if isinstance(rows, Dataset) else import_rows(rows, segments=PARTS, seed=seed, **reading)
        self.every, self.at_most, self.stop_at, self.trainer = every, at_most, stop_at, trainer
        self.items: list[dict[str, Any]] = self.data.items.to_pylist()
        order = random.Random(seed).sample(range(len(self.items)), len(self.items))
        self.fixed, self.others = order[:sample], order[sample:]
        self.turn, self.measured_at = 0, 0
        self.started, self.spent, self.last_cost = 0.0, 0.0, 0.0
        self.groups = _groups(self.data, self.items)
        self._texts: list[Any] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Render the rows with the trainer's tokenizer, and measure once before the first step."""
        self._texts = text_of_rows(self.items, more["processing_class"], chat=bool(self.data.manifest.chat))
        self.started = time.monotonic()
        if state.is_world_process_zero:
            self._measure(args, state, **more)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Measure where it is time to."""
        if not state.is_world_process_zero or not self._is_due(state.global_step):
            return
        value = self._measure(args, state, **more)
        if self.stop_at is not None and value >= self.stop_at:
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Measure what the last step left."""
        if state.is_world_process_zero and self.measured_at != state.global_step:
            self._measure(args, state, **more)

    def _is_due(self, step: int) -> bool:
        if self.every:
            return step % self.every == 0
        trained = time.monotonic() - self.started - self.spent
        return self.spent + self.last_cost <= self.at_most * trained

    def _measure(self, args: Any, state: Any, *, model: Any, processing_class: Any, **_: Any) -> float:
        """Measure the fixed sample and the rows whose turn it is; returns the mean reproduction of the former."""
        from ilp_bench.evaluation.measure import wrap

        start = time.monotonic()
        count = len(self.fixed)
        chosen = (
            self.fixed
            + [self.others[n % len(self.others)] for n in range(self.turn, self.turn + count)][: len(self.others)]
            if self.others
            else list(self.fixed)
        )
        self.turn += count
        training = [module for module in model.modules() if module.training]
        try:
            scores = ask(wrap(model.eval(), processing_class, 32), processing_class, AS_ASKED, self._chosen(chosen))
        finally:
            for module in training:
                module.training = True
        if scores is None:
            raise UsageError("no training row can be asked: its chat template refuses them all")
        self.last_cost = time.monotonic() - start
        self.spent += self.last_cost
        self.measured_at = state.global_step
        logged = self._values(chosen[:count], scores)
        self._keep(args, state, chosen, scores)
        if self.trainer is not None:
            self.trainer.log(logged)
        else:
            state.log_history.append(logged | {"step": state.global_step})
        return logged["learned_rates/reproduced"]

    def _chosen(self, chosen: Sequence[int]) -> list[Any]:
        return [self._texts[n] for n in chosen]

    def _values(self, fixed: Sequence[int], scores: WayScores) -> dict[str, float]:
        """What is logged, of the fixed sample."""
        by_item = dict(zip(fixed, scores.answers, strict=False))
        values = {"learned_rates/reproduced": mean(list(by_item.values()))}
        values["learned_rates/learned"] = mean([None if v is None else v >= LEARNED_P for v in by_item.values()])
        for name, members in self.groups.items():
            inside = [by_item[n] for n in fixed if n in members and by_item[n] is not None]
            if inside:
                values[f"learned_rates/{name}"] = mean(inside)
        return values | {"learned_rates/seconds": round(self.spent, 3)}

    def _keep(self, args: Any, state: Any, chosen: Sequence[int], scores: WayScores) -> None:
        """Append the loss and reproduction of each measured row to the file in the output folder."""
        file = Path(args.output_dir) / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps(
                {"step": state.global_step, "item_id": self.items[n]["item_id"], "loss": loss, "reproduced": value}
            )
            for n, loss, value in zip(chosen, scores.loss, scores.answers, strict=True)
            if value is not None
        ]
        with file.open("a", encoding="utf-8") as opened:
            opened.write("".join(line + "\n" for line in lines))


def _groups(data: Dataset, items: Sequence[Mapping[str, Any]]) -> dict[str, set[int]]:
    """Name of a group -> positions of its items: by signs that the rows alone show, and by training order."""
    train: list[Any] = data.train.to_pylist()
    contradicted = {train[n]["item_id"] for group in contradicting_groups(train) for n in group}
    questions = list(dict.fromkeys(row["messages"][0]["content"] for row in train))
    rare = {question for question, times in zip(questions, repetitions(questions), strict=True) if times > 1}
    rare_items = {row["item_id"] for row in train if row["messages"][0]["content"] in rare}
    groups = {
        name: {n for n, item in enumerate(items) if item["item_id"] in members}
        for name, members in zip(SIGNS, (contradicted, rare_items), strict=True)
    }
    for part in sorted({item["stage"] for item in items}):
        groups[f"part_{part}"] = {n for n, item in enumerate(items) if item["stage"] == part}
    return groups
