import json
import random
from pathlib import Path
from typing import Any

import pytest
from points_runs import make_run

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.recipes import RECIPES
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, stages
from ilp_bench.records import reference_record
from ilp_bench.records.training_record import PhaseRecord
from ilp_bench.training.budget import CHECKS, budget_of, goals, next_check, spent_budget

BASE = "b" * 64
B = {1: 100, 2: 300}
BORROWED = {"division": "1x", "tokens": {"1": 100, "2": 300}, "total": 400, "source": "reference"}


@pytest.fixture(scope="module")
def small() -> Dataset:
    return make("mini", 0, pairs=3, stages=2)


def training(small: Dataset, **changes: Any) -> dict[str, Any]:
    check = {"supervised": 100, "p": 0.8, "loss": 1.0}
    return {
        "recipe": "vanilla",
        "base": {"weights_sha256": BASE},
        "data": {"content_sha256": small.sha256},
        "budget": {"division": "1x", "tokens": {"1": 100, "2": 300}, "total": 400, "source": "calibration"},
        "calibration": {"1": [check], "2": [check]},
    } | changes


def checkpoint(folder: Path, record: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "training.json").write_text(json.dumps(record))
    return folder


def test_a_checkpoint_or_run_of_vanilla_gives_the_budget(small: Dataset, tmp_path: Path) -> None:
    trained = checkpoint(tmp_path / "checkpoint", training(small))
    (tmp_path / "run.json").write_text(json.dumps({"training": training(small)}))
    for reference in (trained, tmp_path):
        assert budget_of(small, BASE, "combined", 1, reference) == B
        assert budget_of(small, BASE, "vanilla", 3, reference) == {1: 300, 2: 900}
        assert budget_of(small, BASE, "vanilla", 1, reference) == B
    assert budget_of(small, BASE, "vanilla", 1, None) is None


