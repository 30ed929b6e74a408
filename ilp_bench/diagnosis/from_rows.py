"""The whole diagnosis, from training rows and two models to a report.

Import the rows, ask both models, look for cause 0, and only where that does not explain it for the five causes; then
write the report. Each step keeps its result in ``OUT.partial``, so the same call goes on after a kill.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from ilp_bench import __version__
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import read_json, require_new, write_text
from ilp_bench.core.resume import acquire, check_plan, partial_folder
from ilp_bench.data.dataset import Dataset, load, write
from ilp_bench.diagnosis.asking.held_out import held_out_in_training
from ilp_bench.diagnosis.asking.probing import probe
from ilp_bench.diagnosis.asking.sample import probed_items, sample_size
from ilp_bench.diagnosis.asking.whole_rows import answer_pieces, context_lengths
from ilp_bench.diagnosis.cause_zero.check import Asked, mean_interval
from ilp_bench.diagnosis.cause_zero.decide import CauseZero, cause_zero
from ilp_bench.diagnosis.probes import Probes, mean
from ilp_bench.diagnosis.report.compare import change_since
from ilp_bench.diagnosis.report.page import Piece, piece, worst_rows
from ilp_bench.diagnosis.report.record import Report, cause_shares
from ilp_bench.diagnosis.report.write import write_report
from ilp_bench.diagnosis.rows import RowResult, asked_rows, row_results, with_base_losses
from ilp_bench.diagnosis.why.reasons import explain
from ilp_bench.records.run_record import Run, read_run

PLAN = "plan.json"
SHOWN, MOST_TOKENS = 100, 400  # rows whose tokens the page shows, and how many each may have
SEGMENTS = 4  # parts into which rows without stages are cut, to see whether early ones are forgotten
Progress = Callable[[str, int, int], None]  # what is being done, steps done, steps in all


class Question(NamedTuple):
    """What is diagnosed, and how; all of it decides the result.

    model, base     the tuned model and the one it was tuned from; ``adapter_base`` where an adapter's own path of it is
                    one of another machine
    rows            the training rows: a file, a folder or a Hub dataset
    reading         arguments of :func:`~ilp_bench.data.user_data.import_rows`
    sample          items to ask; 0 for all, None for as many as the device asks in some minutes
    max_length      tokens to which the trainer cut rows, where no file beside the model says it
    held_out        rows of an evaluation, whose questions should not be among the training rows
    """

    model: str
    base: str
    rows: str
    reading: Mapping[str, Any] = {}
    adapter_base: str | None = None
    sample: int | None = None
    seed: int = 0
    max_length: int | None = None
    held_out: str | None = None


class Machine(NamedTuple):
    """How the models are run."""

    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = None
    remote_code: bool = False


ON_ANY_DEVICE = Machine()


class Diagnosed(NamedTuple):
    """The report, and the asked rows, least reproduced first."""

    report: Report
    rows: list[RowResult]


def diagnose_rows(
    question: Question,
    out: Path,
    *,
    machine: Machine = ON_ANY_DEVICE,
    verdicts: Mapping[int, float] | None = None,
    baseline: Path | None = None,
    progress: Progress | None = None,
) -> Diagnosed:
    """Diagnose and write the report folder ``out``.

    verdicts   row of the file, from 1 -> share of the user's own tries that passed, in place of p
    baseline   an earlier report of the same rows, to compare with

    Raises UsageError or ProblemError before anything is written to ``out``.
    """
    require_new(out)
    start, work = time.monotonic(), partial_folder(out)
    lock = FileLock(work / "lock")
    acquire(lock, "report", out)
    try:
        _check_plan(work, question)
        data = _import(question, machine, work)
        asking = _Asking(question, machine, data, work, progress)
        run = asking.run(question.model, "tuned", probe_base=False)
        probes = asking.probes()
        results = row_results(data, run, context_lengths(question.model, question.adapter_base, data), verdicts)
        for each in results:
            if free := probes.free.get(each.item_id):
                each.free_answer, each.rouge_l = free.text, free.rouge_l
        decided = _cause_zero(question, data, run, results, probes)
        for each in results:
            each.cause_zero = None if each.learned else decided.reason_of.get(each.item_id)
        if not decided.explains and not all(each.learned for each in results):
            base = asking.run(question.base, "base", probe_base=True)
            with_base_losses(results, base)
            explain(results, run, base, data)
        report = _report(question, data, run, results, probes, decided)
        report.change = change_since(baseline, results) if baseline else None
        report.seconds = round(time.monotonic() - start, 1)
        write_report(
            work,
            report,
            results,
            data,
            _pieces(question, data, run, results),
            partial(_source_rows, question),
            again=f"ilp-bench diagnose --model NEW --base {question.base} --rows {question.rows} --out NEXT "
            f"--baseline {out}",
            seed=question.seed,
        )
        lock.release()
        (work / "lock").unlink(missing_ok=True)
        work.rename(out)
    finally:
        lock.release()
    return Diagnosed(report, sorted(results, key=lambda each: each.value))


def _check_plan(work: Path, question: Question) -> None:
    """Keep what is diagnosed in ``work``. Raises UsageError where something else was begun there."""
    wanted = json.loads(json.dumps(question._asdict()))
    if (work / PLAN).is_file():
        check_plan(work, "report", read_json(work / PLAN), wanted)
    else:
        write_text(work / PLAN, json.dumps(wanted, indent=1) + "\n")


def _pieces(question: Question, data: Dataset, run: Run, results: list[RowResult]) -> dict[str, list[Piece]]:
    """Item -> the tokens of its answer, of the least reproduced rows whose tokens are shown."""
    shown = {each.item_id for each in worst_rows(results)[:SHOWN] if each.tokens <= MOST_TOKENS}
    texts = answer_pieces(question.model, question.adapter_base, data, shown)
    rows = {
        row["item_id"]: row["token_logprobs"] for row in run.samples.select(["item_id", "token_logprobs"]).to_pylist()
    }
    return {item: [piece(*pair) for pair in zip(words, rows[item], strict=True)] for item, words in texts.items()}


def _source_rows(question: Question) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of the user's file that can be read, with their numbers, from 1."""
    from ilp_bench.data.row_file import read_rows

    where = {name: question.reading.get(name) for name in ("subset", "split")}
    return ((row.number, row.values) for row in read_rows(question.rows, **where) if row.values is not None)


