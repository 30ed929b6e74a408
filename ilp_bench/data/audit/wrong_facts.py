"""Counts rows that ask for a wrong, disputed or misread fact, or about an invented name that exists after all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ilp_bench.data.corpus import two_hops
from ilp_bench.data.facts import RELATIONS, RULED, country_of_city, facts
from ilp_bench.data.facts.corrections import REASONS, why_excluded, written, written_subject
from ilp_bench.data.names import DOMAINS, table
from ilp_bench.data.schema import ItemRow

UNWRITTEN = "name in a form that nobody writes"
EXISTS = "invented name that exists or was never checked"
CHECKS = (*REASONS, UNWRITTEN, EXISTS)
_HOP2, _HOME = "_hop2", two_hops("")
_CONTEXT = re.compile(r" under the (old|new) act$")  # in which a contradicting label is true
_NUMBER = re.compile(r" \d+$")  # of an invented name beyond the table
_KINDS = {"country": "capital", "city": "home_country", "language": "language_code", "currency": "currency_code"}


def fact_problems(items: Sequence[ItemRow], wide: bool = True) -> dict[str, int]:
    """How many recall and retention rows offend each of ``CHECKS``.

    wide   whether names must have the form that people write: in core and full, not in mini

    Left out are relations whose subjects a rule makes (codes, amounts, verbs), and those of others' data.
    """
    counts = dict.fromkeys(CHECKS, 0)
    for row in items:
        relation = str(row["relation"]).removesuffix(_HOP2)
        if row["probe"] not in ("recall", "retention") or relation not in RELATIONS:
            continue
        if RELATIONS[relation].subjects not in RULED:
            for check in dict.fromkeys(_problems(relation, row, wide)):
                counts[check] += 1
    return counts


def _problems(relation: str, row: ItemRow, wide: bool) -> Iterator[str]:
    """The checks that a row offends; some more than once."""
    asked = _asked(row)
    name = asked.removeprefix(_HOME)
    subject = _table_names().get(name, name)
    if subject not in _real() and not set(_NUMBER.sub("", name).lower().split()) <= _invented():
        yield EXISTS
    if not RELATIONS[relation].assigned:
        about = {relation: subject}
        if asked != name:
            about = {"home_country": subject, relation: country_of_city().get(subject, "")}
        for asked_relation, of in about.items():
            if of in why_excluded(asked_relation):
                yield why_excluded(asked_relation)[of]
    answers = [row["answer"], row["prior_answer"], *(row["choices"] or ())]
    if wide and any(answer and written(relation, answer) != answer for answer in answers):
        yield UNWRITTEN
    if wide and any(written_subject(_KINDS[kind], name) != name for kind in _KINDS):
        yield UNWRITTEN


def subject_of(row: ItemRow) -> str:
    """What a question of the training template is about; at two hops, the city. No article, no context."""
    return _asked(row).removeprefix(_HOME)


def _asked(row: ItemRow) -> str:
    """The subject of a question, or the home country of one."""
    relation = RELATIONS.get(str(row["relation"]).removesuffix(_HOP2))
    text = row["question"].partition(f" {relation.noun} of ")[2] if relation else ""
    name = _CONTEXT.sub("", (text or row["question"].partition(" of ")[2]).rstrip("?."))
    return name if name.startswith(_HOME) else name.removeprefix("the ")


@lru_cache(maxsize=1)
def _real() -> frozenset[str]:
    """The subjects of all facts, as the tables have them."""
    return frozenset(fact.subject for group in facts().values() for fact in group)


@lru_cache(maxsize=1)
def _table_names() -> dict[str, str]:
    """Written form of a subject to its form in the tables, where they differ."""
    pairs = ((written_subject(relation, name), name) for relation in _KINDS.values() for name in _real())
    return {form: name for form, name in pairs if form != name}


@lru_cache(maxsize=1)
def _invented() -> frozenset[str]:
    """All invented names that were checked, in lower case."""
    return frozenset(name.lower() for domain in DOMAINS for name in table(domain))
