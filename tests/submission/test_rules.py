"""The rules of schema 3: budgets, vanilla runs of one's own, references; each refusal names the remedy in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import retrained
from points_entries import STAGE_TOKENS, RunSet, entry_run, runs_of, take_for_committed, write_entry, write_reference

from ilp_bench.core.errors import ProblemError
from ilp_bench.leaderboard.describe import OWN_VANILLA, describe_entry
from ilp_bench.records.run_record import Run
from ilp_bench.scoring import references
from ilp_bench.scoring.rank_reasons import rank_reasons
from ilp_bench.scoring.references import Reference
from ilp_bench.submission.decisions import Decision, decide
from ilp_bench.submission.format import Meta, Submission, read_meta, read_submission
from ilp_bench.submission.submit import submit
from ilp_bench.submission.validate import check, validate

TOTAL = sum(STAGE_TOKENS.values())


def meta(division: str = "1x") -> Meta:
    return Meta.model_validate({"org": "lab", "model": "half", "division": division})


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands for the committed references."""
    root = tmp_path / "references"
    root.mkdir()
    take_for_committed(monkeypatch, root)
    return root


@pytest.fixture
def reference(committed: Path) -> Reference:
    return write_reference(committed / "stub-mini-1x")


def refusal(runs: RunSet, out: Path, division: str = "1x", reference: Reference | None = None) -> str:
    """What submitting these runs is refused with; nothing is left behind."""
    with pytest.raises(ProblemError) as refused:
        submit(*runs, reference, meta(division), out / "submissions")
    assert not (out / "submissions").exists()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def all_runs(runs: list[Run], **changes: Any) -> None:
    for run in runs:
        retrained(run, **changes)


def budget(total: int, division: str = "1x", source: str = "reference") -> dict[str, Any]:
    return {"division": division, "tokens": {"1": total}, "total": total, "source": source}


def phases(*supervised: int) -> list[dict[str, Any]]:
    about = {"kind": "sft", "examples": 1, "epochs": 1, "steps": 1, "tokens": 1, "loss": 0.1, "seconds": 1.0}
    return [about | {"name": f"stage {n}", "supervised": count} for n, count in enumerate(supervised)]


def test_honest_entries_of_every_division_hold(tmp_path: Path, committed: Path) -> None:
    for division in ("1x", "3x"):
        folder = write_entry(tmp_path, division=division)
        checked = check(folder)
        assert checked.problems == []
        assert checked.scores
        assert isinstance(checked.submission, Submission)
        assert checked.submission.scores.ranked
    assert validate(write_entry(tmp_path, division="open", seeds=(0,))) == []


def test_an_entry_against_a_reference_has_no_vanilla_of_its_own(tmp_path: Path, reference: Reference) -> None:
    folder = write_entry(tmp_path, reference=reference)
    assert validate(folder) == []
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    assert (submission.vanillas, submission.bases) == ([], [])
    assert submission.reference
    assert submission.reference.name == "stub-mini-1x"
    assert submission.scores.reference
    assert submission.scores.reference.runs


def test_vanilla_of_ones_own_beside_a_reference_waits_for_a_rerun(tmp_path: Path, reference: Reference) -> None:
    runs = runs_of(seeds=(0, 1, 2, 3))
    folder = submit(runs.runs, runs.vanillas[3:], runs.bases[3:], reference, meta(), tmp_path)
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    assert submission.scores.ranked
    assert describe_entry(folder, submission, [], []).not_ranked_because == (OWN_VANILLA,)


def test_an_entry_without_a_cause_that_counts_elsewhere_is_not_ranked(tmp_path: Path, reference: Reference) -> None:
    folder = write_entry(tmp_path, reference=reference)
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    scores = submission.scores
    assert scores.ranked
    few = {
        "gap": None,
        "points": None,
        "counted": False,
        "reason": "its cause can act on fewer than 10 pairs a dataset",
    }
    first, *others = scores.reproduction.causes
    lacking = scores.reproduction.model_copy(update={"causes": [first.model_copy(update=few), *others]})
    (reason,) = rank_reasons(scores.model_copy(update={"reproduction": lacking}))
    assert reason.text.startswith(f"{first.cause} counts on this base model, but its cause can act on fewer than 10")


def weak_vanilla(runs: RunSet) -> None:
    runs.vanillas[1] = entry_run("vanilla", 1, calibration=0.6)


def weak_vanilla_of_another_budget(runs: RunSet) -> None:
    runs.vanillas.append(entry_run("vanilla", 1, training_seed=9, calibration=0.55))
    retrained(runs.vanillas[-1], budget=runs.vanillas[1].record.training.budget.model_dump() | {"source": "reference"})  # type: ignore[union-attr]


def more_tokens_than_the_budget(runs: RunSet) -> None:
    retrained(runs.runs[0], phases=phases(TOTAL, 500))


