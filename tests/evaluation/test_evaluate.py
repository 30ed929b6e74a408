import copy
import dataclasses
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from ilp_bench.cli.run_table import run_table
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.corpus import documents
from ilp_bench.data.dataset import Dataset, make, write
from ilp_bench.data.templates import complete
from ilp_bench.evaluation import shared_prefix
from ilp_bench.evaluation.generation import SAMPLED, generate_answers
from ilp_bench.evaluation.hf import AnswerLM
from ilp_bench.evaluation.measure import score, wrap
from ilp_bench.evaluation.request_plan import plan
from ilp_bench.evaluation.run import evaluate
from ilp_bench.evaluation.shared_prefix import shared_tokens
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.devices import pick_device
from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import nano_path
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run, read_run
from ilp_bench.scoring.run_summary import summary


@pytest.fixture(scope="module")
def nano():
    return load_model(locate("nano"))


@pytest.fixture(scope="module")
def pairs(nano, mini: Dataset):
    items = mini.items.to_pylist()[:200]
    return tokens.encode(nano[1], [row["prompt"] for row in items], [complete(row["answer"]) for row in items])


@pytest.fixture(scope="module")
def cuts(nano):
    """Fifty texts of nano's world, cut where it is neither sure of the next words nor ignorant of them."""
    texts = [text for text, _ in zip(documents(random.Random(1)), range(600), strict=False)]
    rng = random.Random(2)
    asked = []
    for ids in nano[1](texts)["input_ids"]:
        if len(ids) > 8:
            place = rng.randrange(3, len(ids) - 3)
            asked.append((ids[:place], ids[place : place + rng.randint(1, 3)]))
    p = np.exp(score(wrap(*nano), asked).logprob)
    chosen = [n for n in range(len(asked)) if 0.02 < p[n] < 0.98][:50]
    assert len(chosen) == 50
    return [asked[n] for n in chosen], p[chosen]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset, Run]:
    """A small dataset in a folder, and what one process alone measures on it."""
    small = make("mini", 0, pairs=16)
    root = tmp_path_factory.mktemp("few")
    return write(small, root / "data"), small, evaluate("nano", small, root / "run", device="cpu")


def as_one_process_measures(run: Run, alone: Run) -> bool:
    return np.abs(np.array(run.samples["logprob"]) - np.array(alone.samples["logprob"])).max() < 1e-5


def test_batch_sizes_agree(nano, pairs) -> None:
    one, eight, many = (score(wrap(*nano, batch_size=size), pairs).logprob for size in (1, 8, 32))
    assert np.abs(one - eight).max() < 1e-4
    assert np.abs(one - many).max() < 1e-4


def test_scores_are_those_of_lm_eval_itself(nano, pairs) -> None:
    """Head at answer positions only and one reading of shared prompts, against HFLM's own method."""
    from lm_eval.models.huggingface import HFLM

    context = pairs[0][0]
    shared = [([*context * 3, *own], answer) for own, answer in pairs[:60]]
    assert shared_tokens([c for c, _ in shared]) >= 16
    for asked in (pairs, shared):
        lm = wrap(*nano, batch_size=32)
        requests = [(("", ""), list(c), list(a)) for c, a in asked]
        ours = lm._loglikelihood_tokens(requests)
        theirs = HFLM._loglikelihood_tokens(lm, requests, disable_tqdm=True)
        assert max(abs(left[0] - right[0]) for left, right in zip(ours, theirs, strict=True)) < 1e-4
        assert [left[1] for left in ours] == [right[1] for right in theirs]


def test_p_is_the_frequency_of_sampled_reproduction(nano, cuts) -> None:
    """2,000 draws at temperature 1, without any generation code, for each of 50 contexts; a binomial test each."""
    model, _ = nano
    asked, p = cuts
    torch.manual_seed(0)
    draws, values = 2000, []
    for (context, answer), chance in zip(asked, p, strict=True):
        ids, hits = torch.tensor([context]), draws
        for token in answer:  # all draws that are right so far have the same text before them
            with torch.no_grad():
                chances = torch.softmax(model(ids).logits[0, -1], -1)
            hits = int((torch.multinomial(chances, max(hits, 1), replacement=True)[:hits] == token).sum())
            ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
        values.append(stats.binomtest(hits, draws, min(chance, 1.0)).pvalue)
    assert min(values) > 0.001 / len(values)
    assert stats.combine_pvalues(values).pvalue > 1e-3


