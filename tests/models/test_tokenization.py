"""The contract of docs/tokenization.md, id by id against what TRL's SFTTrainer makes of the same rows."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers_zoo import CHATS, FAST, GENERATION, ROWS, TEMPLATES, ZOO, appending, messages
from transformers import LlamaConfig, LlamaForCausalLM

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.user_data import import_rows
from ilp_bench.evaluation.in_memory import evaluate_model
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.training.collators import encode
from ilp_bench.training.run import with_ends


@pytest.fixture(scope="module")
def tiny() -> Any:
    config = LlamaConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=700)
    return LlamaForCausalLM(config)


@pytest.fixture(autouse=True)
def quiet_datasets() -> None:
    datasets.disable_progress_bars()
    datasets.disable_caching()
    logging.getLogger("trl").setLevel(logging.ERROR)


def trained(model: Any, tokenizer: Any, rows: list[dict[str, Any]], out: Path, **options: Any) -> list[dict[str, Any]]:
    """Ids and labels of rows as TRL's trainer has prepared and collated them."""
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(
        output_dir=str(out), report_to="none", use_cpu=True, bf16=False, max_length=None, shuffle_dataset=False,
        **options,
    )  # fmt: skip
    data = datasets.Dataset.from_list(rows)
    trainer = SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer)
    prepared = [{name: row[name] for name in ("input_ids", "labels")} for row in trainer.train_dataset]
    labels = trainer.data_collator([dict(row) for row in prepared])["labels"].tolist()
    for row, collated in zip(prepared, labels, strict=True):
        width = len(row["input_ids"])
        assert collated[:width] == row["labels"], "padding hides a label"
        assert set(collated[width:]) <= {-100}
    return prepared


def supervised(row: dict[str, Any]) -> list[int]:
    """Positions with a label that a model predicts: all but the first token's."""
    return [n for n, label in enumerate(row["labels"]) if label != -100 and n > 0]


def check(ours: tokens.Tokens, theirs: dict[str, Any], text: tokens.Text, tokenizer: Any) -> None:
    """Same ids; same supervised positions, but for what TRL also supervises after the end, which is a mark or space."""
    ids, start = theirs["input_ids"], len(ours.context)
    stop = start + len(ours.answer)
    assert ours.context + ours.answer == ids[:stop]
    assert supervised(theirs) == list(range(start, len(ids)))
    after = tokenizer.decode(ids[stop:])
    for mark in map(str, tokenizer.added_tokens_decoder.values()):
        after = after.replace(mark, "")
    assert not after.strip()
    assert 0 <= ours.end <= len(ours.answer)


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in ZOO])
def test_rows_of_bare_text_have_the_ids_that_trl_trains(name: str, tiny: Any, tmp_path: Path) -> None:
    tokenizer = ZOO[name]()
    texts = [tokens.row_text(tokenizer, prompt, completion) for prompt, completion in ROWS]
    ours = tokens.encode_texts(tokenizer, texts)
    # Training here has the same ids as scoring.
    rows = encode(tokenizer, [(p, tokens.ended(tokenizer, c, plain=False)) for p, c in ROWS], 10_000)
    for each, row, (_, completion) in zip(ours, rows, ROWS, strict=True):
        if tokenizer("\n", add_special_tokens=False)["input_ids"] or not completion.endswith("\n"):
            assert row["input_ids"] == each.context + each.answer
            assert [label for label in row["labels"] if label != -100] == each.answer
    if tokenizer.eos_token is None:
        return  # TRL cannot train such rows: it adds the end-of-text token
    theirs = trained(tiny, tokenizer, [{"prompt": p, "completion": c} for p, c in ROWS], tmp_path)
    for each, row, text in zip(ours, theirs, texts, strict=True):
        check(each, row, text, tokenizer)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FAST[1:3] else pytest.mark.slow) for n in ZOO])
