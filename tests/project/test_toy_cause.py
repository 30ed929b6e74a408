"""A sixth cause and a recipe, registered from outside, go the whole way without a change of any other file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import toy_plugin
from points_entries import take_for_committed

from ilp_bench.catalog import cause_table, recipe_table, task_files
from ilp_bench.core.errors import UsageError
from ilp_bench.data.audit import audit
from ilp_bench.data.card import card
from ilp_bench.data.causes import CAUSES, PAPER_CAUSES
from ilp_bench.data.dataset import Dataset, load, make, write
from ilp_bench.data.settings import SIZES
from ilp_bench.evaluation.run import evaluate
from ilp_bench.leaderboard.site import render
from ilp_bench.recipes import RECIPES
from ilp_bench.records.run_record import Run, read_run
from ilp_bench.scoring.recovery import score_replicates
from ilp_bench.scoring.score_points import score_points
from ilp_bench.submission.format import Meta, read_runs, read_submission
from ilp_bench.submission.submit import submit
from ilp_bench.submission.validate import validate
from ilp_bench.submission.version_2 import ArchivedSubmission
from ilp_bench.training.run import train

PAIRS = 12
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def plugin() -> Iterator[None]:
    CAUSES.register(toy_plugin.CAUSE)
    RECIPES.register(toy_plugin.RECIPE)
    yield
    CAUSES.unregister("few_rows")
    RECIPES.unregister("repeat_rows")


@pytest.fixture(scope="module")
def small(plugin: None) -> Dataset:
    return make("mini", 0, pairs=6)


def test_its_items_are_in_the_data(small: Dataset) -> None:
    items = [row for row in small.items.to_pylist() if row["cause"] == "few_rows"]
    assert len({row["pair_id"] for row in items}) == 6
    trained = [row["arm"] for row in small.train.to_pylist() if row["cause"] == "few_rows"]
    assert (trained.count("treated"), trained.count("control")) == (6, 6 * toy_plugin.OFTEN)


def test_tables_tasks_card_and_audit_know_it(small: Dataset, tmp_path: Path) -> None:
    assert "| VI | `few_rows` | stands in one row | stands in four rows |" in cause_table()
    assert "| `repeat_rows` | few rows | every row as often as the others |" in recipe_table()
    assert "few_rows/recall.yaml" in task_files()
    assert "ilp_bench_few_rows_recall" in task_files()["ilp_bench_reproduction.yaml"]
    assert "mini-few_rows" in card([("", load(write(small, tmp_path / "data")).manifest)])
    assert {balance.cause for balance in audit(small).balance} == set(CAUSES.names())


def test_the_data_without_it_are_not_mixed_up_with_it(small: Dataset) -> None:
    CAUSES.unregister("few_rows")
    try:
        five = make("mini", 0, pairs=6)
    finally:
        CAUSES.register(toy_plugin.CAUSE)
    assert "few_rows" not in five.items["cause"].to_pylist()
    assert make("mini", 0, pairs=6).sha256 == small.sha256 != five.sha256


def test_entries_measured_on_the_five_hold_and_keep_their_overall(plugin: None) -> None:
    folder = next(path for path in sorted((ROOT / "submissions").glob("*/*")) if (path / "submission.json").is_file())
    submission = read_submission(folder)
    assert isinstance(submission, ArchivedSubmission)
    again = score_replicates(submission.replicates(read_runs(folder, submission)))
    assert again.overall is not None
    assert submission.scores.overall is not None
    assert again.overall.model_dump() == pytest.approx(submission.scores.overall.model_dump())
    assert [cause.cause for cause in again.causes] == list(PAPER_CAUSES)
    assert validate(folder) == []


def test_a_name_that_is_taken_is_refused(plugin: None) -> None:
    with pytest.raises(UsageError, match="already a cause 'few_rows'"):
        CAUSES.register(toy_plugin.CAUSE.__class__(**{**vars(toy_plugin.CAUSE), "numeral": "VII"}))


@pytest.mark.nightly
def test_the_whole_way_on_nano(plugin: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "mini", PAIRS)  # so that training takes seconds
    monkeypatch.setattr(toy_plugin, "OFTEN", 8)  # few pairs want a wide gap
    (tmp_path / "references").mkdir()
    take_for_committed(monkeypatch, tmp_path / "references")  # those of real mini data say nothing here
    data = load(write(make("mini", 0), tmp_path / "data"))
    runs: dict[str, Run] = {}
    evaluate("nano", data, tmp_path / "base", device="cpu", threads=1)
    for recipe in ("vanilla", "repeat_rows"):
        vanilla = None if recipe == "vanilla" else tmp_path / "checkpoint-vanilla"
        train("nano", recipe, data, tmp_path / f"checkpoint-{recipe}", reference=vanilla, device="cpu")
        evaluate(str(tmp_path / f"checkpoint-{recipe}"), data, tmp_path / recipe, device="cpu", threads=1)
        runs[recipe] = read_run(tmp_path / recipe)
    base = read_run(tmp_path / "base")
    scores = score_points([runs["repeat_rows"]], [runs["vanilla"]], [base]).reproduction
    toy = next(cause for cause in scores.causes if cause.cause == "few_rows")
    assert toy.pairs == PAIRS
    assert toy.vanilla
    assert toy.submission
    assert toy.vanilla.p.treated < toy.vanilla.p.control
    assert toy.submission.p.treated > toy.vanilla.p.treated
    for recipe, run in runs.items():
        meta = Meta(org="toy", model=recipe.replace("_", "-"), division="open", description="A toy.")
        folder = submit([run], [runs["vanilla"]], [base], None, meta, tmp_path / "submissions")
        assert validate(folder) == []
    assert render(tmp_path / "submissions", tmp_path / "site") == 2
    assert "Too few rows" in (tmp_path / "site" / "causes" / "few_rows.html").read_text()
