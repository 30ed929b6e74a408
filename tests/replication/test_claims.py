"""Claims are judged by intervals alone: made-up runs in which each claim is true, false, or cannot be told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from conftest import make_run

from ilp_bench.data.dataset import Dataset
from ilp_bench.records.run_record import Runs
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.replication.claims import claims
from ilp_bench.replication.reference_runs import Pool
from ilp_bench.replication.report import heat_map, inserted, matrix, table

Rates = dict[str, float]
CAUSE_OF = {
    "knowledge_cpt": "knowledge_gap",
    "conflict_cpt": "knowledge_conflict",
    "conflict_buckets": "data_inconsistency",
    "resampling": "left_side_forgetting",
    "progressive_epochs": "rare_patterns",
}


def chance(repaired: Rates) -> Callable[[dict[str, Any]], float]:
    """Controls are learned, treated items hardly, older stages least; ``repaired`` says what treated items have."""

    def p(item: dict[str, Any]) -> float:
        if item["arm"] != "treated":
            return 0.9 if item["arm"] else repaired.get("retention", 0.5)
        if item["cause"] in repaired:
            return repaired[item["cause"]]
        return 0.12 / item["dose"] if item["cause"] == "left_side_forgetting" else 0.05

    return p


@pytest.fixture(scope="module")
def family(mini: Dataset) -> Callable[[dict[str, Rates]], dict[str, list[Runs]]]:
    vanilla, base = make_run(mini, "vanilla", chance({})), make_run(mini, None, chance({}))

    def make(recipes: dict[str, Rates]) -> dict[str, list[Runs]]:
        return {
            name: [Runs(make_run(mini, name, chance(repaired)), vanilla, base)] for name, repaired in recipes.items()
        }

    return make


def test_what_is_true_is_reproduced(family: Any) -> None:
    recipes = {recipe: {cause: 0.6} for recipe, cause in CAUSE_OF.items()}
    recipes |= {
        "delete_only": {"data_inconsistency": 0.2},
        "group_only": {"data_inconsistency": 0.2},
        "more_epochs": {},
    }
    recipes["knowledge_cpt"]["retention"] = 0.1
    found = {claim.name: claim for claim in claims(family(recipes))}
    assert {name: claim.verdict for name, claim in found.items()} == {
        **dict.fromkeys(("C1", "C2", "C3", "C4", "C5", "C6", "C7"), "reproduced"),
        "C8": "not testable here",
    }
    effect = found["C2"].effects[0].interval
    assert effect.low < effect.value < effect.high


def test_replicates_on_the_same_data_narrow_no_interval(family: Any) -> None:
    recipes = family({"conflict_cpt": {"knowledge_conflict": 0.6}})
    (once,) = recipes["conflict_cpt"]
    again = replace(
        once.submission,
        record=once.submission.record.model_copy(update={"training": TrainingRecord(recipe="conflict_cpt", seed=1)}),
    )
    twice = {"conflict_cpt": [once, once._replace(submission=again)]}
    effects = [
        next(claim.effects[0].interval for claim in claims(one) if claim.name == "C2") for one in (recipes, twice)
    ]
    assert len(Pool(twice, ["conflict_cpt"]).first) == 2
    assert effects[0] == effects[1]


def test_what_is_false_is_contradicted_and_what_is_missing_is_named(family: Any) -> None:
    recipes = {
        "knowledge_cpt": {"knowledge_gap": 0.2, "retention": 0.9},
        "more_epochs": {"knowledge_gap": 0.6},
        "conflict_buckets": {"data_inconsistency": 0.2},
        "delete_only": {"data_inconsistency": 0.6},
        "group_only": {"data_inconsistency": 0.2},
        "conflict_cpt": {},
    }
    found = {claim.name: claim for claim in claims(family(recipes))}
    verdicts = {name: claim.verdict for name, claim in found.items()}
    assert verdicts["C1"] == verdicts["C3"] == verdicts["C6"] == "contradicted"
    assert verdicts["C2"] == "not reproduced"
    assert found["C4"].verdict == found["C5"].verdict == "not testable here"
    assert "resampling" in found["C4"].why
    assert found["C7"].why == "no submission of resampling, progressive_epochs"  # all must be tried


def test_the_tables_say_what_was_measured(family: Any) -> None:
    some = family({"vanilla": {}, "conflict_cpt": {"knowledge_conflict": 0.6}})
    row = next(line for line in matrix(some).splitlines() if line.startswith("| `conflict_cpt`"))
    assert "**0.9" in row
    assert row.count("**") == 4  # its own cause, and overall
    assert table(some).count("not testable here") == 7
    assert "conflict_cpt" in heat_map(some, "a & b")
    assert "a &amp; b" in heat_map(some, "a & b")


def test_a_page_keeps_what_stands_around_it() -> None:
    start, end = "<!-- made by scripts/a -->", "<!-- end of what scripts/a makes -->"
    once = inserted("# Results\n", "one", "scripts/a")
    assert once == f"# Results\n\n{start}\n\none\n\n{end}\n"
    assert inserted(once + "\n## More\n", "two", "scripts/a") == f"# Results\n\n{start}\n\ntwo\n\n{end}\n## More\n"
    both = inserted(once, "three", "scripts/b")
    assert both.startswith(once)
    assert inserted(both, "two", "scripts/a").endswith(both.removeprefix(once))
