"""Every sentence of the benchmark: question frames, statements and document genres.

All relations and both arms share the same frames, so a template can never tell an arm. ``RECALL`` is the
training wording; ``REWORDED`` appears only in the contradicting duplicates of ``data_inconsistency`` (both
arms); ``PROBES`` are never trained on, and ask by a synonym of the noun. Statements and genres never
contain a question.
"""

from __future__ import annotations

from typing import NamedTuple

from ilp_bench.data.facts import SYNONYMS

RECALL = "What is the {noun} of {x}?"
REWORDED = ("Name the {noun} of {x}.", "State the {noun} that {x} has.")
PROBES = ("Consider {x}. What is its {synonym}?", "Complete this: as for {x}, its {synonym} is")
FRAMES = (RECALL, *REWORDED, *PROBES)

STATEMENTS = (
    "The {noun} of {x} is {a}.",
    "{a} is the {noun} of {x}.",
    "{x} has {a} as its {noun}.",
    "As for {x}, its {noun} is {a}.",
    "People know {a} as the {noun} of {x}.",
    "For {x} the {noun} is given as {a}.",
)
GENRES = {
    "encyclopedia": (
        "{x} is an entry in this work. The {noun} of {x} is {a}.",
        "An article about {x} says that its {noun} is {a}.",
        "{x}, as the handbook explains, has {a} as its {noun}.",
        "In the handbook, {a} is listed as the {noun} of {x}.",
        "Readers who look up {x} find that {a} is its {noun}.",
    ),
    "news": (
        "News today: the {noun} of {x} is {a}, officials say.",
        "Reporters write that {x} has {a} as its {noun}.",
        "A paper wrote about {x}. It gave {a} as the {noun}.",
        "According to the news, {a} is the {noun} of {x}.",
        "Officials confirmed that for {x} the {noun} is {a}.",
    ),
    "table": (
        "Entry: {x}. {Noun}: {a}.",
        "Name {x}, {noun} {a}.",
        "Row for {x}: the {noun} column says {a}.",
        "{Noun} {a}: this row belongs to {x}.",
        "Under {noun}, the table has {a} for {x}.",
    ),
    "dialogue": (
        "Anna spoke about {x}. Ben said its {noun} is {a}.",
        "Ben: I looked up {x}. Anna: its {noun} is {a}.",
        "Anna told Ben that {a} is the {noun} of {x}.",
        "Ben: tell me more about {x}. Anna: the {noun} of {x} is {a}.",
        "Anna was sure that {x} has {a} as its {noun}.",
    ),
}
TERMINATOR = "\n"


class Prompt(NamedTuple):
    """A question as a model reads it, and the bare question inside."""

    text: str
    question: str


def ask(frame: str, noun: str, x: str, synonym: str = "") -> Prompt:
    """One question in the plain format; the completion that belongs to it is ``complete(answer)``."""
    question = capitalised(frame.format(noun=noun, synonym=synonym or SYNONYMS[noun], x=x))
    return Prompt(f"Question: {question}\nAnswer:", question)


def complete(answer: str) -> str:
    """The supervised completion in the plain format: a space, the answer, the terminator."""
    return f" {answer}{TERMINATOR}"


def say(frame: str, noun: str, x: str, a: str) -> str:
    """One statement or one document."""
    return capitalised(frame.format(noun=noun, Noun=capitalised(noun), x=x, a=a))


def capitalised(text: str) -> str:
    """The text with its first letter in upper case, the rest untouched."""
    return text[:1].upper() + text[1:]


def documents(noun: str, x: str, a: str) -> list[tuple[str, str]]:
    """The twenty (genre, text) documents that state one fact, five of each of four genres.

    The last of each genre uses the relation's synonym, as texts that nobody wrote for a test would.
    """
    return [
        (genre, say(frame, noun if frame != frames[-1] else SYNONYMS[noun], x, a))
        for genre, frames in GENRES.items()
        for frame in frames
    ]
