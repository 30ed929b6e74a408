import random
from collections import Counter

import pytest
from conftest import PAIRS

from ilp_bench.dataset import Dataset
from ilp_bench.errors import UsageError
from ilp_bench.train.recipes import GENERAL_SHARE, RECIPES, combined, recipe, vanilla


def test_vanilla_keeps_rows_and_stage_order(mini: Dataset) -> None:
    phases = vanilla(mini, random.Random(0))
    assert [phase.name for phase in phases] == ["stage 1", "stage 2", "stage 3", "stage 4"]
    rows = [example for phase in phases for example in phase.examples]
    assert rows == list(zip(mini.train["prompt"].to_pylist(), mini.train["completion"].to_pylist(), strict=True))
    assert len(phases[-1].reference) == sum(PAIRS.values())


def test_combined_mixes_general_text_cleans_shuffles_and_balances(mini: Dataset) -> None:
    knowledge, sft = combined(mini, random.Random(0))
    known = {text + "\n" for text in mini.knowledge["text"].to_pylist()}
    sizes = Counter()
    for _, text in knowledge.examples:
        sizes[text in known] += len(text)
    assert sizes[False] / sizes.total() == pytest.approx(GENERAL_SHARE, abs=0.01)
    assert not {text for _, text in knowledge.examples} & set(mini.train["prompt"].to_pylist())
    rare = [r for r in mini.items.to_pylist() if r["cause"] == "rare_patterns" and r["probe"] == "recall"]
    count = Counter(prompt for prompt, _ in sft.examples)
    for row in rare:
        assert count[row["prompt"]] == max(1, 16 // row["frequency"])
    early = [row["prompt"] for row in mini.train.to_pylist() if row["stage"] == 1]
    assert set(early) <= set(count)


def test_recipes_are_found_by_name() -> None:
    assert recipe("vanilla") is RECIPES["vanilla"]
    with pytest.raises(UsageError, match="Did you mean 'combined'"):
        recipe("combine")