REFUSED = {
    "with the recipe 'resampling'": {"recipe": "resampling"},
    "from another base model": {"base": {"weights_sha256": "c" * 64}},
    "on another dataset": {"data": {"content_sha256": "c" * 64}},
    "has no budget": {"budget": None},
    "in the division 3x": {
        "budget": {"division": "3x", "tokens": {"1": 300, "2": 900}, "total": 1200, "source": "reference"}
    },
    "took its own budget from elsewhere": {"budget": BORROWED},
    "has no calibration": {"calibration": None},
    "not one of the stages": {
        "budget": {"division": "1x", "tokens": {"1": 400}, "total": 400, "source": "calibration"}
    },
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_reference_of_something_else_is_refused(message: str, small: Dataset, tmp_path: Path) -> None:
    reference = checkpoint(tmp_path / "checkpoint", training(small, **REFUSED[message]))
    with pytest.raises(UsageError, match=message) as error:
        budget_of(small, BASE, "combined", 1, reference)
    assert "train vanilla in the division 1x" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_reference_without_a_record_is_refused(small: Dataset, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "run.json").write_text(json.dumps({"training": None}))
    for reference in (tmp_path / "none", tmp_path, tmp_path / "base"):
        with pytest.raises(UsageError, match="is neither a checkpoint"):
            budget_of(small, BASE, "combined", 1, reference)


def write_reference(folder: Path, small: Dataset) -> Path:
    data = {"size": "mini", "seed": 0, "version": "3", "content_sha256": small.sha256}
    vanillas = [make_run("vanilla", training_seed=seed).record.model_dump() for seed in range(2)]
    vanillas[0] |= {"data": data, "training": training(small) | {"budget": BORROWED}}
    vanillas[1] |= {"data": data, "training": training(small)}
    base = make_run(None).record.model_dump() | {"data": data}
    record = {
        "base_name": "stub", "base_sha256": BASE, "size": "mini", "version": "3", "division": "1x", "gaps": {},
        "arms": {}, "run_sd": None,
        "datasets": [{"file": "a", "sha256": "0" * 64, "budget": 400, "base": base, "vanilla": vanillas}],
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "reference.json").write_text(json.dumps(record))
    return folder


def test_a_reference_gives_the_budget_by_its_folder_its_name_or_by_default(
    small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_reference(tmp_path / "references" / "stub-mini-1x", small)
    assert budget_of(small, BASE, "combined", 1, folder) == B
    with pytest.raises(UsageError, match="combined needs a budget"):
        budget_of(small, BASE, "combined", 1, None)
    monkeypatch.setattr(reference_record, "references_path", lambda: folder.parent)
    assert budget_of(small, BASE, "combined", 1, None) == B
    assert budget_of(small, BASE, "vanilla", 3, Path("stub-mini-1x")) == {1: 300, 2: 900}
    assert budget_of(small, BASE, "vanilla", 1, None) is None
    with pytest.raises(UsageError, match="combined needs a budget"):
        budget_of(small, "c" * 64, "combined", 1, None)
    with pytest.raises(UsageError, match="from another base model"):
        budget_of(small, "c" * 64, "combined", 1, folder)
    other = make("mini", 1, pairs=3, stages=2)
    with pytest.raises(UsageError, match="has no budget of this dataset"):
        budget_of(other, BASE, "combined", 1, folder)


def test_whoever_needs_a_budget_is_told_to_train_vanilla_first(small: Dataset) -> None:
    with pytest.raises(UsageError, match=r"^combined needs a budget: train vanilla"):
        budget_of(small, BASE, "combined", 1, None)
    with pytest.raises(UsageError, match=r"^vanilla in the division 3x needs a budget"):
        budget_of(small, BASE, "vanilla", 3, None)
    with pytest.raises(UsageError, match="1, 2, 3 budgets, not 4"):
        budget_of(small, BASE, "vanilla", 4, None)


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_recipe_is_to_spend_the_budget_of_all_stages(name: str, small: Dataset) -> None:
    context = RecipeContext(small, random.Random(0), lambda characters: ["x"], lambda prompts: [])
    phases = [phase for phase in _phases(name, context) if phase.kind == "sft"]
    wanted = goals(phases, small, B)
    assert sum(goal.tokens or 0 for goal in wanted) == sum(B.values())
    assert sum(goal.tokens or 0 for goal in goals(phases, small, {1: 300, 2: 900})) == 3 * sum(B.values())
    assert all(goal.calibration for goal in wanted)


def _phases(name: str, context: RecipeContext) -> list[Phase]:
    from dataclasses import replace

    from ilp_bench.detectors.beliefs import Answer

    return RECIPES.get(name).phases(replace(context, answers=lambda prompts: [Answer(" x", 0.1) for _ in prompts]))


def test_recipes_that_spend_a_stage_twice_or_not_at_all_are_refused(small: Dataset) -> None:
    first, last = stages(small)
    for phases in ([first], [first, last, last], [first, Phase("x", "sft", last.examples)]):
        with pytest.raises(UsageError, match="the budget of each stage once"):
            goals(phases, small, B)
    assert [goal.tokens for goal in goals([last, first], small, B)] == [300, 100]


def test_without_calibration_items_nothing_says_when_a_stage_is_learned() -> None:
    plain = make("mini", 0, pairs=2, stages=2)
    plain = plain.__class__(
        **vars(plain) | {"items": plain.items.filter([arm != "calibration" for arm in plain.items["arm"].to_pylist()])}
    )
    with pytest.raises(UsageError, match="stage 1 has no calibration items"):
        goals(stages(plain), plain, None)
    assert [goal.tokens for goal in goals(stages(plain), plain, B)] == [100, 300]


def test_the_budget_of_a_calibrated_vanilla_is_what_its_stages_took(small: Dataset) -> None:
    def record(name: str, supervised: int) -> PhaseRecord:
        return PhaseRecord(
            name=name, kind="sft", examples=1, epochs=1, steps=1, tokens=9, supervised=supervised, loss=1.0, seconds=1.0
        )

    done = [record("stage 1", 70), record("stage 2", 210)]
    calibrating = spent_budget(stages(small), done, 1, None)
    assert calibrating.model_dump() == {
        "division": "1x",
        "tokens": {"1": 70, "2": 210},
        "total": 280,
        "source": "calibration",
    }
    told = spent_budget(stages(small), done, 3, {1: 300, 2: 900})
    assert (told.division, told.total, told.source) == ("3x", 1200, "reference")


def test_checks_lie_an_eighth_of_an_epoch_apart() -> None:
    assert CHECKS == 8
    due = [next_check(0, 803)]
    while len(due) < 16:
        due.append(next_check(due[-1], 803))
    assert due == [-(-803 * n // 8) for n in range(1, 17)]
    assert next_check(350, 803) == 402  # a batch that passed two checks
    assert [next_check(n, 3) for n in (0, 1, 2)] == [1, 2, 3]  # fewer tokens than checks