def fewer_tokens_than_its_phases(runs: RunSet) -> None:
    retrained(runs.runs[0], tokens={"sft": 1000, "replayed": 0, "cpt": 0})


def a_larger_budget(runs: RunSet) -> None:
    retrained(runs.runs[0], phases=phases(TOTAL + 500), budget=budget(TOTAL + 500))


def a_smaller_budget(runs: RunSet) -> None:
    retrained(runs.runs[0], phases=phases(TOTAL - 500), budget=budget(TOTAL - 500))


def stages_that_do_not_add_up(runs: RunSet) -> None:
    retrained(runs.runs[0], budget=budget(TOTAL) | {"tokens": {"1": 3}})


def three_budgets_in_1x(runs: RunSet) -> None:
    retrained(runs.runs[0], phases=phases(3 * TOTAL), budget=budget(3 * TOTAL))


def another_division(runs: RunSet) -> None:
    all_runs([*runs.runs, *runs.vanillas], budget=budget(TOTAL, "3x"))


def no_budget_recorded(runs: RunSet) -> None:
    all_runs(runs.runs, budget=None, phases=None)


def no_seed_recorded(runs: RunSet) -> None:
    all_runs(runs.runs, seed=None)


def a_higher_rate_than_vanilla(runs: RunSet) -> None:
    all_runs(runs.runs, learning_rate=3.5e-4)


def smaller_batches_than_vanilla(runs: RunSet) -> None:
    all_runs(runs.runs, batch_size=4)


def no_rate_recorded(runs: RunSet) -> None:
    all_runs(runs.runs, learning_rate=None)


def two_seeds(runs: RunSet) -> None:
    for role in runs:
        del role[2:]


def one_dataset_thrice(runs: RunSet) -> None:
    runs.runs[1:] = [entry_run("resampling", 0, training_seed=seed, gain=0.2) for seed in (5, 6)]
    for role in (runs.vanillas, runs.bases):
        del role[1:]


def no_base_run(runs: RunSet) -> None:
    runs.bases.clear()


def a_training_record_of_another_dataset(runs: RunSet) -> None:
    retrained(runs.runs[0], data=runs.runs[1].record.data.model_dump())


def a_vanilla_that_was_not_calibrated(runs: RunSet) -> None:
    retrained(runs.vanillas[0], budget=runs.vanillas[0].record.training.budget.model_dump() | {"source": "reference"})  # type: ignore[union-attr]


def a_vanilla_without_a_recipe(runs: RunSet) -> None:
    retrained(runs.vanillas[0], recipe=None)


REFUSED: list[tuple[Callable[[RunSet], None], str]] = [
    (weak_vanilla, "vanillas.1: weak vanilla: its mean p of the last stage's calibration items is 0.6"),
    (weak_vanilla_of_another_budget, "weak vanilla"),
    (more_tokens_than_the_budget, "train with exactly the budget"),
    (fewer_tokens_than_its_phases, "names 1000 tokens in all, and its phases"),
    (a_larger_budget, "vanillas.0 has 19000 in division 1x: train with that budget"),
    (a_smaller_budget, "vanillas.0 has 19000 in division 1x: train with that budget"),
    (stages_that_do_not_add_up, "and its stages 3"),
    (three_budgets_in_1x, f"its budget is {3 * TOTAL} supervised tokens"),
    (another_division, "it was trained in division 3x, and is submitted to 1x"),
    (no_budget_recorded, "lacks budget, phases with their supervised tokens"),
    (no_seed_recorded, "lacks seed"),
    (a_higher_rate_than_vanilla, "these runs have learning rate 0.00035, batches of 16; vanilla: learning rate 0.001"),
    (smaller_batches_than_vanilla, "needs the settings of the vanilla runs"),
    (no_rate_recorded, "lacks learning_rate"),
    (two_seeds, "needs runs on datasets of 3 seeds, this has 2 (0, 1)"),
    (one_dataset_thrice, "needs runs on datasets of 3 seeds, this has 1 (0)"),
    (no_base_run, "needs a base run on each dataset"),
    (a_training_record_of_another_dataset, "was trained on another dataset"),
    (a_vanilla_that_was_not_calibrated, "found its budget by calibration"),
    (a_vanilla_without_a_recipe, "needs the recipe vanilla"),
]


