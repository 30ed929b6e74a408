"""Every sentence about why a cause acts, and what method and submit pages say in numbers, against data and results.

A sentence that is not listed here fails, so that none is written that nothing checks.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest

from ilp_bench.data.causes import CAUSES, PAPER_CAUSES
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.leaderboard.findings import dose_trend
from ilp_bench.leaderboard.ranking import BaseModel, base_models
from ilp_bench.leaderboard.vanilla_levels import verdict
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.activity import activity
from ilp_bench.scoring.pair_probabilities import KINDS, pair_tables
from ilp_bench.scoring.points_schema import PairGroup
from ilp_bench.scoring.references import committed_references
from ilp_bench.training.budget import CHECKS

BASE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def models() -> list[BaseModel]:
    """The committed references."""
    return base_models([], list(committed_references().values()))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make("mini", 0)


def less_likely(cause: str, models: list[BaseModel], _: Dataset) -> bool:
    """Under every reference's vanilla at 1x, and in both scores, treated items are less likely than controls."""
    levels = [model.vanilla["1x"].arms for model in models]
    return len(levels) > 1 and all(
        arms[kind][cause].treated < arms[kind][cause].control for arms in levels for kind in KINDS
    )


def at_3x(cause: str, models: list[BaseModel], said: str) -> bool:
    """In prompts that were trained, wherever vanilla was trained at both budgets."""
    told = [verdict(model.vanilla, "reproduction", cause) for model in models if {"1x", "3x"} <= model.vanilla.keys()]
    return bool(told) and set(told) == {said}


def rows_of(data: Dataset, cause: str, arm: str) -> dict[str, list[str]]:
    """Pair -> the labels of the training rows of one arm."""
    labels = defaultdict(list)
    for row in data.train.to_pylist():
        if (row["cause"], row["arm"]) == (cause, arm):
            labels["-".join(row["item_id"].split("-")[:2])].append(row["completion"].strip())
    return labels


def bases() -> list[Run]:
    """The base runs of all committed references."""
    runs = [one.base for reference in committed_references().values() for one in reference.comparisons if one.base]
    assert runs
    return runs


def is_prior(cause: str, models: list[BaseModel], data: Dataset) -> bool:
    """Treated items have another answer that base models know, and pairs without it are not scored."""
    items = data.items.to_pylist()
    treated = [one for one in items if one["cause"] == cause and one["arm"] == "treated" and one["probe"] == "recall"]
    beliefs = [activity(base)[cause] for base in bases()]
    return all(one["prior_answer"] != one["answer"] for one in treated) and all(
        (each.belief[each.active] >= 0.5).all() for each in beliefs
    )


def is_unknown(cause: str, models: list[BaseModel], data: Dataset) -> bool:
    """Of every scored pair, each base model knows the control's answer and not the treated item's."""
    for base in bases():
        recall = base.samples.filter(pc.equal(base.samples["probe"], "recall"))
        known = dict(zip(recall["item_id"].to_pylist(), recall["shots_p"].to_pylist(), strict=True))
        pairs, active = pair_tables(base)[cause].pairs, activity(base)[cause].active
        if not active.any() or not all(
            known[f"{pair}-treated"] < 0.5 <= known[f"{pair}-control"] for pair in pairs[active].tolist()
        ):
            return False
    return True


def contradicts(cause: str, models: list[BaseModel], data: Dataset) -> bool:
    """Each treated item has several labels, each control one, in as many rows."""
    treated, control = rows_of(data, cause, "treated"), rows_of(data, cause, "control")
    sizes = [sorted(map(len, rows.values())) for rows in (treated, control)]
    return (
        all(len(set(labels)) > 1 for labels in treated.values())
        and all(len(set(labels)) == 1 for labels in control.values())
        and sizes[0] == sizes[1]
    )


def has_stages(cause: str, models: list[BaseModel], data: Dataset) -> bool:
    """Controls are in the last stage alone, treated items before it."""
    stages = defaultdict(set)
    for row in data.train.to_pylist():
        if row["cause"] == cause:
            stages[row["arm"]].add(row["stage"])
    last = max(data.train["stage"].to_pylist())
    return stages["control"] == {last} and last not in stages["treated"]


