"""The whole diagnosis, from training rows and two models to a report.

Import the rows, ask both models, look for cause 0, and only where that does not explain it for the five causes; then
write the report. Each step keeps its result in ``OUT.partial``, so the same call goes on after a kill.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from ilp_bench import __version__
from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import read_json, require_new, write_text
from ilp_bench.core.resume import acquire, check_plan, partial_folder
from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.contradictions import contradicting_groups
from ilp_bench.detectors.similarity import sentence_encoder
from ilp_bench.diagnosis.asking.held_out import held_out_in_training, held_out_questions
from ilp_bench.diagnosis.asking.steps import Asking, imported, options_of, source_rows, token_pieces
from ilp_bench.diagnosis.asking.training_curve import in_training
from ilp_bench.diagnosis.asking.verdicts import check_verdicts
from ilp_bench.diagnosis.asking.whole_rows import forks, token_counts
from ilp_bench.diagnosis.cause_zero.check import Asked, mean_interval
from ilp_bench.diagnosis.cause_zero.decide import CauseZero, cause_zero
from ilp_bench.diagnosis.probes import Probes, mean
from ilp_bench.diagnosis.question import ON_ANY_DEVICE, Machine, Progress, Question
from ilp_bench.diagnosis.report.compare import change_since, read_report
from ilp_bench.diagnosis.report.record import Report, cause_shares, long_answers
from ilp_bench.diagnosis.report.write import write_report
from ilp_bench.diagnosis.rows import RowResult, asked_rows, row_results, with_base_losses
from ilp_bench.diagnosis.why.paraphrases import Disputes, disputes_of
from ilp_bench.diagnosis.why.reasons import explain
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run

PLAN = "plan.json"


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
    if baseline:
        read_report(baseline)  # before the models are asked
    encoder = sentence_encoder(question.encoder) if question.encoder else None
    locate(question.model, question.adapter_base), locate(question.base)  # both are there, before one is asked
    held_out = held_out_questions(question.held_out, question.reading) if question.held_out else None
    start, work = time.monotonic(), partial_folder(out)
    lock = FileLock(work / "lock")
    acquire(lock, "report", out)
    try:
        _check_plan(work, question)
        data = imported(question, machine, work)
        if verdicts:
            check_verdicts(verdicts, question, data)
        duplicates = held_out_in_training(held_out, data) if held_out else None
        asking = Asking(question, machine, data, work, progress)
        run = asking.run(question.model, "tuned", probe_base=False)
        probes = asking.probes()
        groups = contradicting_groups(data.train_rows())
        tokenizer = asking.tokenizer()
        counts = token_counts(tokenizer, data)
        results = row_results(data, run, counts, verdicts, forks(tokenizer, data, groups))
        for each in results:
            if free := probes.free.get(each.item_id):
                each.free_answer, each.rouge_l = free.text, free.rouge_l
        trained = in_training(
            locate(question.model, question.adapter_base).folder, {each.item_id: each.answer for each in results}
        )
        for each in results:
            each.best_in_training, each.best_step = trained.best.get(each.item_id, (None, None))
        length = question.max_length or probes.facts.notes.max_length
        decided = cause_zero(Asked(asked_rows(results, run, data), probes, length, duplicates))
        for each in results:
            each.cause_zero = None if each.learned else decided.reason_of.get(each.item_id)
        disputes = Disputes(groups, []) if decided.explains else disputes_of(data.train_rows(), groups, encoder)
        if not decided.explains and not all(each.learned for each in results):
            base = asking.run(question.base, "base", probe_base=True)
            with_base_losses(results, base)
            explain(results, run, base, data, disputes)
        report = _report(question, data, run, results, probes, decided)
        report.curve = trained.curve
        report.change = change_since(baseline, results) if baseline else None
        report.seconds = round(time.monotonic() - start, 1)
        write_report(
            work,
            report,
            results,
            data,
            disputes,
            token_pieces(tokenizer, data, run, results),
            partial(source_rows, question),
            out=out,
            seed=question.seed,
        )
        lock.release()
        (work / "lock").unlink(missing_ok=True)
        work.rename(out)
    except BaseException:
        if not (work / "data").is_dir():  # nothing is done that a second call could go on from
            shutil.rmtree(work, ignore_errors=True)
        raise
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


def _report(
    question: Question, data: Dataset, run: Run, results: list[RowResult], probes: Probes, decided: CauseZero
) -> Report:
    manifest = data.manifest
    if not results:
        raise ProblemError(f"{question.rows} has no row that can be asked")
    long_learned, long_exact = long_answers(results)
    return Report(
        ilp_bench=__version__,
        model=question.model,
        base=question.base,
        source=question.rows,
        format=manifest.format or "",
        chat=bool(manifest.chat),
        columns=manifest.columns or {},
        rows=data.train.num_rows,
        items=len(set(data.train["item_id"].to_pylist())),
        asked=len(results),
        segments=manifest.stages,
        learned=mean_interval([each.learned for each in results]),
        reproduced=mean_interval([each.value for each in results]),
        base_reproduced=mean(probes.base.answers) if probes.base else None,
        long=sum(each.is_long for each in results),
        long_learned=long_learned,
        long_exact=long_exact,
        explained=decided.explains,
        checks=decided.checks,
        causes=[] if decided.explains else cause_shares(results),
        skipped={
            kind: f"{skipped.count} x, the first: {skipped.first}" for kind, skipped in (manifest.skipped or {}).items()
        },
        ignored=manifest.ignored or {},
        hardware=run.record.hardware,
        options=options_of(question),
    )
