"""Ask a model about its training rows while it is trained, with any trainer that takes transformers' callbacks."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transformers import TrainerCallback

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import import_rows
from ilp_bench.detectors.contradictions import contradicting_groups
from ilp_bench.detectors.rare_patterns import repetitions
from ilp_bench.diagnosis.answers import is_learned
from ilp_bench.diagnosis.asking.ask import ask, text_of_rows
from ilp_bench.diagnosis.asking.training_curve import FILE
from ilp_bench.diagnosis.probes import AS_ASKED, mean
from ilp_bench.models.tokenization import Text

CHUNK = 16  # rows that are asked at once, between two looks at the clock
PARTS = 4  # of the rows, in training order
SIGNS = ("contradicted", "rare")


class Score(NamedTuple):
    """How far the answer of a row is reproduced without its end, its loss, and its tokens.

    The first two are None, and the last is 0, where the row cannot be asked.
    """

    value: float | None = None
    loss: float | None = None
    tokens: int = 0


class LearnedRates(TrainerCallback):
    """A transformers callback that measures, during training, how far the training rows are reproduced.

        >>> callback = ilp_bench.LearnedRates("train.jsonl")
        >>> trainer = SFTTrainer(..., callbacks=[callback])
        >>> callback.trainer = trainer  # to log through its report_to

    rows      the training rows: a file, a folder, a Hub dataset, or a dataset by ``import_rows``
    every     steps between two measurements, beginning before the first; by default as often as ``at_most`` allows
    at_most   share of the training time that measurements may take, where ``every`` is not given: before the first, a
              step counts as three forward passes; time for one more is kept for the end; where the time runs out,
              fewer rows are asked
    sample    rows that are measured each time; as many more are taken in turn, so that every row has a loss in the end
    stop_at   mean reproduction in [0, 1] from which on a training in one process is stopped; by default it never is
    trainer   logs through it; without one, values are in its ``log_history`` and in the file alone
    reading   arguments of ``import_rows``

    Logged are ``learned_rates/reproduced``, ``learned_rates/learned`` and of how many ``learned_rates/rows``, and the
    first of rows that others contradict, of rare patterns, and of each quarter of the rows in training order.
    ``learned_rates.jsonl`` in the output folder has the loss and reproduction of each measured row; ``diagnose`` reads
    it there. Answers are measured without their end. Of several processes the first measures, so each must hold the
    whole model: not FSDP, ZeRO-3 or tensor parallelism. Raises UsageError for rows that cannot be read or an impossible
    number.
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
        self.started, self.spent, self.last_end = 0.0, 0.0, 0.0
        self.row_cost: float | None = None  # seconds that asking a row took the last time
        self.groups = _groups(self.data, self.items)

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Start the clock; measure before the first step where steps are fixed. Raises UsageError before any step where
        no row can be asked, or what is asked for cannot be had of several processes.
        """
        tokenizer = more.get("processing_class")
        if tokenizer is None:
            raise UsageError("the trainer has no tokenizer to ask the rows with: give it processing_class=tokenizer")
        if self.data.manifest.chat and not any(self._texts(tokenizer, self.fixed)):
            raise UsageError("no training row can be asked: its chat template refuses them all, or there is none")
        if args.world_size > 1:
            self._check_processes(more["model"])
        self.started = self.last_end = time.monotonic()
        if self.every and state.is_world_process_zero:
            self._measure(args, state, self._chosen(), **more)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Measure where it is time to."""
        if not state.is_world_process_zero or not self._is_due(args, state.global_step):
            return
        value = self._measure(args, state, self._chosen(), **more)
        if self.stop_at is not None and value >= self.stop_at:
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Measure what the last step left, of as many rows as the time allows."""
        if not state.is_world_process_zero or self.measured_at == state.global_step:
            return
        chosen = self._chosen()
        if not self.every:
            chosen = chosen[: max(0, int(self._left() / self._cost_of_a_row(args, state.global_step)))]
        if chosen:
            self._measure(args, state, chosen, **more)

    def _check_processes(self, model: Any) -> None:
        """Raise UsageError, in all processes alike, for what would leave one waiting for another."""
        if self.stop_at is not None:
            raise UsageError("stop_at stops one process, and this training runs in several: leave it out")
        if _is_sharded(model):
            raise UsageError(
                "no process holds the whole model, as under FSDP, ZeRO-3 or tensor parallelism, so the rows cannot be "
                "asked during this training: leave LearnedRates out, and diagnose the checkpoints"
            )

    def _is_due(self, args: Any, step: int) -> bool:
        if self.every:
            return step % self.every == 0
        rows = len(self.fixed) + min(len(self.fixed), len(self.others))
        cost = rows * self._cost_of_a_row(args, step)
        is_spaced = cost <= self.at_most * (time.monotonic() - self.last_end)
        return is_spaced and 2 * cost <= self._left()

    def _left(self) -> float:
        """Seconds that measurements may still take, by the time trained so far."""
        return self.at_most * (time.monotonic() - self.started - self.spent) - self.spent

    def _cost_of_a_row(self, args: Any, step: int) -> float:
        """Seconds to ask a row: as the last time, or a third of what training one takes."""
        if self.row_cost is not None:
            return self.row_cost
        trained: int = max(1, step) * args.per_device_train_batch_size * args.gradient_accumulation_steps
        return (time.monotonic() - self.started) / trained / 3

    def _chosen(self) -> list[int]:
        """Positions of the fixed sample and of the rows whose turn it is."""
        count = min(len(self.fixed), len(self.others))
        turn = [self.others[(self.turn + n) % len(self.others)] for n in range(count)]
        self.turn += count
        return self.fixed + turn

    def _measure(
        self, args: Any, state: Any, chosen: Sequence[int], *, model: Any, processing_class: Any, **_: Any
    ) -> float:
        """Measure rows, the fixed sample first; returns the mean reproduction of that."""
        start = time.monotonic()
        left = math.inf if self.every else self._left()
        training = [module for module in model.modules() if module.training]
        scores: list[Score] = []
        try:
            model.eval()
            for first in range(0, len(chosen), CHUNK):
                scores += self._ask(model, processing_class, chosen[first : first + CHUNK])
                cost = time.monotonic() - start
                following = min(len(scores) + CHUNK, len(chosen))
                if cost / len(scores) * following > left:
                    break
        finally:
            for module in training:
                module.training = True
        if all(score.value is None for score in scores):
            raise UsageError("no training row can be asked: its chat template refuses them all")
        logged = self._values(chosen[: len(self.fixed)], scores)
        self._keep(args, state, chosen, scores)
        self.last_end = time.monotonic()
        cost = self.last_end - start
        self.spent, self.row_cost, self.measured_at = self.spent + cost, cost / len(scores), state.global_step
        logged["learned_rates/seconds"] = round(self.spent, 3)
        if self.trainer is not None:
            self.trainer.log(logged)
        else:
            state.log_history.append(logged | {"step": state.global_step})
        return logged["learned_rates/reproduced"]

    def _ask(self, model: Any, tokenizer: Any, chosen: Sequence[int]) -> list[Score]:
        """How far some rows are reproduced, and their losses."""
        from ilp_bench.evaluation.measure import wrap

        scores = ask(wrap(model, tokenizer, CHUNK), tokenizer, AS_ASKED, self._texts(tokenizer, chosen))
        if scores is None:
            return [Score()] * len(chosen)
        return [Score(*each) for each in zip(scores.answers, scores.loss, scores.tokens, strict=True)]

    def _texts(self, tokenizer: Any, chosen: Sequence[int]) -> list[Text | None]:
        """Some rows as they are asked; None where the chat template refuses one."""
        return text_of_rows([self.items[n] for n in chosen], tokenizer, chat=bool(self.data.manifest.chat))

    def _values(self, fixed: Sequence[int], scores: Sequence[Score]) -> dict[str, float]:
        """What is logged, of the fixed sample."""
        by_item = {n: score.value for n, score in zip(fixed, scores, strict=False)}
        learned = [None if s.value is None else is_learned(s.value, s.tokens) for s in scores[: len(by_item)]]
        values = {"learned_rates/reproduced": mean(list(by_item.values())), "learned_rates/learned": mean(learned)}
        for name, members in self.groups.items():
            inside = [value for n, value in by_item.items() if n in members and value is not None]
            if inside:
                values[f"learned_rates/{name}"] = mean(inside)
        return values | {"learned_rates/rows": len(by_item)}

    def _keep(self, args: Any, state: Any, chosen: Sequence[int], scores: Sequence[Score]) -> None:
        """Append the loss and reproduction of each measured row to the file in the output folder."""
        file = Path(args.output_dir) / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps(
                {"step": state.global_step}
                | {name: self.items[n][name] for name in ("item_id", "answer")}
                | {"loss": score.loss, "reproduced": score.value}
            )
            for n, score in zip(chosen, scores, strict=False)
            if score.value is not None
        ]
        with file.open("a", encoding="utf-8") as opened:
            opened.write("".join(line + "\n" for line in lines))


def _is_sharded(model: Any) -> bool:
    """Whether a process holds a part of the weights alone, so that a forward pass waits for the other processes."""
    from torch.distributed.fsdp import FullyShardedDataParallel
    from torch.distributed.tensor import DTensor

    return any(isinstance(module, FullyShardedDataParallel) for module in model.modules()) or any(
        isinstance(parameter, DTensor) or hasattr(parameter, "ds_id")  # ds_id: of ZeRO-3
        for parameter in model.parameters()
    )


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
