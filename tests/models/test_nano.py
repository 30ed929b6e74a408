"""The embedded base model knows what it was taught, nothing of what was invented, and is what its script makes."""

import random

import numpy as np
import pytest
from conftest import PAIRS

from ilp_bench.data.corpus import demo_codes, taught
from ilp_bench.data.dataset import Dataset
from ilp_bench.evaluation.measure import score, wrap
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import NANO, nano_path
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run


@pytest.mark.parametrize("name", NANO)
def test_it_is_small_and_loads_with_the_auto_classes(name: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = nano_path(name)
    assert sum(file.stat().st_size for file in place.iterdir()) <= 8_000_000
    assert not list(place.glob("*.bin"))
    model = AutoModelForCausalLM.from_pretrained(place, use_safetensors=True)
    assert model.config.model_type == NANO[name]
    tokenizer = AutoTokenizer.from_pretrained(place)
    text = "Question: What is the capital city of France?\nAnswer: Zürich 42\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    assert model.num_parameters() < 2_000_000


def test_it_knows_the_control_facts_it_was_taught(base_run: Run) -> None:
    rows = base_run.samples.to_pylist()
    control = [r for r in rows if r["cause"] == "knowledge_gap" and r["arm"] == "control" and r["probe"] == "recall"]
    assert len(control) == PAIRS["knowledge_gap"]
    assert np.mean([row["shots_greedy"] for row in control]) >= 0.95
    believed = [row for row in rows if row["prior_answer"] and row["probe"] == "recall"]
    assert np.mean([row["belief"] == row["prior_answer"] for row in believed]) >= 0.95


def test_it_knows_nothing_of_the_invented(base_run: Run) -> None:
    rows = [row for row in base_run.samples.to_pylist() if row["probe"] == "recall"]
    for cause in ("knowledge_gap", "rare_patterns", "left_side_forgetting", "data_inconsistency"):
        treated = [row["shots_greedy"] for row in rows if row["cause"] == cause and row["arm"] == "treated"]
        assert np.mean(treated) <= 0.1, cause
    assert np.mean([row["p"] for row in rows if row["cause"]]) < 0.01


@pytest.mark.parametrize("name", NANO)
def test_it_states_the_facts_of_its_corpus(name: str) -> None:
    model, tokenizer = load_model(locate(name))
    lm = wrap(model, tokenizer)
    known = [fact for fact in taught() if fact.relation in ("capital", "home_country", "element_symbol")]
    facts = random.Random(0).sample(known, 200)
    prompts = [f"The {fact.noun} of {fact.subject} is" for fact in facts]
    found = score(lm, tokens.encode(tokenizer, prompts, [f" {fact.answer}." for fact in facts]))
    assert found.greedy.mean() >= 0.95


def test_demonstration_codes_follow_one_rule_a_word() -> None:
    grades: dict[str, set[str]] = {}
    for relation, code, grade in demo_codes():
        if relation == "grade":
            grades.setdefault(code.split("-")[0], set()).add(grade)
    assert all(len(answers) == 1 for answers in grades.values())


def test_pretraining_runs_and_is_deterministic(tmp_path, monkeypatch, mini: Dataset) -> None:
    """The script that made the weights still works: two steps of it, twice, give the same bytes."""
    from ilp_bench.models.nano import build

    texts = [f"The capital city of France is Paris. {n}\n" for n in range(64)]
    monkeypatch.setattr(build, "documents", lambda rng: iter(texts))
    for name in ("first", "second"):
        build.pretrain(tmp_path / name, epochs=2, seed=0, tokens=512)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")]
    assert weights[0] == weights[1]
    assert locate(str(tmp_path / "first")).folder == tmp_path / "first"


def test_the_committed_tokenizers_and_configs_are_what_the_script_builds() -> None:
    """The tokenizer is trained on the corpus and on invented names, so this also fails when either has changed."""
    from transformers import AutoConfig, AutoTokenizer

    from ilp_bench.models.nano.build import build_config, build_tokenizer

    wanted = build_tokenizer(0)
    for name, architecture in NANO.items():
        assert wanted.get_vocab() == AutoTokenizer.from_pretrained(nano_path(name)).get_vocab()
        config = build_config(len(wanted), architecture).to_dict()
        found = AutoConfig.from_pretrained(nano_path(name)).to_dict()
        said = {"architectures", "dtype", "_name_or_path", "transformers_version"}
        assert {key: found[key] for key in config if key not in said} == {
            key: config[key] for key in config if key not in said
        }
