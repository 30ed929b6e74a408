"""Does a diagnosis find faults in data that nobody here generated?

Call it as ``python benchmarks/diagnosis_proof.py [BASE [FOLDER [SET ...]]]``.

Sets are made of data that packages ship, with faults planted in them (``package_facts.py``). BASE (default: nano) is
trained on the first rows until three quarters of the sound ones are learned, and then on further sound rows without the
first. The rows are diagnosed after the first part; with one fault of cause 0 after another; and, in the order of the
training, after the second part, where rows that were learned after the first and are not any more were forgotten.
Prints a JSON line for each: what was named, and of the planted rows that are not learned, to how many their cause is
given at all, and as the surest. FOLDER keeps models and reports, so that the same call goes on after a kill.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import torch
from broken_trainings import IGNORED, padded
from package_facts import SETS, Drawn, Planted, Row, drawn, planted
from transformers import AutoModelForCausalLM, AutoTokenizer

from ilp_bench.detectors.thresholds import KNOWN
from ilp_bench.diagnosis.answers import is_learned, reproduced
from ilp_bench.diagnosis.from_rows import diagnose_rows
from ilp_bench.diagnosis.question import Machine, Question
from ilp_bench.diagnosis.report.compare import REPORT, ROWS
from ilp_bench.diagnosis.report.record import Report
from ilp_bench.diagnosis.rows import RowResult
from ilp_bench.models.resolve import locate
from ilp_bench.models.tokenization import encode_texts, plain_text, row_text

BATCH, ENOUGH = 8, 0.75  # rows a step; share of sound rows that ends a training


class Plan(NamedTuple):
    """Of each part of a training: learning rate, epochs at most, and tokens to which rows are cut for that fault."""

    rate: float
    epochs: int
    cut: int  # most rows of documentation have more


PLANS, OTHER = {"nano": Plan(2e-4, 200, 40)}, Plan(1e-4, 20, 20)


def known(base: str, one: Drawn) -> list[float]:
    """The probability of each answer under the base model, after exemplars; nobody knows a whole long answer."""
    if one.are_long:
        return [0.0] * len(one.facts)
    model, tokenizer = _load(locate(base).folder)
    before = "".join(f"Question: {fact.asked}\nAnswer: {fact.answer}\n" for fact in one.exemplars)
    texts = [plain_text(f"{before}Question: {fact.asked}\nAnswer:", f" {fact.answer}\n") for fact in one.facts]
    encoded = [(each.context + each.answer, len(each.answer)) for each in encode_texts(tokenizer, texts)]
    result = []
    for start in range(0, len(encoded), BATCH):
        ids, labels = padded(
            [(ids, [IGNORED] * (len(ids) - answer) + ids[-answer:]) for ids, answer in encoded[start : start + BATCH]]
        )
        with torch.no_grad():
            result += [float(torch.tensor(row).sum().exp()) for row, _ in _scores(model(ids).logits, labels)]
    return result


def _load(folder: Path) -> tuple[Any, Any]:
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(folder)


def _scores(logits: torch.Tensor, labels: torch.Tensor) -> list[tuple[list[float], list[bool]]]:
    """Of each row, the log-probability of each token of its answer, and whether greedy decoding gives it."""
    logprobs, wanted = logits[:, :-1].detach().log_softmax(-1), labels[:, 1:]
    picked = logprobs.gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
    greedy, inside = logprobs.argmax(-1) == wanted, wanted != IGNORED
    return [
        (of_row[mask].tolist(), right[mask].tolist())
        for of_row, right, mask in zip(picked, greedy, inside, strict=True)
    ]


def train(start: Path, out: Path, rows: Sequence[Row], sound: set[str], plan: Plan, cut: int | None = None) -> Path:
    """Fine-tune a model on rows, cut to so many tokens, until ``ENOUGH`` of the sound ones are learned, and save it.

    sound   prompts; ``out/early`` is the checkpoint after an epoch
    """
    if (out / "config.json").is_file():
        return out
    torch.manual_seed(0)
    model, tokenizer = _load(start)
    texts = encode_texts(tokenizer, [row_text(tokenizer, row["prompt"], row["completion"]) for row in rows])
    examples = [
        ((each.context + each.answer)[:cut], ([IGNORED] * len(each.context) + each.answer)[:cut]) for each in texts
    ]
    order = sorted(range(len(rows)), key=lambda n: len(examples[n][0]))
    batches = [order[first : first + BATCH] for first in range(0, len(order), BATCH)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=0.0)
    model.train()
    for epoch in range(1, plan.epochs + 1):
        learned = []
        for number in torch.randperm(len(batches)).tolist():
            ids, labels = padded([examples[n] for n in batches[number]])
            output = model(ids, labels=labels)
            output.loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            for n, scores in zip(batches[number], _scores(output.logits, labels), strict=True):
                if rows[n]["prompt"] in sound:
                    learned.append(is_learned(reproduced(*scores), len(scores[0])))
        share = sum(learned) / len(learned)
        print(f"{out.name}, epoch {epoch}: {share:.2f} of the sound rows", file=sys.stderr, flush=True)
        if epoch == 1:
            _save(model, start, out / "early")
        if share >= ENOUGH:
            break
    _save(model, start, out)
    return out


def _save(model: Any, start: Path, out: Path) -> None:
    left = shutil.ignore_patterns("*.safetensors", "pretraining*", "early", "config.json")
    shutil.copytree(start, out, dirs_exist_ok=True, ignore=left)
    model.save_pretrained(out)


def conversations(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The same rows as messages."""
    return [
        {
            "messages": [
                {"role": "user", "content": _question(row["prompt"])},
                {"role": "assistant", "content": row["completion"].strip()},
            ]
        }
        for row in rows
    ]


