import random
import sys
from collections import Counter
from dataclasses import replace

import pytest

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.templates import complete
from ilp_bench.detectors.beliefs import Answer, with_exemplars
from ilp_bench.detectors.rare_patterns import repetitions
from ilp_bench.recipes import RECIPES
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Epoch, converged
from ilp_bench.recipes.pretraining import REPLAY_SHARE
from ilp_bench.recipes.progressive_epochs import SHARE
from ilp_bench.recipes.samplers import ConflictFreeBatches, ReplaySampler


def context(data: Dataset, believed: bool = True) -> RecipeContext:
    """A base model that believes every old answer, knows every control, and is not sure of anything else."""
    items = data.items.to_pylist()
    of_item = {row["item_id"]: row["prior_answer"] for row in items if row["prior_answer"] and believed}
    of_item |= {row["item_id"]: row["answer"] for row in items if row["arm"] == "control"}
    prior = {row["prompt"]: of_item[row["item_id"]] for row in data.train.to_pylist() if row["item_id"] in of_item}

    def answers(prompts):
        found = []
        for prompt in prompts:
            asked = "Question: " + prompt.rsplit("Question: ", 1)[1]
            found.append(Answer(f" {prior[asked]}", 0.9) if asked in prior else Answer(" nothing", 0.2))
        return found

    return RecipeContext(data, random.Random(0), lambda characters: ["x" * 100] * (characters // 100), answers)


def test_vanilla_keeps_rows_and_stage_order(mini: Dataset) -> None:
    phases = RECIPES.get("vanilla").phases(context(mini))
    assert [phase.name for phase in phases] == ["stage 1", "stage 2", "stage 3", "stage 4"]
    rows = [example for phase in phases for example in phase.examples]
    assert rows == list(zip(mini.train["prompt"].to_pylist(), mini.train["completion"].to_pylist(), strict=True))
    assert [phase.stages for phase in phases] == [(1,), (2,), (3,), (4,)]


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_recipe_trains_every_question_and_no_probe(mini: Dataset, name: str) -> None:
    phases = RECIPES.get(name).phases(context(mini))
    sft = [example for phase in phases if phase.kind == "sft" for example in phase.examples]
    asked = {prompt for prompt, _ in sft}
    assert asked <= set(mini.train["prompt"].to_pylist())
    supervised = {
        (row["prompt"], complete(row["answer"]))
        for row in mini.items.to_pylist()
        if row["probe"] == "recall" and row["kind"] != "decoy/two causes"  # whose outvoted label may be thought right
    }
    assert supervised <= set(sft)
    probes = {row["prompt"] for row in mini.items.to_pylist() if row["probe"] != "recall"}
    assert not probes & asked
    assert sorted(stage for phase in phases for stage in phase.stages) == [1, 2, 3, 4]
    assert not any(phase.stop for phase in phases)  # the budget decides
    module = RECIPES.get(name).phases.__module__
    assert sys.modules[module].__doc__
    assert name == module.rsplit(".", 1)[1]


def test_pretraining_mixes_a_fifth_of_knowledge(mini: Dataset) -> None:
    believed = {row["item_id"] for row in mini.items.to_pylist() if row["prior_answer"]}
    mixed = {row["item_id"] for row in mini.items.to_pylist() if row["kind"] == "decoy/two causes"}  # by their rows
    documents = [row for row in mini.knowledge.to_pylist() if row["item_id"] not in mixed]
    contradicted = {row["text"].rstrip("\n") for row in documents if row["item_id"] in believed}
    unknown = {row["item_id"] for row in mini.items.to_pylist() if row["arm"] in ("treated", "decoy")} - believed
    missing = {row["text"].rstrip("\n") for row in documents if row["item_id"] in unknown}
    others = {row["text"].rstrip("\n") for row in documents} - contradicted
    for name, wanted in (("knowledge_cpt", missing), ("conflict_cpt", contradicted)):
        first, *rest = RECIPES.get(name).phases(context(mini))
        texts = [text.rstrip("\n") for _, text in first.examples]
        about = [text for text in texts if not text.startswith("xxx")]
        misplaced = (wanted - set(about)) | (set(about) & (contradicted | others) - wanted)
        assert len(misplaced) < 0.03 * len(wanted)  # an entity's name may be part of another one's: (El) Salvador
        assert sum(map(len, about)) / sum(map(len, texts)) == pytest.approx(1 - REPLAY_SHARE, abs=0.01)
        assert [phase.name for phase in rest] == ["stage 1", "stage 2", "stage 3", "stage 4"]
    assert [p.kind for p in RECIPES.get("conflict_cpt").phases(context(mini, believed=False))] == ["sft"] * 4


def test_combined_cleans_shuffles_and_balances(mini: Dataset) -> None:
    knowledge, sft = RECIPES.get("combined").phases(context(mini))
    assert knowledge.kind == "cpt"
    rare = [r for r in mini.items.to_pylist() if r["cause"] == "rare_patterns" and r["probe"] == "recall"]
    count = Counter(prompt for prompt, _ in sft.examples)
    for row in rare:
        assert count[row["prompt"]] == max(1, 16 // row["frequency"])


def test_patterns_are_rare_only_beside_common_ones() -> None:
    common = [f"What is the grade of code kal-{n}?" for n in range(100, 116)]
    rare = [
        "What is the grade of code mip-300?",
        "What is the grade of code dor-301?",
        "What is the grade of code dor-2?",
    ]
    names = [f"What is the emblem of {chr(65 + n // 26)}{chr(97 + n % 26)}x?" for n in range(40)]
    found = repetitions([*common, *rare, *names])
    assert found[: len(common)] == [1] * len(common)
    assert found[len(common) : len(common) + 3] == [16, 8, 8]
    assert set(found[len(common) + 3 :]) == {1}


def test_rare_upsampling_repeats_rows_until_they_are_as_frequent_as_common_ones(mini: Dataset) -> None:
    count = Counter(prompt for prompt, _ in RECIPES.get("rare_upsampling").phases(context(mini))[-1].examples)
    rows = [row for row in mini.items.to_pylist() if row["cause"] == "rare_patterns" and row["probe"] == "recall"]
    assert {count[row["prompt"]] for row in rows} > {1}
    for row in rows:
        assert count[row["prompt"]] == max(1, 16 // row["frequency"])


def test_conflicting_examples_never_share_a_batch() -> None:
    conflicts = [(n, n + 1) for n in range(0, 60, 2)]
    apart = ConflictFreeBatches(100, conflicts, reassign=3)
    for epoch in range(5):
        batches = list(apart(16, random.Random(epoch)))
        assert sorted(n for batch in batches for n in batch) == list(range(100))
        assert max(map(len, batches)) <= 16
        assert not any({a, b} <= set(batch) for batch in batches for a, b in conflicts)


def test_a_stage_that_falls_is_replayed() -> None:
    examples = [(f"q{n}", "a") for n in range(30)]
    sampler = ReplaySampler(examples, [n // 10 for n in range(30)])
    rates = {0: 0.9, 1: 0.9, 2: 0.1}

    def measure(some):
        return [rates[int(prompt[1:]) // 10] for prompt, _ in some]

    sampler.watch(measure)
    assert Counter(n for batch in sampler(8, random.Random(0)) for n in batch) == Counter(range(30))
    rates[0] = 0.7
    sampler.watch(measure)
    sampler.watch(measure)  # seen twice, it is replayed once
    count = Counter(n for batch in sampler(8, random.Random(1)) for n in batch)
    assert all(count[n] == (2 if n < 10 else 1) for n in range(30))
    assert sampler.replays == {0: 1, 1: 0, 2: 0}


def test_a_confident_guess_is_no_knowledge(mini: Dataset) -> None:
    """A base model that is sure of a false answer about every invented entity: nothing of that is a conflict."""
    told = context(mini)
    gaps = [row for row in mini.items.to_pylist() if row["cause"] == "knowledge_gap"]
    invented = {row["prompt"] for row in gaps if row["arm"] == "treated"}

    def sure(prompts):
        said = told.answers(prompts)
        asked = ["Question: " + prompt.rsplit("Question: ", 1)[1] for prompt in prompts]
        return [
            Answer(" Atlantis", 0.9) if one in invented else answer for one, answer in zip(asked, said, strict=True)
        ]

    for name in ("knowledge_cpt", "conflict_cpt"):
        plain, guessing = context(mini), replace(told, answers=sure, notes={})
        documents = [RECIPES.get(name).phases(one)[0].examples for one in (plain, guessing)]
        assert documents[0] == documents[1]
        assert guessing.notes["denied_rows"] > guessing.notes["contradicted_rows"] == plain.notes["contradicted_rows"]


def test_training_on_user_data_stops_when_its_rows_are_learned() -> None:
    assert not converged([Epoch(0.5, 1.0)])
    assert converged([Epoch(0.5, 1.0), Epoch(0.96, 0.3)])


def test_further_epochs_go_to_the_rows_learned_least(mini: Dataset) -> None:
    *early, last = RECIPES.get("progressive_epochs").phases(context(mini))
    assert not any(phase.batches for phase in early)
    assert last.batches
    assert last.watch
    count = len(last.examples)
    position = {example: n for n, example in enumerate(last.examples)}
    first = [n for batch in last.batches(16, random.Random(0)) for n in batch]
    assert sorted(first) == list(range(count))
    last.watch(lambda examples: [1.0 - position[example] / count for example in examples])  # later rows: learned less
    for seed in (1, 2):
        batches = list(last.batches(16, random.Random(seed)))
        again = [n for batch in batches for n in batch]
        assert max(map(len, batches)) == 16
        assert len(again) == len(set(again)) == round(SHARE * count)
        rates = [1.0 - position[last.examples[n]] / count for n in range(count)]
        assert max(rates[n] for n in again) <= min(rates[n] for n in set(range(count)) - set(again))


def test_a_retired_recipe_is_named_as_such() -> None:
    with pytest.raises(UsageError, match=r"'more_epochs' is retired: it was vanilla, .* in the division 3x"):
        RECIPES.get("more_epochs")
    assert "more_epochs" not in RECIPES


def test_examples_shown_are_about_the_same_relation(mini: Dataset) -> None:
    (text,) = with_exemplars(mini.shots.to_pylist(), ["Question: What is the home country of Lyon?\nAnswer:"])
    assert text.count("home country") == 5
    assert text.endswith("Answer:")


def test_recipes_are_found_by_name() -> None:
    assert next(iter(RECIPES)).name == "vanilla"
    with pytest.raises(UsageError, match="Did you mean 'combined'"):
        RECIPES.get("combine")
