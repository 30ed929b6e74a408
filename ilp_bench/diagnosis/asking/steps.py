"""The steps of a diagnosis that need models or the user's file; each keeps its result in the working folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset, load, write
from ilp_bench.data.formats import NEWLINE
from ilp_bench.data.row_file import RawRow, read_rows
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.asking.probing import probe
from ilp_bench.diagnosis.asking.sample import probed_items, sample_size
from ilp_bench.diagnosis.asking.whole_rows import answer_pieces
from ilp_bench.diagnosis.probes import Probes
from ilp_bench.diagnosis.question import Machine, Progress, Question
from ilp_bench.diagnosis.report.page import Piece, piece, worst_rows
from ilp_bench.diagnosis.rows import RowResult
from ilp_bench.evaluation.run import evaluate
from ilp_bench.models.askable import askable_by
from ilp_bench.models.devices import pick_device, pick_dtype
from ilp_bench.models.loading import load_tokenizer
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run, read_run

SHOWN, MOST_TOKENS = 100, 400  # rows whose tokens the page shows, and how many each may have
SEGMENTS = 4  # parts into which rows without stages are cut, to see whether early ones are forgotten


def imported(question: Question, machine: Machine, work: Path) -> Dataset:
    """The rows as a dataset folder, imported where it is not there yet."""

    if (work / "data").is_dir():
        return load(work / "data")
    size, base = question.sample, question.adapter_base
    if size is None:
        size = sample_size(question.model, machine.device, base)
    data = import_rows(
        question.rows,
        segments=SEGMENTS,
        sample=size or None,
        seed=question.seed,
        check=askable_by(question.model, base, remote_code=machine.remote_code),
        **question.reading,
    )
    write(data, work / "data")
    return data


class Asking:
    """Asks models about the rows, each run once."""

    def __init__(
        self, question: Question, machine: Machine, data: Dataset, work: Path, progress: Progress | None
    ) -> None:
        self.question, self.machine, self.data, self.work, self.progress = question, machine, data, work, progress

    def run(self, model: str, name: str, *, probe_base: bool) -> Run:
        """The run of one model, from its folder where it is done."""

        folder = self.work / "runs" / name
        if (folder / "run.json").is_file():
            return read_run(folder)
        adapter_base = self.question.adapter_base if name == "tuned" else None
        chat = bool(self.data.manifest.chat)
        if chat and probe_base:
            chat = bool(load_tokenizer(locate(model), remote_code=self.machine.remote_code).chat_template)
        run = evaluate(
            model,
            self.data,
            folder,
            base=adapter_base,
            probe_base=probe_base,
            chat=chat,
            device=self.machine.device,
            dtype=self.machine.dtype,
            batch_size=self.machine.batch_size,
            remote_code=self.machine.remote_code,
            progress=self._progress(f"ask the {name} model"),
        )
        if run is None:
            raise UsageError("a diagnosis runs in one process: start it without a launcher")
        return run

    def tokenizer(self) -> Any:
        """The tokenizer of the tuned model."""
        located = locate(self.question.model, self.question.adapter_base)
        return load_tokenizer(located, remote_code=self.machine.remote_code)

    def probes(self) -> Probes:
        """A sample of the items in every way of asking."""

        device = pick_device(self.machine.device)
        return probe(
            self.question.model,
            self.question.base,
            probed_items(self.data, self.question.seed),
            self.work,
            chat=bool(self.data.manifest.chat),
            adapter_base=self.question.adapter_base,
            device=device,
            dtype=pick_dtype(self.machine.dtype, device.split(":")[0]),
            batch_size=self.machine.batch_size or 32,
            remote_code=self.machine.remote_code,
            progress=self._progress("ask otherwise"),
        )

    def _progress(self, what: str) -> Callable[[int, int], None] | None:
        progress = self.progress
        return None if progress is None else lambda done, total: progress(what, done, total)


def token_pieces(tokenizer: Any, data: Dataset, run: Run, results: list[RowResult]) -> dict[str, list[Piece]]:
    """Item -> the tokens of its answer, of the least reproduced rows whose tokens are shown."""
    shown = {each.item_id for each in worst_rows(results)[:SHOWN] if each.tokens <= MOST_TOKENS}
    texts = answer_pieces(tokenizer, data, shown)
    rows = {
        row["item_id"]: row["token_logprobs"] for row in run.samples.select(["item_id", "token_logprobs"]).to_pylist()
    }
    shown_pieces = {}
    for item, written in texts.items():
        logprobs = iter(rows[item])
        shown_pieces[item] = [piece(text, sum(islice(logprobs, tokens))) for text, tokens in written]
    return shown_pieces


def source_rows(question: Question) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of the user's file that can be read, with their numbers, from 1."""
    return ((row.number, row.values) for row in rows_read(question) if row.values is not None)


def rows_read(question: Question) -> Iterator[RawRow]:
    """All rows of the user's file, also those that cannot be read."""
    return read_rows(question.rows, **{name: question.reading.get(name) for name in ("subset", "split")})


def options_of(question: Question) -> dict[str, Any]:
    """What of a question is not the default, beside models and rows."""
    fields = ("adapter_base", "sample", "max_length", "held_out", "encoder")
    asking = {name: getattr(question, name) for name in fields} | {"seed": question.seed or None}
    reading = {name: value for name, value in question.reading.items() if value and value != NEWLINE}
    return reading | {name: value for name, value in asking.items() if value is not None}
