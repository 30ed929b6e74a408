import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ilp_bench import tokens
from ilp_bench.corpus import taught
from ilp_bench.dataset import Dataset
from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.evaluate import evaluate, load_model, score, wrap
from ilp_bench.models import locate
from ilp_bench.record import Run, read_run
from ilp_bench.wording import complete


@pytest.fixture(scope="module")
def nano():
    return load_model(locate("nano"))


@pytest.fixture(scope="module")
def pairs(nano, mini: Dataset):
    items = mini.items.to_pylist()[:200]
    return tokens.encode(nano[1], [row["prompt"] for row in items], [complete(row["answer"]) for row in items])


def test_batch_sizes_agree(nano, pairs) -> None:
    one, eight, many = (score(wrap(*nano, batch_size=size), pairs).logprob for size in (1, 8, 32))
    assert np.abs(one - eight).max() < 1e-4
    assert np.abs(one - many).max() < 1e-4


def test_p_is_the_frequency_of_sampled_reproduction(nano) -> None:
    """2,000 draws at temperature 1 for each of 20 statements; the chi-square over all must not be surprising."""
    import torch

    model, tokenizer = nano
    facts = taught()[::170][:20]
    prompts = [f"News today: the {fact.noun} of {fact.x}" for fact in facts]
    whole = tokens.encode(tokenizer, prompts, [" is"] * len(prompts))
    p = np.exp(score(wrap(model, tokenizer), whole).logprob)
    torch.manual_seed(0)
    draws, statistic = 2000, 0.0
    for (context, answer), chance in zip(whole, p, strict=True):
        ids = torch.tensor([context] * draws)
        for _ in answer:
            with torch.no_grad():
                logits = model(ids).logits[:, -1]
            ids = torch.cat([ids, torch.multinomial(torch.softmax(logits, -1), 1)], dim=1)
        hits = (ids[:, len(context) :] == torch.tensor(answer)).all(dim=1).sum().item()
        expected = draws * chance
        statistic += (hits - expected) ** 2 / max(expected * (1 - chance), 1e-6)
    assert stats.chi2.sf(statistic, len(facts)) > 1e-3


def test_a_run_is_written_and_read_back(base_run: Run, tmp_path: Path, mini: Dataset) -> None:
    assert base_run.record.probed
    assert base_run.untuned
    assert base_run.record.data.content_sha256 == mini.sha256
    assert base_run.samples.num_rows == mini.items.num_rows
    for row in base_run.samples.to_pylist()[:50]:
        assert row["p"] == pytest.approx(math.exp(row["logprob"]))


def test_an_existing_run_is_never_overwritten(mini: Dataset, runs: dict[str, Path]) -> None:
    before = (runs["half"] / "run.json").read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        evaluate("nano", mini, runs["half"])
    assert (runs["half"] / "run.json").read_bytes() == before
    assert read_run(runs["half"]).record.training


def test_damaged_weights_are_a_problem_not_a_score(nano, pairs) -> None:
    import copy

    import torch

    broken = copy.deepcopy(nano[0])
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ProblemError, match="NaN"):
        score(wrap(broken, nano[1]), pairs[:4])


def test_chat_prompts_end_where_the_answer_begins(nano) -> None:
    prompt, completion = tokens.chat(nano[1], "What is the capital city of France?", "Paris")
    assert prompt.endswith("<|assistant|>\n")
    assert completion == "Paris<|end|>"


def test_prompt_and_completion_are_tokenised_as_one_text(nano) -> None:
    (context, answer), *_ = tokens.encode(nano[1], ["Question: x?\nAnswer:"], [" Paris\n"])
    assert context + answer == nano[1]("Question: x?\nAnswer: Paris\n")["input_ids"]
    with pytest.raises(ProblemError, match="no token of its own"):
        tokens.encode(nano[1], ["Answer:"], [""])