def _import(question: Question, machine: Machine, work: Path) -> Dataset:
    """The rows as a dataset folder, imported where it is not there yet."""
    from ilp_bench.data.user_data import import_rows
    from ilp_bench.models.askable import askable_by

    if (work / "data").is_dir():
        return load(work / "data")
    size = question.sample if question.sample is not None else sample_size(question.model, machine.device)
    data = import_rows(
        question.rows,
        segments=SEGMENTS,
        sample=size or None,
        seed=question.seed,
        check=askable_by(question.model),
        **question.reading,
    )
    write(data, work / "data")
    return data


class _Asking:
    """Asks models about the rows, each run once."""

    def __init__(
        self, question: Question, machine: Machine, data: Dataset, work: Path, progress: Progress | None
    ) -> None:
        self.question, self.machine, self.data, self.work, self.progress = question, machine, data, work, progress

    def run(self, model: str, name: str, *, probe_base: bool) -> Run:
        """The run of one model, from its folder where it is done."""
        from ilp_bench.evaluation.run import evaluate
        from ilp_bench.models.loading import load_tokenizer
        from ilp_bench.models.resolve import locate

        folder = self.work / "runs" / name
        if (folder / "run.json").is_file():
            return read_run(folder)
        adapter_base = self.question.adapter_base if name == "tuned" else None
        chat = bool(self.data.manifest.chat)
        if chat and probe_base:
            chat = bool(load_tokenizer(locate(model)).chat_template)
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

    def probes(self) -> Probes:
        """A sample of the items in every way of asking."""
        from ilp_bench.models.devices import pick_device, pick_dtype

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


def _cause_zero(question: Question, data: Dataset, run: Run, results: list[RowResult], probes: Probes) -> CauseZero:
    duplicates = held_out_in_training(question.held_out, data) if question.held_out else None
    length = question.max_length or probes.facts.notes.max_length
    return cause_zero(Asked(asked_rows(results, run, data), probes, length, duplicates))


def _report(
    question: Question, data: Dataset, run: Run, results: list[RowResult], probes: Probes, decided: CauseZero
) -> Report:
    manifest = data.manifest
    if not results:
        raise ProblemError(f"{question.rows} has no row that can be asked")
    return Report(
        ilp_bench=__version__,
        model=question.model,
        base=question.base,
        source=question.rows,
        format=manifest.format or "",
        chat=bool(manifest.chat),
        rows=data.train.num_rows,
        items=len(set(data.train["item_id"].to_pylist())),
        asked=len(results),
        segments=manifest.stages,
        learned=mean_interval([each.learned for each in results]),
        reproduced=mean_interval([each.value for each in results]),
        base_reproduced=mean(probes.base.answers) if probes.base else None,
        long=sum(each.is_long for each in results),
        explained=decided.explains,
        checks=decided.checks,
        causes=[] if decided.explains else cause_shares(results),
        skipped={
            kind: f"{skipped.count} x, the first: {skipped.first}" for kind, skipped in (manifest.skipped or {}).items()
        },
        ignored=manifest.ignored or {},
        hardware=run.record.hardware,
    )