def test_conversations_have_the_ids_that_trl_trains(name: str, template: str, tiny: Any, tmp_path: Path) -> None:
    tokenizer = ZOO[name]()
    tokenizer.chat_template = TEMPLATES[template]
    tools = [{"type": "function", "function": {"name": "colour", "description": "Colour of a box."}}]
    arguments = {"tools": tools} if template == "tools" else {}
    chats = [messages(chat) for chat in CHATS]
    texts = [tokens.chat_text(tokenizer, chat[:-1], chat[-1]["content"], **arguments) for chat in chats]
    ours = tokens.encode_texts(tokenizer, texts)
    rows = [{"prompt": chat[:-1], "completion": chat[-1:]} | arguments for chat in chats]
    theirs = trained(tiny, tokenizer, rows, tmp_path)
    whole = trained(tiny, tokenizer, [{"messages": chat} | arguments for chat in chats], tmp_path)
    for each, row, full, text in zip(ours, theirs, whole, texts, strict=True):
        check(each, row, text, tokenizer)
        assert full["input_ids"] == row["input_ids"]
        assert full["labels"] == full["input_ids"]
    if template == "think block in the prompt" and not name.startswith(
        "WordLevel"
    ):  # where <think> is any unknown word
        assert all(each.left_out for each in ours)
        assert tokenizer.decode(ours[0].context) == tokenizer.decode(tokenizer(texts[0].prompt.removesuffix(
            "<think>\n"), add_special_tokens=False)["input_ids"])  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FAST[1:2] else pytest.mark.slow) for n in ZOO])
def test_an_answer_is_what_trl_supervises_with_assistant_only_loss(name: str, tiny: Any, tmp_path: Path) -> None:
    tokenizer = ZOO[name]()
    tokenizer.chat_template = GENERATION
    chats = [messages(chat) for chat in CHATS]
    theirs = trained(tiny, tokenizer, [{"messages": chat} for chat in chats], tmp_path, assistant_only_loss=True)
    for chat, row in zip(chats, theirs, strict=True):
        for n, message in enumerate(chat):  # every answer of a conversation, each after all before it
            if message["role"] == "assistant":
                ours, *_ = tokens.encode_texts(tokenizer, [tokens.chat_text(tokenizer, chat[:n], message["content"])])
                start = len(ours.context)
                stop = start + len(ours.answer)
                assert row["input_ids"][start:stop] == ours.answer
                assert row["labels"][start:stop] == ours.answer
                assert set(row["labels"][start - 1 : start] + row["labels"][stop : stop + 1]) <= {-100}


@pytest.fixture(scope="module")
def nano() -> Any:
    return load_model(locate("nano"))


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="<|>"), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=10)
@given(drawn=st.lists(st.tuples(WORDS, WORDS, st.sampled_from(["", "\n", " "])), min_size=1, max_size=6))
def test_p_is_the_product_over_exactly_the_ids_that_training_supervises(
    nano: Any, tmp_path: Path, drawn: list[tuple[str, str, str]]
) -> None:
    model, tokenizer = nano
    own = [(f"Ask {n}: {prompt}", f"{answer}x{end}") for n, (prompt, answer, end) in enumerate(drawn)]
    rows = own + [(f"What is the number of {word}?", f" {n}\n") for n, word in enumerate("abcdefghij")]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"prompt": p, "completion": c}) + "\n" for p, c in rows), encoding="utf-8")
    data = import_rows(file)
    samples = evaluate_model(model, tokenizer, data).samples.to_pylist()
    rows_of_item = {row["item_id"]: row for row in with_ends(data, tokenizer).train_rows()}
    examples = [(row["prompt"], row["completion"]) for row in (rows_of_item[s["item_id"]] for s in samples)]
    for sample, row in zip(samples, encode(tokenizer, examples, 512), strict=True):
        with torch.no_grad():
            logprobs = model(torch.tensor([row["input_ids"]])).logits[0].float().log_softmax(-1)
        labels = row["labels"]
        product = sum(logprobs[n - 1, labels[n]].item() for n in range(1, len(labels)) if labels[n] != -100)
        assert sample["logprob"] == pytest.approx(product, abs=2e-4, rel=1e-5)
        assert sample["tokens"] == sum(label != -100 for label in labels)
        assert sample["answer_p"] is None or sample["answer_p"] >= sample["p"]


