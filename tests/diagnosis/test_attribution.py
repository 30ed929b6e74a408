"""Attribution reads signals, never causes; and is right where a sign is there."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import by_arm, make_run
from typer.testing import CliRunner

from ilp_bench.cli.diagnosis_table import diagnosis_table
from ilp_bench.cli.main import app
from ilp_bench.core.errors import ProblemError
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.data.settings import SIZES, STAGES
from ilp_bench.diagnosis.why.attribution import NONE, Diagnosis, by_paper, by_signals, diagnose, labels
from ilp_bench.diagnosis.why.signals import Signals, signals
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.learned_rates import active_pairs

PAIRED = 2 * SIZES["mini"] * len(CAUSES)  # items of pairs
PLAIN = Signals("x", "Who?", 0.5, 0.9, 0.9, 0.0, 0.0, 0.0, False, 4, True, 0.0, 1, 0.9, None)


def forgetful(item: dict[str, Any]) -> float:
    """Treated items are hardly learned, and what calibrates an early stage is forgotten as all else of it."""
    forgotten = item["arm"] == "calibration" and item["stage"] < STAGES
    return 0.1 if item["arm"] == "treated" or forgotten else 0.8


@pytest.fixture(scope="module")
def tuned(mini: Dataset) -> Run:
    return make_run(mini, "vanilla", by_arm(0.1, 0.8))


@pytest.fixture(scope="module")
def of_nano(mini: Dataset, base_run: Run) -> Run:
    """Made-up rates of a model that is said to be tuned from nano."""
    base = {"name": "nano", "revision": None, "weights_sha256": base_run.record.model.weights_sha256}
    return make_run(mini, "vanilla", forgetful, training={"recipe": "vanilla", "base": base})


def without_causes(data: Dataset) -> Dataset:
    """The same rows and questions, all of them said to be treated by one cause."""

    def told(table: pa.Table) -> pa.Table:
        for name, value in (("cause", "rare_patterns"), ("arm", "treated"), ("dose", 1.0)):
            if name in table.column_names:
                old = table[name].combine_chunks()
                same = pc.if_else(pc.is_valid(old), pa.scalar(value, old.type), old)
                table = table.set_column(table.schema.get_field_index(name), name, same)
        return table

    return replace(data, train=told(data.train), items=told(data.items))


def test_it_tells_the_causes_apart_without_reading_them(mini: Dataset, of_nano: Run, base_run: Run) -> None:
    found = diagnose(of_nano, base_run, mini)
    quality = found.quality["signals"]
    assert quality.macro_f1
    assert quality.macro_f1.value > 0.9
    assert quality.macro_f1.low <= quality.macro_f1.value <= quality.macro_f1.high
    assert all(value is not None and value > 0.8 for value in quality.f1.values())
    wrong = found.quality["signals"].confusion[NONE]
    assert wrong[NONE] > 0.95 * sum(wrong.values())
    assert not found.asked_all
    assert {one.item_id for one in found.items} == {row["item_id"] for row in mini.item_rows() if row["pair_id"]}
    again = diagnose(of_nano, base_run, without_causes(mini))
    assert again.said == found.said
    assert set(again.truth) == {"rare_patterns"}


def test_confusion_adds_up_to_the_expected_number_of_unlearned_items(
    mini: Dataset, of_nano: Run, base_run: Run
) -> None:
    found = diagnose(of_nano, base_run, mini)
    assert found.unlearned == pytest.approx(sum(1 - one.learned for one in found.items))
    acts = {pair for pairs in active_pairs(base_run).values() for pair in pairs}
    pair_of = {row["item_id"]: row["pair_id"] for row in mini.item_rows()}
    counted = sum(1 - one.learned for one in found.items if pair_of[one.item_id] in acts)
    assert 0.9 * found.unlearned < counted < found.unlearned  # nano knows most, not all, of what the data suppose
    for quality in found.quality.values():
        assert sum(sum(row.values()) for row in quality.confusion.values()) == pytest.approx(counted)
    training = of_nano.record.training
    perfect = make_run(mini, "vanilla", lambda item: 1.0, training=training)
    learned_all = diagnose(perfect, base_run, mini)
    assert learned_all.unlearned == pytest.approx(0, abs=0.01)


def test_of_decoys_the_unlearned_are_reported_and_by_rows_alone_all_with_a_sign(
    mini: Dataset, of_nano: Run, base_run: Run
) -> None:
    decoys = {row["item_id"] for row in mini.item_rows() if row["arm"] == "decoy"}
    training = of_nano.record.training
    learned = diagnose(make_run(mini, "vanilla", lambda item: 1.0, training=training), base_run, mini).decoys
    unlearned = diagnose(make_run(mini, "vanilla", lambda item: 0.0, training=training), base_run, mini).decoys
    assert learned
    assert unlearned
    assert learned.asked == unlearned.asked == len(decoys)
    assert learned.named["signals"] == pytest.approx(0, abs=0.01)
    assert unlearned.named["signals"] > unlearned.named["rows"] > 0
    assert learned.named["rows"] == unlearned.named["rows"]


def test_signals_are_within_their_ranges(mini: Dataset, of_nano: Run, base_run: Run) -> None:
    found = signals(of_nano, base_run, mini)
    trained = {row["item_id"] for row in mini.item_rows() if row["arm"]}
    assert len(found) == len({one.item_id for one in found}) == len(trained) > PAIRED
    for one in found:
        assert 0 <= one.learned <= 1
        assert 0 <= one.known <= 1
        assert 0 <= one.denied <= 1
        assert 0 <= one.contradicted < 1
        assert one.fallen >= 0
        assert one.rarity >= 1
    assert {one.segment for one in found} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("change", "ours"),
    [
        ({}, NONE),
        ({"contradicted": 0.5}, "data_inconsistency"),
        ({"denied": 0.9}, "knowledge_conflict"),
        ({"denied": 0.4}, NONE),
        ({"fallen": 0.2}, "left_side_forgetting"),
        ({"fallen": 0.04}, NONE),
        ({"fallen": 0.06}, "left_side_forgetting"),
        ({"rarity": 8}, "rare_patterns"),
        ({"rarity": 2}, "rare_patterns"),
        ({"known": 0.0}, "knowledge_gap"),
        ({"known": 0.0, "kind_known": 0.1}, NONE),
        ({"known": 0.0, "denied": 0.6}, "knowledge_conflict"),
        ({"known": 0.0, "kind_known": 0.1, "kind_learned": 0.8}, "knowledge_gap"),
        ({"disputed": True, "fallen": 0.2}, "data_inconsistency"),
        ({"contradicted": 0.5, "denied": 0.9, "rarity": 3}, "data_inconsistency"),
    ],
)
def test_one_sign_one_cause(change: dict[str, Any], ours: str) -> None:
    assert by_signals(PLAIN._replace(**change)) == ours


def test_the_papers_rules_call_whatever_is_unknown_a_gap() -> None:
    new = PLAIN._replace(known=0.0, best_of_5=0.0, kind_known=0.0)
    assert by_paper(new) == "knowledge_gap"
    assert by_paper(new._replace(contradicted=0.5)) == "knowledge_gap"
    assert by_paper(PLAIN._replace(denied=0.9, divergence=0.4)) == "knowledge_conflict"
    assert by_paper(PLAIN._replace(denied=0.9, divergence=0.1)) == NONE
    assert by_paper(PLAIN._replace(contradicted=0.5)) == "data_inconsistency"


def test_the_command_prints_what_json_holds(data: Path, runs: dict[str, Path], tmp_path: Path, mini: Dataset) -> None:
    call = ["diagnose", str(runs["vanilla"]), "--base-run", str(runs["base"]), "--data", str(data)]
    done = CliRunner().invoke(app, [*call, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert set(found["quality"]) == {"signals", "paper", "rows"}
    assert set(found["quality"]["signals"]["confusion"]) == set(labels())
    assert set(found["quality"]["signals"]["f1"]) == set(CAUSES.names())
    assert len(found["diagnoses"]) == found["items"] == PAIRED
    assert sum(cost["items"] for cost in found["causes"].values()) == PAIRED
    assert sum(cost["unlearned"] for cost in found["causes"].values()) == pytest.approx(found["unlearned"])
    assert set(found["diagnoses"][0]["said"]) == {"signals", "paper", "rows"}
    shown = CliRunner().invoke(app, call)
    assert shown.exit_code == 0
    assert f"{found['unlearned']:.0f} of {PAIRED} trained items" in shown.output
    assert "asks no model" in " ".join(shown.output.split())
    assert "method paper" not in shown.output
    everything = " ".join(CliRunner().invoke(app, [*call, "--quality"]).output.split())
    assert "evaluate both" in everything
    assert f"of {found['decoys']['asked']} decoys" in everything
    assert f"for {found['decoys']['named']['signals']:.1f}, by the rule" in everything


def test_bad_input_is_one_clear_line(mini: Dataset, tuned: Run, base_run: Run) -> None:
    base = make_run(mini, None, by_arm(0, 0))
    for run, other, data, complaint in (
        (tuned, base, make("mini", 1), "the run was measured on other data"),
        (tuned, tuned, mini, "the run given as base is of a fine-tuned model"),
        (base, base, mini, "run and base run are of the same weights"),
        (tuned, base_run, mini, "fine-tuned from another base model"),
        (make_run(mini, "vanilla", by_arm(0, 0), protocol="sampled"), base, mini, "the run was sampled"),
    ):
        with pytest.raises(ProblemError, match=complaint):
            diagnose(run, other, data)


def test_on_user_data_advice_is_given_and_no_recipe_that_cannot_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    items = [PLAIN._replace(denied=0.9)]
    named = {"signals": ["knowledge_conflict"]}
    diagnosis_table(Diagnosis(items, None, named, {}, asked_all=False), as_json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "what helps" in told
    assert "Continued pre-training on" in told
    assert "conflict_cpt" not in told
    assert "1 items are few: the share of a cause may be chance" in told
    diagnosis_table(Diagnosis(items, ["knowledge_conflict"], named, {}, asked_all=False), as_json=False)
    assert "conflict_cpt" in capsys.readouterr().out
    diagnosis_table(Diagnosis(items, None, named, {}, asked_all=False), as_json=True)
    cause = json.loads(capsys.readouterr().out)["causes"]["knowledge_conflict"]
    assert cause["recipes"] == ["conflict_cpt"]
    assert cause["advice"].startswith("Continued pre-training")