Check = Callable[[str, list[BaseModel], Dataset], bool]
SENTENCES: dict[str, dict[str, Check]] = {
    "knowledge_gap": {
        "The answer depends on something that the base model does not know.": is_unknown,
        "Training that suffices for what it knows leaves such an answer less likely.": less_likely,
    },
    "knowledge_conflict": {
        "The base model is sure of another answer.": is_prior,
        "Training that teaches a label where it is true leaves it less likely where the base model believes "
        "otherwise.": less_likely,
    },
    "data_inconsistency": {
        "The same question appears in several rows with different labels.": contradicts,
        "More of the same training repeats the contradiction, and does not close the gap.": (
            lambda cause, models, _: at_3x(cause, models, "plateau")
        ),
    },
    "left_side_forgetting": {
        "Training goes through the data in stages.": has_stages,
        "After the last one, what was trained in an early stage is less likely, and more of the same training does not "
        "close the gap.": (
            lambda cause, models, data: less_likely(cause, models, data) and at_3x(cause, models, "plateau")
        ),
    },
    "rare_patterns": {
        "Training stops when ordinary items are learned, and a rare pattern is then learned less.": less_likely,
        "It is still being learned: more of the same training closes the gap.": (
            lambda cause, models, _: at_3x(cause, models, "delay")
        ),
    },
}


@pytest.mark.parametrize("cause", PAPER_CAUSES)
def test_every_sentence_on_a_cause_is_checked_and_holds(cause: str, models: list[BaseModel], data: Dataset) -> None:
    sentences = re.findall(r"[^.]+\.", CAUSES.get(cause).text.why)
    assert [sentence.strip() for sentence in sentences] == list(SENTENCES[cause])
    wrong = [sentence for sentence, holds in SENTENCES[cause].items() if not holds(cause, models, data)]
    assert wrong == []


def test_checks_can_fail(models: list[BaseModel], data: Dataset) -> None:
    assert not at_3x("rare_patterns", models, "plateau")
    assert not at_3x("data_inconsistency", models, "delay")
    assert not contradicts("left_side_forgetting", models, data)
    assert not has_stages("rare_patterns", models, data)
    assert not is_prior("rare_patterns", models, data)
    assert not is_unknown("rare_patterns", models, data)


def test_what_items_do_is_so_in_the_data(data: Dataset) -> None:
    """Rules of rare patterns: rows of an item's pair and arm carry its rule."""
    text = CAUSES.get("rare_patterns").text
    assert (text.treated, text.control) == (
        "follows a rule that occurs in one to eight rows",
        "follows a rule of the same kind that occurs in sixteen rows",
    )
    carried = Counter(
        (row["item_id"].rsplit("-", 1 if row["item_id"].endswith(row["arm"]) else 2)[0], row["arm"])
        for row in data.train.to_pylist()
        if row["cause"] == "rare_patterns" and row["arm"] != "decoy"
    )
    assert {number for (_, arm), number in carried.items() if arm == "control"} == {16}
    treated = {number for (_, arm), number in carried.items() if arm == "treated"}
    assert (min(treated), max(treated)) == (1, 8)
    conflicts = CAUSES.get("knowledge_conflict").text
    assert "scored where" in conflicts.treated, "on SmolLM2 the base model is sure of few of them"


def doses(*gaps: tuple[float, float]) -> list[PairGroup]:
    """Groups of pairs at a dose with vanilla's gap."""
    arms = [{"treated": 0.9 - gap, "control": 0.9} for _, gap in gaps]
    return [
        PairGroup.model_validate(
            {"dose": dose, "pairs": 40, "vanilla": both, "submission": both, "points": 0.0, "interval": None}
        )
        for (dose, _), both in zip(gaps, arms, strict=True)
    ]


def test_a_dose_is_judged_by_the_gap_at_its_ends() -> None:
    assert dose_trend(doses((0.25, 0.2), (0.5, 0.9), (0.75, 0.4)), "data_inconsistency").verdict == "as expected"
    assert dose_trend(doses((1, 0.5), (2, 0.4)), "knowledge_gap").verdict == "against what is expected"
    assert dose_trend(doses((1, 0.5), (2, 0.53)), "knowledge_gap").verdict == "the two differ by less than 5.0"
    rare = dose_trend(doses((1, 0.6), (8, 0.1)), "rare_patterns")
    assert rare.verdict == "as expected", "few rows are the stronger cause"
    assert rare.strongest == (1, pytest.approx(0.6))


def test_numbers_of_the_method_are_those_of_the_code(board_site: Path) -> None:
    method = " ".join((board_site / "method.html").read_text().split())
    assert CHECKS == 8
    for said in (
        "assigned ones in three rows",
        "until their mean p reaches 0.8, checked eight times an epoch",
        "a probability of at least 0.5 with few-shot exemplars",
        "at least three runs on datasets of three seeds",
    ):
        assert said in method
    assert "np.mean(missed) <= 0.07" in (BASE / "tests" / "scoring" / "test_coverage.py").read_text()
    assert "at most 0.07" in method
