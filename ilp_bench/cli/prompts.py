"""Metadata of a submission, asked for in a terminal field by field; a wrong answer is asked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from pydantic import ValidationError

from ilp_bench.records.run_record import first_problem
from ilp_bench.submission.format import Meta

QUESTIONS = {
    "org": ("Organisation or your name (letters, digits, . and -)", None),
    "model": ("Name of the model", None),
    "division": ("Division: 1x or 3x (only the benchmark's rows, exactly that budget, 3 seeds) or open", "open"),
    "description": ("What did you do, in a sentence", ""),
    "contact": ("How to reach you (shown in public)", ""),
    "data": ("What else it was trained on (open division)", ""),
    "weights": ("https link to the weights", ""),
    "paper": ("https link to a paper", ""),
}
HINTS = {
    **dict.fromkeys(("org", "model"), "only letters, digits, . and -, beginning and ending with a letter or digit"),
    **dict.fromkeys(("weights", "paper"), "an https link, or nothing"),
}
Ask = Callable[[str, str | None], str]


def _prompt(question: str, default: str | None) -> str:
    return str(typer.prompt(question, default=default, show_default=bool(default)))


def ask_meta(ask: Ask = _prompt) -> Meta:
    """Ask for every field of :class:`Meta`, each until its answer is possible."""
    found: dict[str, Any] = {"org": "x", "model": "x", "division": "open"}
    for name, (question, default) in QUESTIONS.items():
        while True:
            found[name] = ask(question, default).strip()
            try:
                Meta.model_validate(found)
                break
            except ValidationError as error:
                typer.echo(f"not possible: {HINTS.get(name) or first_problem(error)}", err=True)
    return Meta.model_validate(found)