@pytest.mark.slow
def test_the_sampled_protocol_agrees_whatever_the_generation_config_says(nano, cuts) -> None:
    model, tokenizer = copy.deepcopy(nano[0]), nano[1]
    for name, value in {"top_k": 2, "top_p": 0.5, "repetition_penalty": 1.5, "temperature": 0.3}.items():
        setattr(model.generation_config, name, value)
    lm = AnswerLM(model, tokenizer, 128)
    asked, p = cuts
    torch.manual_seed(1)
    values = []
    for (context, answer), chance in zip(asked[:20], p, strict=False):
        hits = lm.count_reproduced((tuple(context), tuple(answer)), 400)
        values.append(stats.binomtest(hits, 400, chance).pvalue)
    assert stats.combine_pvalues(values).pvalue > 1e-3


@pytest.mark.parametrize(
    "setting",
    [
        {"no_repeat_ngram_size": 2},
        {"encoder_repetition_penalty": 1.5},
        {"guidance_scale": 1.5},
        {"exponential_decay_length_penalty": (1, 1.5)},
        {"num_beams": 4},
        {"prompt_lookup_num_tokens": 3},
        {"repetition_penalty": 3.0, "do_sample": True, "temperature": 5.0, "top_k": 3},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_greedy_answers_do_not_depend_on_the_generation_config(setting: dict[str, object]) -> None:
    model, tokenizer = load_model(locate("nano"))
    prompts = [f"Question: What is the capital city of {name}?\nAnswer:" for name in ("Peru", "Japan", "Kenya")]
    neutral = generate_answers(model, tokenizer, prompts, max_tokens=6)
    for name, value in setting.items():
        setattr(model.generation_config, name, value)
    assert generate_answers(model, tokenizer, prompts, max_tokens=6) == neutral


def test_an_answer_ends_at_every_token_that_the_generation_config_names() -> None:
    """Instruction-tuned models have an end of turn beside the end of text; what stands behind it is padding."""
    model, tokenizer = load_model(locate("nano"))
    prompts = [f"Question: What is the capital city of {name}?\nAnswer:" for name in ("Peru", "the United Kingdom")]
    usual = generate_answers(model, tokenizer, prompts, max_tokens=14)
    (full_stop,) = tokenizer(".")["input_ids"]
    assert all(answer.finished and answer.text.endswith(".") for answer in usual)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, full_stop]
    shorter = generate_answers(model, tokenizer, prompts, max_tokens=14)
    assert [answer.text for answer in shorter] == [answer.text.removesuffix(".") for answer in usual]
    assert all(answer.finished for answer in shorter)
    pairs = [(tokenizer(prompt + answer.text)["input_ids"], tokenizer(prompt)["input_ids"])
             for prompt, answer in zip(prompts, usual, strict=True)]  # fmt: skip
    scored = score(wrap(model, tokenizer), [(start, whole[len(start) :]) for whole, start in pairs])
    assert [answer.probability for answer in shorter] == pytest.approx(np.exp(scored.logprob).tolist(), rel=1e-4)


@pytest.mark.parametrize("name", ["nano", "nano-qwen3", "nano-olmo2"])
def test_a_beginning_that_is_read_once_changes_no_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sets of exemplars, before questions of unlike length."""
    model, tokenizer = load_model(locate(name))
    sets = [
        "".join(f"Question: What is the {relation} of {place}?\nAnswer: {answer}\n" for place, answer in facts)
        for relation, facts in (
            ("capital city", [("Peru", "Lima"), ("Japan", "Tokyo"), ("Kenya", "Nairobi"), ("Iran", "Tehran")]),
            ("home country", [("Lima", "Peru"), ("Tokyo", "Japan"), ("Nairobi", "Kenya"), ("Tehran", "Iran")]),
        )
    ]
    subjects = ["Italy", "the Democratic Republic of the Congo", "Chad", "Trinidad and Tobago"]
    prompts = [f"{exemplars}Question: What is it of {subject}?\nAnswer:" for subject in subjects for exemplars in sets]
    read = list[int]()
    once = shared_prefix.PrefixCache.read
    monkeypatch.setattr(
        shared_prefix.PrefixCache, "read", lambda self, ids, count: (read.append(count), once(self, ids, count))[1]
    )
    answers = generate_answers(model, tokenizer, prompts, max_tokens=6, batch_size=4)
    assert read == [4, 4], "each set of exemplars once"
    whole = [generate_answers(model, tokenizer, [prompt], max_tokens=6)[0] for prompt in prompts]
    assert [answer.text for answer in answers] == [answer.text for answer in whole]
    assert [answer.probability for answer in answers] == pytest.approx([answer.probability for answer in whole], 1e-4)
    model.config.sliding_window = 40  # some layers may look back no farther: padding must not stand in between
    read.clear()
    generate_answers(model, tokenizer, prompts, max_tokens=6, batch_size=4)
    assert not read


SMALL: dict[str, object] = {"vocab_size": 2048, "hidden_size": 32, "num_hidden_layers": 2}
HEADS: dict[str, object] = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        ("MambaConfig", SMALL | {"state_size": 8}),
        ("RecurrentGemmaConfig", SMALL | {"num_attention_heads": 4, "intermediate_size": 64, "lru_width": 32}
         | {"attention_window_size": 32, "block_types": ["recurrent", "attention"]}),
        ("RwkvConfig", SMALL | {"attention_hidden_size": 32, "intermediate_size": 64}),
        ("Lfm2Config", SMALL | HEADS | {"layer_types": ["conv", "full_attention"]}),
        ("MptConfig", {"vocab_size": 2048, "d_model": 32, "n_heads": 4, "n_layers": 2}),
        ("GPTNeoConfig", {"vocab_size": 2048, "hidden_size": 32, "num_layers": 2, "num_heads": 4, "window_size": 32}
         | {"attention_types": [[["global", "local"], 1]]}),
        ("Gemma3TextConfig", SMALL | HEADS | {"head_dim": 8, "sliding_window": 32}),
        ("GPT2Config", {"vocab_size": 2048, "n_embd": 32, "n_layer": 2, "n_head": 4}),
    ],
)  # fmt: skip
def test_answers_of_a_batch_are_those_of_one_prompt_at_a_time(config: str, settings: dict[str, object]) -> None:
    """Of models that carry a state along, look back so far alone, or take positions from the places of tokens."""
    import transformers

    torch.manual_seed(0)
    of_ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, config)(**settings, **of_ends)).eval()
    _, tokenizer = load_model(locate("nano"))
    shown = "".join(f"Question: What is the capital city of {name}?\nAnswer: {name}\n" for name in ("Peru", "Japan"))
    subjects = ("Italy", "the Democratic Republic of the Congo", "Chad", "Trinidad and Tobago", "Chad?", "Chad!")
    prompts = [f"{shown}Question: What is it of {subject}?\nAnswer:" for subject in subjects]
    for weights in model.parameters():  # larger, so that answers hang on all that was read
        if weights.dim() > 1:
            weights.data.normal_(0, 0.4)
    answers = generate_answers(model, tokenizer, prompts, max_tokens=6, batch_size=4)
    whole = [generate_answers(model, tokenizer, [prompt], max_tokens=6)[0] for prompt in prompts]
    assert [answer.text for answer in answers] == [answer.text for answer in whole]
    assert [answer.probability for answer in answers] == pytest.approx([answer.probability for answer in whole], 1e-3)
    pairs = [((*tokenizer(prompt)["input_ids"],), (5, 7)) for prompt in prompts]
    lm = AnswerLM(model, tokenizer, batch_size=4)
    together = [scores.logprobs for scores in lm.token_logprobs(pairs)]
    alone = [scores.logprobs for pair in pairs for scores in lm.token_logprobs([pair])]
    assert np.allclose(together, alone, atol=1e-4)


def test_states_of_a_batch_never_mix_where_answers_are_sampled() -> None:
    import transformers

    torch.manual_seed(0)
    sizes = {"vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32}
    config = transformers.RwkvConfig(**sizes, intermediate_size=64, bos_token_id=1, eos_token_id=1, pad_token_id=0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for weights in model.parameters():
        weights.data.normal_(0, 0.4)
    model.head.weight.data *= 4  # surer of itself
    context, answer = (5, 6, 7), []
    for _ in range(4):  # greedy, read without a cache
        row = torch.tensor([[*context, *answer]])
        answer.append(int(model(row, use_cache=False).logits[0, -1].argmax()))
    lm = AnswerLM(model, load_model(locate("nano"))[1], batch_size=100)
    p = math.exp(sum(lm.token_logprobs([(context, tuple(answer))])[0].logprobs))
    drawn = lm.count_reproduced((context, tuple(answer)), 400)
    assert drawn / 400 == pytest.approx(p, abs=3.5 * math.sqrt(p * (1 - p) / 400))


def test_a_changed_distribution_is_never_sampled_from(nano, pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAMPLED, "top_k", 2)
    context, answer = pairs[0]
    with pytest.raises(ProblemError, match="changes the sampled distribution"):
        wrap(*nano).count_reproduced((tuple(context), tuple(answer)), 10)


def test_a_sampled_run_counts_and_never_guesses(mini: Dataset, tmp_path: Path) -> None:
    few = Dataset(mini.train, mini.items.slice(0, 30), mini.knowledge, mini.shots, mini.manifest)
    run = evaluate("nano", few, tmp_path / "run", protocol="sampled", draws=20, seed=3, device="cpu")
    assert run is not None
    assert (run.record.protocol, run.record.draws, run.record.seed) == ("sampled", 20, 3)
    for row in run.samples.to_pylist():
        assert (row["p"] * 20) == pytest.approx(round(row["p"] * 20))
        assert row["greedy"] is None
    again = evaluate("nano", few, tmp_path / "again", protocol="sampled", draws=20, seed=3, device="cpu")
    assert again.samples.equals(run.samples)


def test_a_batch_that_does_not_fit_is_halved(nano, pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tight(AnswerLM):
        limit = 5

        def _score(self, requests):
            if len(requests) > self.limit:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return super()._score(requests)

    lm = Tight(*nano, 64)
    found = lm._loglikelihood_tokens([(("", ""), list(c), list(a)) for c, a in pairs])
    assert lm.fitted == 4
    expected = score(wrap(*nano), pairs).logprob
    assert np.abs(np.array([value for value, _ in found]) - expected).max() < 1e-4
    lm.limit = 0
    with pytest.raises(ProblemError, match="not even one sequence"):
        lm._loglikelihood_tokens([(("", ""), *pairs[0])])


def test_a_run_is_written_and_read_back(base_run: Run, tmp_path: Path, mini: Dataset) -> None:
    assert base_run.record.probed
    assert base_run.untuned
    assert base_run.record.data.content_sha256 == mini.sha256
    assert base_run.samples.num_rows == mini.items.num_rows
    for row in base_run.samples.to_pylist()[:50]:
        assert row["p"] == pytest.approx(math.exp(row["logprob"]))


@pytest.mark.parametrize("choices", [4, pytest.param(10, marks=pytest.mark.slow)])
def test_options_are_scored_on_request(few: tuple[Path, Dataset, Run], tmp_path: Path, choices: int) -> None:
    _, small, _ = few
    run = evaluate("nano", small, tmp_path / "run", choices=choices, device="cpu")
    items = {row["probe_id"]: row for row in small.items.to_pylist()}
    for row in run.samples.to_pylist():
        item = items[row["probe_id"]]
        if row["probe"] == "paraphrase":
            assert row["options"] is None
            continue
        listed = item["choices" if choices == 4 else "choices10"]
        assert len(row["options"]) == len(row["shots_options"]) == len(listed)
        assert listed[row["gold"]] == item["answer"]
        assert row["options"][row["gold"]] == pytest.approx(row["logprob"])
        assert 0 <= row["entropy"] <= math.log(len(listed)) + 1e-9
        if item["prior_answer"]:
            assert row["belief"] in listed
    assert run.record.choices == choices
    found = summary(run)
    assert {name for name, row in found["knowledge"].items() if row["greedy"] > 0.9} >= {
        "capital",
        "state_abbreviation",
    }
    assert all(row["options"] >= row["greedy"] - 0.1 for row in found["knowledge"].values())
    chance = (1 - 1 / choices) ** 5
    assert found["multiple_choice"]["unlearned_by_chance"] == pytest.approx(chance, abs=0.02)


def test_the_summary_shows_p_of_both_arms_in_trained_and_other_prompts(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = read_run(runs["vanilla"])
    found = summary(run)
    rows = run.samples.to_pylist()
    for kind, probe in (("reproduction", "recall"), ("internalisation", "paraphrase")):
        for cause, arms in found["p"][kind].items():
            for arm, value in arms.items():
                asked = (cause, arm, probe)
                p = [row["p"] for row in rows if row["pair_id"] and (row["cause"], row["arm"], row["probe"]) == asked]
                assert value == pytest.approx(np.mean(p))
    assert found["active"] is None
    run_table(run, as_json=False)
    shown = capsys.readouterr().out
    for cause, arms in found["p"]["reproduction"].items():
        control, treated = (f"{100 * arms[arm]:.1f}" for arm in ("control", "treated"))
        assert re.search(rf"{cause} +{control}/{treated} ", shown)
    run_table(run, as_json=True)
    assert json.loads(capsys.readouterr().out) == found


def test_nothing_is_asked_twice(nano, mini: Dataset) -> None:
    wanted = plan(nano[1], mini, mini.items.to_pylist(), chat=False, probed=True, choices=4)
    assert len(set(wanted.unique)) == len(wanted.unique)
    assert sorted(n for block in wanted.blocks() for n in block) == list(range(len(wanted.unique)))
    for block in wanted.blocks():
        assert len({wanted.exemplars[n] for n in block}) == 1
    with pytest.raises(UsageError, match="0, 4 or 10"):
        plan(nano[1], mini, mini.items.to_pylist(), chat=False, probed=True, choices=5)


def test_an_existing_run_is_never_overwritten(mini: Dataset, runs: dict[str, Path]) -> None:
    before = (runs["half"] / "run.json").read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        evaluate("nano", mini, runs["half"])
    assert (runs["half"] / "run.json").read_bytes() == before
    assert read_run(runs["half"]).record.training


SLOW = """
import sys, time
from ilp_bench.evaluation.hf import AnswerLM
score = AnswerLM._score
def slow(self, requests):
    time.sleep(0.1)
    return score(self, requests)
AnswerLM._score = slow
from ilp_bench.cli.main import main
main()
"""


def start(data: Path, out: Path) -> subprocess.Popen:
    call = [sys.executable, "-c", SLOW, "evaluate", "--model", "nano", "--data", str(data), "--out", str(out)]
    return subprocess.Popen(
        [*call, "--device", "cpu", "--threads", "1", "--json"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(folder: Path) -> int:
    file = folder / "scores-0.jsonl"
    return file.read_bytes().count(b"\n") if file.is_file() else 0


@pytest.mark.nightly
def test_killed_at_any_moment_it_goes_on_with_the_same_result(few: tuple[Path, Dataset, Run], tmp_path: Path) -> None:
    """kill -9 twice, the second time a little later; a second run meanwhile is refused; the result is the same."""
    data, small, alone = few
    out, partial = tmp_path / "run", tmp_path / "run.partial"
    saved = 0
    for number in range(2):
        process = start(data, out)
        while lines(partial) < saved + 2 and process.poll() is None:
            time.sleep(0.02)
        if number == 1:
            with pytest.raises(UsageError, match="another run is writing"):
                evaluate("nano", small, out, device="cpu")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not out.exists()
        assert lines(partial) > saved
        saved = lines(partial)
    with (partial / "scores-0.jsonl").open("a") as file:
        file.write('{"block": 0, "logprob": [0.')  # as if cut off while writing
    with pytest.raises(UsageError, match="unfinished run with another choices"):
        evaluate("nano", small, out, choices=4, device="cpu")
    process = start(data, out)
    shown, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")  # quiet: not one line from a library
    run = read_run(out)
    assert run.record.resumed
    assert not partial.exists()
    assert as_one_process_measures(run, alone)
    assert json.loads(shown)["model"] == "nano"


@pytest.mark.slow
def test_two_processes_share_the_work(few: tuple[Path, Dataset, Run], tmp_path: Path) -> None:
    """Started by torchrun, as ``accelerate launch`` starts processes on several GPUs."""
    data, _, alone = few
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "ilp_bench"]
    what = ["evaluate", "--model", "nano", "--data", data, "--out", tmp_path / "run", "--device", "cpu", "--json"]
    done = subprocess.run(
        [*launch, *map(str, what), "--threads", "1"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    run = read_run(tmp_path / "run")
    assert run.record.processes == 2
    assert not (tmp_path / "run.partial").exists()
    assert as_one_process_measures(run, alone)


@pytest.mark.slow
def test_a_process_that_stops_is_reported_and_its_share_is_done_by_the_next_call(
    few: tuple[Path, Dataset, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, small, alone = few
    out = tmp_path / "run"
    monkeypatch.setenv("WORLD_SIZE", "2")
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / "lock-1").touch()  # process 1 was there, and is gone
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ProblemError, match="process 1 of 2 stopped"):
        evaluate("nano", small, out, device="cpu")
    monkeypatch.setenv("RANK", "1")
    assert evaluate("nano", small, out, device="cpu") is None
    assert not out.exists()
    monkeypatch.setenv("RANK", "0")
    run = evaluate("nano", small, out, device="cpu")
    assert run.record.resumed
    assert as_one_process_measures(run, alone)


def test_a_full_disk_loses_nothing(mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ilp_bench.evaluation import result_cache as journal

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "scores-0.jsonl")

    few = Dataset(mini.train, mini.items.slice(0, 600), mini.knowledge, mini.shots, mini.manifest)
    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            evaluate("nano", few, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
    assert evaluate("nano", few, tmp_path / "run", device="cpu").samples.num_rows == 600


@pytest.mark.slow
def test_an_adapter_finds_its_base_and_is_measured_with_it(nano, pairs, tmp_path: Path, mini: Dataset) -> None:
    from peft import LoraConfig, get_peft_model

    model, tokenizer = load_model(locate("nano"))
    torch.manual_seed(0)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    tuned.peft_config["default"].base_model_name_or_path = str(nano_path())
    tuned.save_pretrained(tmp_path / "adapter")
    expected = score(wrap(tuned.merge_and_unload().eval(), tokenizer), pairs).logprob
    located = locate(str(tmp_path / "adapter"))
    found = score(wrap(*load_model(located)), pairs).logprob
    assert np.abs(found - expected).max() < 1e-4
    assert np.abs(found - score(wrap(*nano), pairs).logprob).max() > 0.1
    few = Dataset(mini.train, mini.items.slice(0, 20), mini.knowledge, mini.shots, mini.manifest)
    run = evaluate(str(tmp_path / "adapter"), few, tmp_path / "run", device="cpu")
    assert run.record.model.weights_sha256 != evaluate("nano", few, tmp_path / "base").record.model.weights_sha256


def test_a_configuration_need_not_name_its_class(mini: Dataset, tmp_path: Path) -> None:
    from ilp_bench.evaluation import vllm

    shutil.copytree(nano_path(), tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    config = json.loads(file.read_text())
    del config["architectures"]
    file.write_text(json.dumps(config))
    few = dataclasses.replace(mini, items=mini.items.slice(0, 20))
    run = evaluate(str(tmp_path / "model"), few, tmp_path / "run", device="cpu")
    assert run.record.model.architecture == "LlamaForCausalLM"
    assert vllm._architecture(tmp_path / "model") == "LlamaForCausalLM"
    assert vllm._architecture(nano_path("nano-qwen3")) == "Qwen3ForCausalLM"


def test_an_adapter_that_names_no_base_is_one_clear_problem(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ProblemError, match="does not say which model it adapts"):
        locate(str(tmp_path))


def test_damaged_weights_are_a_problem_not_a_score(nano, pairs) -> None:
    broken = copy.deepcopy(nano[0])
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ProblemError, match="NaN"):
        score(wrap(broken, nano[1]), pairs[:4])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"backend": "tpu"}, "Known: hf, vllm"),
        ({"protocol": "guess"}, "Known: exact, sampled"),
        ({"protocol": "sampled", "draws": 0}, "at least 1"),
        ({"protocol": "sampled", "choices": 4}, "not sampled"),
        ({"choices": 7}, "0, 4 or 10"),
        ({"device": "quantum"}, "cannot be used here"),
        ({"dtype": "int3"}, "float32, bfloat16 or float16"),
        ({"engine": {"a": 1}}, "are for the vllm backend"),
    ],
)
def test_what_cannot_be_asked_is_refused(mini: Dataset, tmp_path: Path, call: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        evaluate("nano", mini, tmp_path / "run", **call)
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_named() -> None:
    assert pick_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="cuda:7"):
        pick_device("cuda:7")


def test_chat_prompts_end_where_the_answer_begins(nano) -> None:
    text = tokens.chat_text(nano[1], [{"role": "user", "content": "What is the capital city of France?"}], "Paris")
    assert text.prompt.endswith("<|assistant|>\n")
    assert text.whole[len(text.prompt) : text.answer_end] == "Paris"
    assert text.whole[text.answer_end : text.end] == "<|end|>"


def test_a_chat_run_records_its_template(mini: Dataset, tmp_path: Path) -> None:
    few = Dataset(mini.train, mini.items.slice(0, 20), mini.knowledge, mini.shots, mini.manifest)
    run = evaluate("nano", few, tmp_path / "run", chat=True, device="cpu")
    assert run.record.prompt_format == "chat"
    assert len(run.record.template_sha256) == 64


def test_prompt_and_completion_are_tokenised_as_one_text(nano) -> None:
    (context, answer), *_ = tokens.encode(nano[1], ["Question: x?\nAnswer:"], [" Paris\n"])
    assert context + answer == nano[1]("Question: x?\nAnswer: Paris\n")["input_ids"]
    with pytest.raises(ProblemError, match="no token of its own"):
        tokens.encode(nano[1], ["Answer:"], [""])