def _question(prompt: str) -> str:
    return prompt.removeprefix("Question: ").removesuffix("\nAnswer:")


class Set(NamedTuple):
    """A set with its planted faults, the model that was trained on its first rows, and a folder for the rest."""

    base: str
    name: str
    rows: Planted
    lacking: set[str]  # questions that the base model has no answer to
    tuned: Path
    work: Path

    def diagnose(self, fault: str, model: Path | str, asked: Sequence[Any], length: int | None = None) -> None:
        """Diagnose rows, where that is not done yet, and print what is found."""
        file, folder = self.work / f"{fault}.jsonl", self.work / f"report-{fault}"
        if not folder.is_dir():
            file.write_text("".join(json.dumps(row) + "\n" for row in asked))
            question = Question(str(model), self.base, str(file), sample=0, max_length=length)
            diagnose_rows(question, folder, machine=Machine(device="cpu"))
        report = Report.model_validate_json((folder / REPORT).read_text())
        rows = [RowResult(**row) for row in pq.read_table(folder / ROWS).to_pylist()]
        line: dict[str, Any] = {"base": Path(self.base).name, "set": self.name, "fault": fault}
        line |= {"named": [check.name for check in report.named]}
        line |= {"learned": f"{sum(row.learned for row in rows)} of {len(rows)}"}
        line |= _found(rows, self.forgotten() if fault == "order" else self.rows.faults, self.lacking)
        print(json.dumps(line | {"seconds": report.seconds}), flush=True)

    def forgotten(self) -> dict[str, set[str]]:
        """What the model trained on the first rows had learned of them."""
        table = pq.read_table(self.work / "report-planted" / ROWS, columns=["question", "learned"])
        return {"left_side_forgetting": {row["question"] for row in table.to_pylist() if row["learned"]}}

    def sound(self) -> set[str]:
        """Prompts of the first rows in which nothing was planted."""
        planted_in = set[str]().union(*self.rows.faults.values())
        return {row["prompt"] for row in self.rows.first if _question(row["prompt"]) not in planted_in}


def trained_set(base: str, name: str, work: Path) -> Set:
    """Plant faults in a set and train on its first rows."""
    chosen, tuned, kept = drawn(name), work / "tuned", work / "known.json"
    if not kept.is_file():
        kept.write_text(json.dumps(known(base, chosen)))
    p: list[float] = json.loads(kept.read_text())
    lacking = {fact.asked for fact, value in zip(chosen.facts, p, strict=True) if value < KNOWN}
    one = Set(base, name, planted(name, chosen, p), lacking, tuned, work)
    train(locate(base).folder, tuned, one.rows.first, one.sound(), PLANS.get(base, OTHER))
    return one


def planted_faults(one: Set) -> None:
    """Diagnose the set after its first part, and after its second."""
    one.diagnose("planted", one.tuned, one.rows.first)
    if one.rows.second:
        prompts = {row["prompt"] for row in one.rows.second}
        after = train(one.tuned, one.work / "after", one.rows.second, prompts, PLANS.get(one.base, OTHER))
        one.diagnose("order", after, [*one.rows.first, *one.rows.second])


def cause_zero(one: Set) -> None:
    """Diagnose the first part with one fault of cause 0 after another."""
    rows, plan = one.rows.first, PLANS.get(one.base, OTHER)
    one.diagnose("asked_otherwise", one.tuned, conversations(rows))
    one.diagnose("end_not_learned", one.tuned, [row | {"completion": row["completion"].rstrip("\n")} for row in rows])
    one.diagnose("same_as_base", one.base, rows)
    one.diagnose("undertrained", one.tuned / "early", rows)
    if one.name == "documentation":
        cut = train(locate(one.base).folder, one.work / "cut", rows, one.sound(), plan, plan.cut)
        one.diagnose("truncated", cut, rows, plan.cut)


def _found(results: Sequence[RowResult], faults: Mapping[str, set[str]], lacking: set[str]) -> dict[str, Any]:
    """Of the rows with each fault, how many are unlearned, are given its cause, and as the surest; and of the rest.

    lacking   questions that the base model has no answer to: missing knowledge that nobody planted
    """
    unlearned = [row for row in results if not row.learned]
    found: dict[str, Any] = {}
    for cause, asked in faults.items():
        of_cause = [row for row in unlearned if row.question in asked]
        counts = {"questions": len(asked), "unlearned": len(of_cause)}
        counts |= {"named": sum(any(reason.cause == cause for reason in row.reasons) for row in of_cause)}
        counts |= {"surest": sum(_surest(row) == cause for row in of_cause)}
        found[cause] = counts
    others = [row for row in unlearned if not any(row.question in asked for asked in faults.values())]
    gaps = sum(_surest(row) == "knowledge_gap" and row.question in lacking for row in others)
    causes = Counter(_surest(row) for row in others)
    return {"faults": found, "others": {"unlearned": len(others), "surest": dict(causes), "true gaps": gaps}}


def _surest(row: RowResult) -> str:
    return row.reasons[0].cause if row.reasons else "none"


def main(base: str, folder: Path, sets: Sequence[str]) -> None:
    """Prove each set: first what was planted in rows, then cause 0."""
    trained = []
    for name in sets:
        (folder / name).mkdir(parents=True, exist_ok=True)
        trained.append(trained_set(base, name, folder / name))
        planted_faults(trained[-1])
    for one in trained:
        cause_zero(one)


if __name__ == "__main__":
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        main(words[0] if words else "nano", Path(words[1] if len(words) > 1 else temporary), words[2:] or list(SETS))
