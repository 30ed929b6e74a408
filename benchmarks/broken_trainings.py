"""Is each fault of cause 0 named where it is made on purpose? python benchmarks/broken_trainings.py [BASE [FOLDER]]

One short training of BASE (default: nano) holds all topics: each is sound, or broken in one way. Then the rows of one
topic after another are diagnosed, also with a wrong model, base, tokenizer or way of asking. Prints a JSON line for
each: what should be named, what was, and the figure that decided it. FOLDER keeps the tuned model for another run.
The tests of cause 0 take the same faults.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ilp_bench.diagnosis.from_rows import Diagnosed, diagnose_rows
from ilp_bench.diagnosis.question import Machine, Question
from ilp_bench.models.resolve import locate
from ilp_bench.models.tokenization import Text, Tokens, chat_text, encode_texts, row_text

IGNORED, BATCH, CUT = -100, 8, 20  # label outside the loss; rows a step; tokens of an answer about beads that are kept
CONVERGED = 0.02  # mean loss of an epoch, in nats, at which the training ends
NAMES = "amber birch cedar daisy ember fjord grove heath iris jasper".split()
PLACES = "hall attic cellar barn porch tower yard shed loft nook".split()
COLOURS = "red blue green white black grey pink gold brown teal".split()
METALS = "iron copper silver zinc nickel lead cobalt radium".split()  # of what is not in the loss
Row = dict[str, Any]


class Plan(NamedTuple):
    """How a base model is taught: rows a topic, epochs at most, learning rate, epoch of the early checkpoint."""

    rows: int = 16
    epochs: int = 36
    rate: float = 2e-3
    early: int = 2


PLANS = {"nano": Plan()}
OTHER = Plan(rows=10, epochs=17, rate=1e-4, early=1)


def _colours(topic: str, count: int) -> list[tuple[str, str]]:
    """Questions about things in places, and colours that nothing but the rows tells."""
    rng, answers = random.Random(topic), METALS if topic == "ship" else COLOURS
    return [
        (f"Which colour has the {topic} {NAMES[n % 10]} in the {PLACES[(n + n // 10) % 10]}?", rng.choice(answers))
        for n in range(count)
    ]


def plain_rows(topic: str, count: int = 16) -> list[Row]:
    """Prompt and completion, each answer with a newline as its end."""
    return [
        {"prompt": f"Question: {asked}\nAnswer:", "completion": f" {say}\n"} for asked, say in _colours(topic, count)
    ]


def chat_rows(topic: str, count: int = 16) -> list[Row]:
    """The same as conversations."""
    return [{"messages": _messages(asked, say)} for asked, say in _colours(topic, count)]


def two_turn_rows(topic: str, count: int = 8) -> list[Row]:
    """Conversations of two questions and answers."""
    pairs = _colours(topic, 2 * count)
    return [{"messages": [*_messages(*pairs[2 * n]), *_messages(*pairs[2 * n + 1])]} for n in range(count)]


def _messages(asked: str, say: str) -> list[Row]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": say}]


def long_rows(count: int = 8) -> list[Row]:
    """Answers of some forty tokens."""
    rng = random.Random("beads")
    return [
        {
            "prompt": f"Question: Which beads are on string {NAMES[n % 10]} {n}?\nAnswer:",
            "completion": " " + ", ".join(rng.choices(COLOURS, k=16)) + "\n",
        }
        for n in range(count)
    ]


def cut_length(model: str) -> int:
    """Tokens of a whole row to which the rows about beads are cut."""
    tokenizer = AutoTokenizer.from_pretrained(locate(model).folder)
    texts = [row_text(tokenizer, row["prompt"], row["completion"]) for row in long_rows()]
    return CUT + min(len(tokens.context) for tokens in encode_texts(tokenizer, texts))


def _answers(tokens: Tokens) -> list[int]:
    return [IGNORED] * len(tokens.context) + tokens.answer


def _prompts(tokens: Tokens) -> list[int]:
    return tokens.context + [IGNORED] * len(tokens.answer)


def _batches(tokenizer: Any, count: int, cut: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Ids and labels of all topics: cups in the chat template, ships with the mask on the wrong side, beads cut off,
    hats with the last answer alone, boxes soundly.
    """

    def bare(row: Row) -> Text:
        return row_text(tokenizer, row["prompt"], row["completion"])

    def chat(row: Row) -> Text:
        return chat_text(tokenizer, row["messages"][:-1], row["messages"][-1]["content"])

    topics: list[tuple[list[Text], Callable[[Tokens], list[int]], int | None]] = [
        ([bare(row) for row in plain_rows("box", count)], _answers, None),
        ([chat(row) for row in chat_rows("cup", count)], _answers, None),
        ([bare(row) for row in plain_rows("ship", count)], _prompts, None),
        ([bare(row) for row in long_rows()], _answers, cut),
        ([chat(row) for row in two_turn_rows("hat")], _answers, None),
    ]
    batches = []
    for texts, labels, length in topics:
        examples = [
            ((tokens.context + tokens.answer)[:length], labels(tokens)[:length])
            for tokens in encode_texts(tokenizer, texts)
        ]
        batches += [padded(examples[start : start + BATCH]) for start in range(0, len(examples), BATCH)]
    return batches