@pytest.mark.parametrize(("change", "complaint"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_breaks_a_rule_is_refused(
    change: Callable[[RunSet], None], complaint: str, tmp_path: Path, committed: Path
) -> None:
    runs = runs_of(gain=0.2)
    change(runs)
    assert complaint in refusal(runs, tmp_path)


def test_three_budgets_of_vanilla_are_three_times_another(tmp_path: Path, committed: Path) -> None:
    runs = runs_of(gain=0.2, division="3x")
    for run in (runs.runs[0], runs.vanillas[0]):
        retrained(run, budget=budget(19_001, "3x"), phases=phases(19_001))
    assert "is not three times another" in refusal(runs, tmp_path, "3x")


def test_a_committed_reference_is_used(tmp_path: Path, reference: Reference) -> None:
    own = runs_of(gain=0.2)
    assert "reference stub-mini-1x is committed" in refusal(own, tmp_path)
    text = refusal(own, tmp_path, reference=reference)
    assert "vanillas.0: reference stub-mini-1x has that run on the dataset of seed 0: leave yours out" in text
    assert "bases.2: reference stub-mini-1x has that run" in text
    assert "leave yours out" in refusal(own, tmp_path, division="open")


def test_what_was_accepted_before_there_was_a_reference_stays_valid(tmp_path: Path, committed: Path) -> None:
    folder = write_entry(tmp_path / "submissions")
    write_reference(committed / "stub-mini-1x")
    assert any("is committed for this base model" in problem for problem in validate(folder))
    about = {"run_id": folder.name, "entry": f"{folder.parent.name}/{folder.name}", "decision": "accepted"}
    decide(folder.parents[1], Decision.model_validate(about | {"reason": "x", "date": "2026-11-27", "by": "me"}))
    assert validate(folder) == []


def test_the_budget_is_that_of_the_reference(tmp_path: Path, reference: Reference) -> None:
    runs = runs_of(gain=0.2, vanillas=False, bases=False)
    retrained(runs.runs[2], budget=budget(TOTAL + 1), phases=phases(TOTAL + 1))
    text = refusal(runs, tmp_path, reference=reference)
    assert f"runs.2: its budget is {TOTAL + 1} supervised tokens, and reference stub-mini-1x has {TOTAL}" in text


def test_the_settings_are_those_of_the_reference_or_the_division_is_open(tmp_path: Path, reference: Reference) -> None:
    runs = runs_of(gain=0.2, vanillas=False, bases=False)
    all_runs(runs.runs, learning_rate=2e-3, lora=8)
    text = refusal(runs, tmp_path, reference=reference)
    assert "these runs have learning rate 0.002, batches of 16, LoRA of rank 8; vanilla: learning rate 0.001" in text
    assert text.rstrip().endswith("train with those, or submit as open")
    submit(*runs, reference, meta("open"), tmp_path / "open")


def test_three_budgets_are_those_of_the_reference_in_1x(tmp_path: Path, reference: Reference) -> None:
    """No reference of 3x is needed to know what three budgets are."""
    assert validate(write_entry(tmp_path / "ok", division="3x")) == []
    runs = runs_of(gain=0.2, division="3x")
    for run in (runs.runs[0], runs.vanillas[0]):
        retrained(run, budget=budget(60_000, "3x"), phases=phases(60_000))
    assert f"and reference stub-mini-1x has {3 * TOTAL} in division 3x" in refusal(runs, tmp_path, "3x")


def test_a_reference_of_another_base_or_division_is_named(tmp_path: Path, committed: Path) -> None:
    other = write_reference(committed / "other-mini-1x", base="other")
    runs = runs_of(gain=0.2, vanillas=False, bases=False)
    text = refusal(runs, tmp_path, reference=other)
    assert "reference other-mini-1x is of another base model" in text
    three = write_reference(committed / "stub-mini-3x", division="3x")
    text = refusal(runs, tmp_path, reference=three)
    assert "reference stub-mini-3x is of another budget division (3x, the run's is 1x)" in text


def test_a_reference_that_is_not_committed_or_has_changed_is_named(tmp_path: Path, committed: Path) -> None:
    elsewhere = write_reference(tmp_path / "mine")
    runs = runs_of(gain=0.2, vanillas=False, bases=False)
    assert "reference mine is not committed" in refusal(runs, tmp_path, reference=elsewhere)
    reference = write_reference(committed / "stub-mini-1x")
    folder = write_entry(tmp_path / "submissions", reference=reference)
    record = reference.folder / "reference.json"
    record.write_text(record.read_text() + "\n")
    references._all_in.cache_clear()
    assert any("one of them was changed; submit again" in problem for problem in validate(folder))


def test_a_hurt_control_is_valid_and_not_ranked(tmp_path: Path, committed: Path) -> None:
    folder = write_entry(tmp_path, control=-0.2)
    checked = check(folder)
    assert checked.problems == []
    assert isinstance(checked.submission, Submission)
    assert not checked.submission.scores.ranked
    assert "fell" in checked.submission.scores.not_ranked_because[0]


def test_metadata_may_begin_with_a_byte_order_mark_and_a_wrong_name_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "meta.json"
    file.write_text('{"org": "lab", "model": "box-1", "division": "open"}', encoding="utf-8-sig")
    assert read_meta(file).model == "box-1"
    file.write_text('{"org": "lab", "model": "box_7b", "division": "open"}')
    with pytest.raises(ProblemError, match=r"meta\.json: model: use letters, digits, dots and hyphens"):
        read_meta(file)
