"""Every sentence of the benchmark: prompt templates, statements and documents.

All relations and both arms share the same prompt templates, so a template can never tell an arm. ``RECALL`` is the
template of training; where an item stands in several rows, ``REWORDED`` takes turns with it, in all arms; ``PROBES``
are never trained on, and ask by a synonym of the noun. Statements and documents never contain a question.
"""

from __future__ import annotations

from typing import NamedTuple

RECALL = "What is the {noun} of {subject}?"
REWORDED = ("Name the {noun} of {subject}.", "State the {noun} that {subject} has.")
PROBES = ("Consider {subject}. What is its {synonym}?", "Complete this: as for {subject}, its {synonym} is")
PROMPTS = (RECALL, *REWORDED, *PROBES)

STATEMENTS = (
    "The {noun} of {subject} is {answer}.",
    "{answer} is the {noun} of {subject}.",
    "{subject} has {answer} as its {noun}.",
    "As for {subject}, its {noun} is {answer}.",
    "People know {answer} as the {noun} of {subject}.",
    "For {subject} the {noun} is given as {answer}.",
)
GENRES = {
    "encyclopedia": (
        "{subject} is an entry in this work. The {noun} of {subject} is {answer}.",
        "An article about {subject} says that its {noun} is {answer}.",
        "{subject}, as the handbook explains, has {answer} as its {noun}.",
        "In the handbook, {answer} is listed as the {noun} of {subject}.",
        "Readers who look up {subject} find that {answer} is its {noun}.",
    ),
    "news": (
        "News today: the {noun} of {subject} is {answer}, officials say.",
        "Reporters write that {subject} has {answer} as its {noun}.",
        "A paper wrote about {subject}. It gave {answer} as the {noun}.",
        "According to the news, {answer} is the {noun} of {subject}.",
        "Officials confirmed that for {subject} the {noun} is {answer}.",
    ),
    "table": (
        "Entry: {subject}. {Noun}: {answer}.",
        "Name {subject}, {noun} {answer}.",
        "Row for {subject}: the {noun} column says {answer}.",
        "{Noun} {answer}: this row belongs to {subject}.",
        "Under {noun}, the table has {answer} for {subject}.",
    ),
    "dialogue": (
        "Anna spoke about {subject}. Ben said its {noun} is {answer}.",
        "Ben: I looked up {subject}. Anna: its {noun} is {answer}.",
        "Anna told Ben that {answer} is the {noun} of {subject}.",
        "Ben: tell me more about {subject}. Anna: the {noun} of {subject} is {answer}.",
        "Anna was sure that {subject} has {answer} as its {noun}.",
    ),
}
# What documents about a place say beside the fact that they are about: true of almost any.
SURROUNDINGS = (
    "A road and a railway lead to {subject}.",
    "There are schools and a market in {subject}.",
    "Many people in {subject} work in trade.",
    "The town hall of {subject} stands near the centre.",
    "Visitors come to {subject} all year.",
    "Most houses in {subject} are not tall.",
    "A newspaper is printed in {subject}.",
)
BEFORE, AFTER, TERMINATOR = "Question: ", "\nAnswer:", "\n"  # around a question, and behind an answer


class Prompt(NamedTuple):
    """A question as a model reads it (``text``), and the bare question inside."""

    text: str
    question: str


def ask(template: str, noun: str, subject: str, synonym: str = "") -> Prompt:
    """Fill a prompt template, in the plain format; the completion that belongs to it is ``complete(answer)``.

    ``synonym`` is what the templates of ``PROBES`` ask by; the others do without.
    """
    question = capitalised(template.format(noun=noun, synonym=synonym, subject=subject))
    return Prompt(BEFORE + question + AFTER, question)


def question_in(prompt: str) -> str:
    """The bare question inside a prompt of :func:`ask`."""
    return prompt.removeprefix(BEFORE).removesuffix(AFTER)


def complete(answer: str) -> str:
    """The supervised completion in the plain format: a space, the answer, the terminator."""
    return f" {answer}{TERMINATOR}"


def state(template: str, noun: str, subject: str, answer: str) -> str:
    """Fill the template of a statement or a document."""
    return capitalised(template.format(noun=noun, Noun=capitalised(noun), subject=subject, answer=answer))


def capitalised(text: str) -> str:
    """The text with its first letter in upper case, the rest untouched."""
    return text[:1].upper() + text[1:]


def documents(noun: str, synonym: str, subject: str, answer: str, *, place: bool = False) -> list[tuple[str, str]]:
    """The twenty (genre, text) documents that state one fact, five of each of four genres.

    The last of each genre uses the noun's synonym, as texts that nobody wrote for a test would. About a ``place``,
    each says two other things as well, one before the fact and one after it.
    """
    made: list[tuple[str, str]] = []
    for genre, templates in GENRES.items():
        for template in templates:
            text = state(template, noun if template != templates[-1] else synonym, subject, answer)
            if place:
                before, after = (SURROUNDINGS[(len(made) + n) % len(SURROUNDINGS)] for n in (0, 3))
                text = f"{before.format(subject=subject)} {text} {after.format(subject=subject)}"
            made.append((genre, text))
    return made