def pieces(tokenizer: Any, ids: list[int]) -> list[str]:
    return [tokenizer.decode([each]) for each in ids]


def test_a_tokenizer_that_appends_an_end_mark_gives_the_same_ids_as_one_that_does_not() -> None:
    tokenizer = ZOO["nano"]()
    row = ("Question: Which colour has box amber?\nAnswer:", " red\n")
    plain, *_ = tokens.encode(tokenizer, *([part] for part in row))
    texts = [tokens.row_text(tokenizer, *row), tokens.row_text(tokenizer, row[0], " red")]
    newline, bare = tokens.encode_texts(appending(tokenizer), texts)
    assert tokens.encode(tokenizer, *([part] for part in row))[0] == plain
    assert (newline.context, newline.answer) == plain
    assert pieces(tokenizer, newline.answer) == [" r", "ed", "\n"]
    assert pieces(tokenizer, bare.answer) == [" r", "ed", tokenizer.eos_token]
    assert (newline.end, bare.end) == (1, 1)
    assert tokens.encode_prompts(tokenizer, [row[0]]) == [plain[0]]


def test_an_answer_begins_where_prompt_and_whole_diverge() -> None:
    tokenizer = ZOO["nano"]()
    tokenizer.chat_template = TEMPLATES["space before the answer"]
    chat = tokens.chat_text(tokenizer, [{"role": "user", "content": "Which colour has box amber?"}], "red")
    texts = [chat, tokens.row_text(tokenizer, "Fill in: The cap", "ital is Paris\n")]
    in_chat, bare = tokens.encode_texts(tokenizer, [*texts, tokens.row_text(tokenizer, "One word: re", "d\n")])[:2]
    assert pieces(tokenizer, in_chat.context)[-1] == ":"
    assert pieces(tokenizer, in_chat.answer) == [" r", "ed", tokenizer.eos_token]
    assert pieces(tokenizer, bare.answer)[-2:] == [" Paris", "\n"]
    assert tokenizer.decode(bare.context + bare.answer) == "Fill in: The capital is Paris\n"
    assert bare.left_out > 0


def test_the_beginning_mark_of_a_conversation_is_the_templates() -> None:
    for name, template, marks in (("byte-level, BOS", "end of turn", 0), ("byte-level, BOS", "beginning mark", 1)):
        tokenizer = ZOO[name]()
        tokenizer.chat_template = TEMPLATES[template]
        turns = [{"role": "user", "content": "Hi"}]
        ours, *_ = tokens.encode_texts(tokenizer, [tokens.chat_text(tokenizer, turns, "red")])
        rendered = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        assert ours.context == rendered
        assert ours.context.count(tokenizer.bos_token_id) == marks


def test_an_answer_without_a_token_of_its_own_is_refused() -> None:
    tokenizer = ZOO["nano"]()
    with pytest.raises(ProblemError, match="no token of its own"):
        tokens.encode(tokenizer, ["Answer:"], [""])


def test_the_end_mark_is_found_in_an_answer_that_looks_like_it() -> None:
    tokenizer = ZOO["nano"]()
    for answer in ("end", "<|end|>", "|>", "§", "", "red\n"):
        text = tokens.chat_text(tokenizer, [{"role": "user", "content": "Say it."}], answer)
        assert text.whole[text.answer_end :] == "<|end|>\n"
        assert text.whole[text.answer_end : text.end] == "<|end|>"
        assert text.whole[len(text.prompt) : text.answer_end] == answer
