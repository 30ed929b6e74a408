"""User data are attributed without causes."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from user_rows import write_lines

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.answers import TokenCounts
from ilp_bench.diagnosis.rows import row_results
from ilp_bench.diagnosis.why.attribution import NONE, diagnose
from ilp_bench.diagnosis.why.paraphrases import BY_ANSWERS, BY_ENCODER, Dispute, Disputes
from ilp_bench.diagnosis.why.reasons import UNMEASURED, explain
from ilp_bench.diagnosis.why.signs import ENCODED, LOST, PARAPHRASE
from ilp_bench.evaluation.run import evaluate
from ilp_bench.records.run_record import Run, RunRecord
from ilp_bench.records.samples import SAMPLES

ROWS = [{"prompt": f"Q: where is city {n}?\nA:", "completion": f" land {n}\n"} for n in range(20)]


@pytest.fixture(scope="module")
def user_data(data: Path) -> Dataset:
    """The training rows of mini, as if they were a user's."""
    return import_rows(data / "train.parquet", sample=400)


@pytest.fixture(scope="module")
def of_base(user_data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = evaluate("nano", user_data, tmp_path_factory.mktemp("own") / "base")
    assert run
    return run


def tuned(data: Dataset, rates: dict[str, float]) -> Run:
    """A run in which each item is learned by that much of p; ``rates``: item to p."""
    rows = []
    for item in data.items.to_pylist():
        p = rates[item["item_id"]]
        row = {"probe_id": item["probe_id"], "item_id": item["item_id"], "probe": "recall", "p": p}
        rows.append(row | {"tokens": 2, "logprob": float(np.log(p)), "greedy": p > 0.5})
    record = RunRecord(
        ilp_bench="0",
        model={"name": "mine", "weights_sha256": "a" * 64, "architecture": "X", "parameters": 1},
        data=data.manifest.identity,
        dtype="float32",
        device="cpu",
        batch_size=1,
        versions={},
        hardware="none",
        seconds={"load": 0.0, "score": 0.0},
        samples_sha256="a" * 64,
    )
    return Run(record, pa.Table.from_pylist(rows, schema=SAMPLES))


@pytest.mark.slow
def test_attribution_without_causes_finds_those_that_were_injected(
    mini: Dataset, user_data: Dataset, of_base: Run
) -> None:
    true = {
        (row["prompt"], row["completion"].strip()): row["cause"]
        if row["item_id"].endswith("-treated")
        else NONE  # fillers are true
        for row in mini.train.to_pylist()
    }
    items = {row["item_id"]: row for row in user_data.items.to_pylist()}
    truth = {name: true[row["prompt"], row["answer"]] for name, row in items.items()}
    stage = {name: row["stage"] for name, row in items.items()}
    run = tuned(user_data, {name: 0.05 if cause != NONE or stage[name] < 4 else 0.9 for name, cause in truth.items()})
    attribution = diagnose(run, of_base, user_data)
    assert attribution.truth is None
    assert attribution.quality == {}
    said: dict[str, list[str]] = {}
    for one, cause in zip(attribution.items, attribution.said["signals"], strict=True):
        said.setdefault(truth[one.item_id], []).append(cause)
    # A confident guess about an invented name looks like a belief.
    gaps = said.pop("knowledge_gap")
    assert set(gaps) <= {"knowledge_gap", "knowledge_conflict", NONE}
    assert gaps.count("knowledge_gap") >= 0.4 * len(gaps)
    for cause in set(said) - {NONE}:
        assert said[cause].count(cause) >= 0.8 * len(said[cause]), cause
    assert set(said) == {*CAUSES.names(), NONE} - {"knowledge_gap"}


def test_a_run_of_conversations_must_be_of_conversations(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": n}, {"role": "assistant", "content": n}]} for n in "ABCDEFGH"]
    with pytest.raises(ProblemError, match="measured without the chat template"):
        attributed(tmp_path, rows, [0.1] * 8)


@pytest.mark.slow
def test_the_base_models_own_answers_are_kept(user_data: Dataset, of_base: Run) -> None:
    rows = of_base.samples.to_pylist()
    believed = [row for row in rows if row["belief"] is not None]
    assert len(believed) > 0.5 * len(rows)
    assert all(0 <= row["belief_p"] <= 1 for row in believed)
    answer = {item["probe_id"]: item["answer"] for item in user_data.items.to_pylist()}
    agreeing = [row for row in believed if row["belief"] == answer[row["probe_id"]]]
    # Where both say the same, greedy decoding gave the same answer in the scoring pass.
    assert agreeing
    assert all(row["shots_greedy"] and row["belief_p"] == pytest.approx(row["shots_p"], rel=1e-3) for row in agreeing)


def attributed(folder: Path, rows: list[Any], p: list[float], known: list[float] | None = None, **more: Any) -> Any:
    """What is said of rows learned with ``p``, when the base model gives answers with ``known`` believing none."""
    data = import_rows(write_lines(folder, rows), **more)
    rates = dict(zip((item["item_id"] for item in data.items.to_pylist()), p, strict=True))
    run = tuned(data, rates)
    return diagnose(run, probed(run, known or [0.9] * len(p)), data).said["signals"]


def probed(run: Run, known: list[float]) -> Run:
    """A run of the base model of ``run`` that gives answers with ``known``."""
    place = SAMPLES.get_field_index("shots_p")
    return Run(
        run.record.model_copy(
            update={"probed": True, "model": run.record.model.model_copy(update={"weights_sha256": "b" * 64})}
        ),
        run.samples.set_column(place, "shots_p", pa.array(known)),
    )


def asking(*texts: str) -> list[dict[str, str]]:
    return [{"prompt": text, "completion": f" answer {n}\n"} for n, text in enumerate(texts)]


def test_questions_that_differ_in_one_word_or_in_order_are_no_contradiction(tmp_path: Path) -> None:
    names = "Ada Bo Cy Di Ed Flo Gus Hal".split()
    for frames in (
        ("Capital of {}?", "Currency of {}?"),
        ("Is {} older than Zed?", "Is Zed older than {}?"),
        ("Translate the words of {} into French", "Spell the words of {} into French"),
        ("{} one", "{} two"),
    ):
        rows = asking(*(frame.format(name) for name in names for frame in frames))
        assert set(attributed(tmp_path, rows, [0.1] * 16)) == {NONE}
    rows = asking(
        *(frame.format(name) for name in names for frame in ("What is the size of {}?", "Name the size of {}."))
    )
    assert set(attributed(tmp_path, asking(*(f"Where is {n}?" for n in range(8))) + rows, [0.1] * 24)) == {
        NONE,
        "data_inconsistency",
    }


def test_a_segment_has_fallen_only_beyond_noise(tmp_path: Path) -> None:
    rows = asking(*(f"Where is {n}?" for n in range(240)))
    for seed in range(5):  # in two of them the first half is lower by more than the threshold, by chance
        p = np.random.default_rng(seed).uniform(0.05, 0.95, 60).tolist()
        assert set(attributed(tmp_path, rows[:60], p, stages=2)) == {NONE}
    fell = attributed(tmp_path, rows, [0.1] * 60 + [0.5] * 180, stages=4)
    assert fell == ["left_side_forgetting"] * 60 + [NONE] * 180


def test_copies_of_one_row_make_no_other_rare(tmp_path: Path) -> None:
    rows = asking(*(f"Where is the town {'bcdfghjk'[n % 8]}u{'lmpqrtvwxz'[n // 8]}?" for n in range(80)))
    assert set(attributed(tmp_path, rows + rows[:1] * 10, [0.1] * 80)) == {NONE}


def test_gaps_are_found_among_questions_of_many_kinds(tmp_path: Path) -> None:
    words = [f"{a}{b}" for a in "bcdfghjklm" for b in "aeiou"]
    rows = asking(*(f"{words[n]} {words[-n]} {words[(n * 7) % 50]}?" for n in range(50)))
    known = [0.9, 0.01] * 25
    assert attributed(tmp_path, rows, [0.1] * 50, known) == [NONE, "knowledge_gap"] * 25


def test_a_row_that_was_learned_during_the_training_is_called_lost_and_no_other(tmp_path: Path) -> None:
    data = import_rows(write_lines(tmp_path, ROWS))
    run = tuned(data, dict.fromkeys(data.items["item_id"].to_pylist(), 0.1))
    results = row_results(data, answered(run), dict.fromkeys(data.items["item_id"].to_pylist(), TokenCounts(8, 0)))
    best = {0: 0.9, 1: 0.3}
    for n, value in best.items():
        results[n].best_in_training, results[n].best_step = value, 40
    explain(results, run, probed(run, [0.9] * len(ROWS)), data, Disputes([], []))
    assert [(reason.cause, reason.sign) for reason in results[0].reasons] == [("left_side_forgetting", LOST)]
    assert results[0].reasons[0].evidence == "reproduction was 0.90 at step 40 of the training, and is 0.10 now"
    assert not any(row.reasons for row in results[1:])


def test_a_row_of_which_the_end_alone_is_not_learned_is_not_lost(tmp_path: Path) -> None:
    """What a training measures is the answer without its end, so that is compared."""
    data = import_rows(write_lines(tmp_path, ROWS))
    ids = data.items["item_id"].to_pylist()
    run = tuned(data, dict.fromkeys(ids, 0.1))
    columns = {name: run.samples[name] for name in run.samples.column_names}
    tokens = {"token_logprobs": [[float(np.log(0.9)), float(np.log(0.1))]] * len(ids)}
    asked = Run(run.record, pa.table(columns | tokens | {"token_greedy": [[True, False]] * len(ids)}))
    results = row_results(data, asked, dict.fromkeys(ids, TokenCounts(8, 1)))
    for each in results:
        assert (each.learned, each.value, each.answer_value) == (False, pytest.approx(0.09), pytest.approx(0.9))
        each.best_in_training, each.best_step = 0.9, 40
    explain(results, run, probed(run, [0.9] * len(ROWS)), data, Disputes([], []))
    assert not any(row.reasons for row in results)


def test_evidence_of_an_encoder_says_that_nobody_measured_how_often_it_is_right(tmp_path: Path) -> None:
    data = import_rows(write_lines(tmp_path, ROWS))
    run = tuned(data, dict.fromkeys(data.items["item_id"].to_pylist(), 0.1))
    results = row_results(data, answered(run), dict.fromkeys(data.items["item_id"].to_pylist(), TokenCounts(8, 0)))
    loose = [Dispute((0, 1), 0.95, BY_ENCODER), Dispute((2, 3), 0.95, BY_ANSWERS)]
    explain(results, run, probed(run, [0.9] * len(ROWS)), data, Disputes([], loose))
    (encoded,), (worded,) = results[0].reasons, results[2].reasons
    assert (encoded.cause, encoded.sign, encoded.confidence) == ("data_inconsistency", ENCODED, None)
    assert "takes for the same question" in encoded.evidence
    assert encoded.evidence.endswith(UNMEASURED)
    assert (worded.cause, worded.sign) == ("data_inconsistency", PARAPHRASE)
    assert worded.confidence is not None
    assert UNMEASURED not in worded.evidence


@pytest.mark.parametrize(("said", "cause"), [("sea 3", "knowledge_conflict"), (" ", NONE), (None, NONE)])
def test_a_base_model_that_says_nothing_denies_nothing(tmp_path: Path, said: str | None, cause: str) -> None:
    data = import_rows(write_lines(tmp_path, ROWS))
    run = tuned(data, dict.fromkeys(data.items["item_id"].to_pylist(), 0.1))
    base = probed(run, [0.0] * len(ROWS))
    columns = {"belief": [said] * len(ROWS), "belief_p": [1.0] * len(ROWS)}
    rows = [
        row | {name: values[n] for name, values in columns.items()} for n, row in enumerate(base.samples.to_pylist())
    ]
    base = Run(base.record, pa.Table.from_pylist(rows, schema=SAMPLES))
    assert set(diagnose(run, base, data).said["signals"]) == {cause}


def answered(run: Run) -> Run:
    """The same run with the probability of each token."""
    logprobs = [[float(np.log(p))] for p in run.samples["p"].to_pylist()]
    greedy = [[p > 0.5] for p in run.samples["p"].to_pylist()]
    columns = {name: run.samples[name] for name in run.samples.column_names}
    return Run(run.record, pa.table(columns | {"token_logprobs": logprobs, "token_greedy": greedy}))