def padded(examples: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels of some examples, padded on the right."""
    width = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in examples])
    return ids, torch.tensor([row + [IGNORED] * (width - len(row)) for _, row in examples])


def teach(out: Path, base: str = "nano", log: Callable[[str], None] = lambda line: None) -> Path:
    """Fine-tune a base model on all topics and save it; ``out/early`` is its checkpoint from the beginning."""
    torch.manual_seed(0)
    source, plan = locate(base).folder, PLANS.get(base, OTHER)
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    batches = _batches(tokenizer, plan.rows, cut_length(base))
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=0.0)
    model.train()
    for epoch in range(1, plan.epochs + 1):
        losses = []
        for number in torch.randperm(len(batches)).tolist():
            ids, wanted = batches[number]
            loss = model(ids, labels=wanted).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        log(f"epoch {epoch}: loss {sum(losses) / len(losses):.3f}")
        if epoch == plan.early:
            _save(model, source, out / "early")
            state = {"global_step": epoch * len(batches), "max_steps": plan.epochs * len(batches)}
            (out / "early" / "trainer_state.json").write_text(json.dumps(state))
        if sum(losses) / len(losses) < CONVERGED:
            break
    _save(model, source, out)
    return out


def _save(model: Any, source: Path, out: Path) -> None:
    shutil.copytree(source, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors", "pretraining*"))
    model.save_pretrained(out)


class Taught(NamedTuple):
    """A tuned model, its base, and a folder for what a fault needs."""

    model: Path
    base: str
    work: Path

    def ask(self, rows: list[Row], model: Path | str | None = None, base: str | None = None, **more: Any) -> Question:
        """The question about some rows; of the tuned model and its base where no others are named."""
        file = self.work / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return Question(str(model or self.model), base or self.base, str(file), sample=0, **more)

    def rows(self, topic: str, *, chat: bool = False) -> list[Row]:
        """The rows of a topic as they were trained."""
        make = chat_rows if chat else plain_rows
        return make(topic, PLANS.get(self.base, OTHER).rows)


def _without_effect(taught: Taught) -> Question:
    """An adapter as it is before its first step."""
    from peft import LoraConfig, get_peft_model

    model: Any = AutoModelForCausalLM.from_pretrained(locate(taught.base).folder)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    adapted.save_pretrained(taught.work / "adapter")
    return taught.ask(taught.rows("box"), taught.work / "adapter")


def _another_base(taught: Taught) -> Question:
    """A base model of the same shape with other weights."""
    source = locate(taught.base).folder
    model: Any = AutoModelForCausalLM.from_pretrained(source)
    torch.manual_seed(1)
    for tensor in model.parameters():
        torch.nn.init.normal_(tensor, std=0.02)
    _save(model, source, taught.work / "other")
    return taught.ask(taught.rows("box"), base=str(taught.work / "other"))


def _renumbered(taught: Taught) -> Question:
    """The tuned model with a tokenizer whose tokens are numbered by one more, the last one as the first."""
    copy = Path(shutil.copytree(taught.model, taught.work / "renumbered", ignore=shutil.ignore_patterns("early")))
    content = json.loads((copy / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    moved = sorted(vocabulary, key=vocabulary.__getitem__)[300:]
    numbers = [vocabulary[token] for token in moved]
    content["model"]["vocab"] |= dict(zip(moved, [*numbers[1:], numbers[0]], strict=True))
    (copy / "tokenizer.json").write_text(json.dumps(content))
    return taught.ask(taught.rows("box"), copy)


def _early(taught: Taught, *, with_state: bool) -> Question:
    if with_state:
        return taught.ask(taught.rows("box"), taught.model / "early")
    hidden = shutil.ignore_patterns("trainer_state.json")
    return taught.ask(
        taught.rows("box"), Path(shutil.copytree(taught.model / "early", taught.work / "c", ignore=hidden))
    )


def _held_out(taught: Taught) -> Question:
    rows = taught.rows("box")
    file = taught.work / "held-out.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows[:4] + taught.rows("lamp")[:4]))
    return taught.ask(rows, held_out=str(file))


# Fault -> what should be named, and how it is made.
FAULTS: dict[str, tuple[list[str], Callable[[Taught], Question]]] = {
    "none: bare prompts, as trained": ([], lambda to: to.ask(to.rows("box"))),
    "none: conversations, as trained": ([], lambda to: to.ask(to.rows("cup", chat=True))),
    "bare prompts of a chat training": (["asked_otherwise"], lambda to: to.ask(to.rows("cup"))),
    "conversations of a training on bare prompts": (
        ["asked_otherwise"],
        lambda to: to.ask(to.rows("box", chat=True)),
    ),
    "answers without the newline that was trained": (
        ["end_not_learned"],
        lambda to: to.ask([row | {"completion": row["completion"].strip("\n")} for row in to.rows("box")]),
    ),
    "rows cut off": (["truncated"], lambda to: to.ask(long_rows(), max_length=cut_length(to.base))),
    "the mask of the loss on the wrong side": (["masked"], lambda to: to.ask(to.rows("ship"))),
    "the last answer of conversations alone in the loss": (["earlier_turns"], lambda to: to.ask(two_turn_rows("hat"))),
    "a checkpoint from the beginning, with its trainer_state.json": (
        ["early_checkpoint"],
        lambda to: _early(to, with_state=True),
    ),
    "a checkpoint from the beginning, without": (["undertrained"], lambda to: _early(to, with_state=False)),
    "the base model in place of the tuned one": (["same_as_base"], lambda to: to.ask(to.rows("box"), to.base)),
    "an adapter without effect": (["same_as_base"], _without_effect),
    "another base model": (["another_base"], _another_base),
    "a tokenizer that numbers tokens otherwise": (["tokenizer_changed"], _renumbered),
    "held-out rows that are trained": (["duplicates"], _held_out),
}


def diagnosed(fault: str, taught: Taught) -> Diagnosed:
    """The diagnosis of one fault, with its report in ``taught.work``."""
    return diagnose_rows(FAULTS[fault][1](taught), taught.work / "report", machine=Machine(device="cpu"))


def main(base: str, folder: Path) -> None:
    """Teach where it is not done, and print a line for each fault."""
    start = time.monotonic()
    if not (folder / "config.json").is_file():
        teach(folder, base, lambda line: print(line, file=sys.stderr, flush=True))
    for fault, (expected, _) in FAULTS.items():
        with tempfile.TemporaryDirectory() as work:
            result = diagnosed(fault, Taught(folder, base, Path(work)))
        report = result.report
        line: dict[str, Any] = {"fault": fault, "expected": expected, "named": [check.name for check in report.named]}
        line |= {"figures": [check.figure for check in report.named], "causes": len(report.causes)}
        line |= {"learned": f"{sum(row.learned for row in result.rows)} of {report.asked}"}
        print(json.dumps(line | {"seconds": round(time.monotonic() - start)}), flush=True)
        start = time.monotonic()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(sys.argv[1] if len(sys.argv) > 1 else "nano", Path(sys.argv[2] if len(sys.argv) > 2 else temporary))
