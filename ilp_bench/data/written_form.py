"""Items with names in the form that people write, as core and full have them (``facts.corrections``)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ilp_bench.data.causes.items import Item
from ilp_bench.data.corpus import two_hops
from ilp_bench.data.facts import RELATIONS, pool
from ilp_bench.data.facts.corrections import written, written_subject


def in_written_form(item: Item) -> Item:
    """The item with its subject, answers, labels and documents in the form that people write."""
    relation = item.relation
    return replace(
        item,
        subject=subject_as_written(relation, item.subject),
        answer=written(relation, item.answer),
        prior_answer=item.prior_answer and written(relation, item.prior_answer),
        rows=tuple(
            row._replace(subject=subject_as_written(relation, row.subject), label=written(relation, row.label))
            for row in item.rows
        ),
        documents=tuple(
            (of, written_subject(of, subject), written(of, answer)) for of, subject, answer in item.documents
        ),
    )


def subject_as_written(relation: str, subject: str) -> str:
    """A subject as a question names it: a country with its article, the home country of a city as that."""
    city = subject.removeprefix(two_hops(""))
    if city != subject:
        return two_hops(written_subject("home_country", city))
    return written_subject(relation, subject, article=True)


@lru_cache(maxsize=64)
def pool_as_written(relation: str) -> tuple[str, ...]:
    """The pool of a relation's answers in the form that people write."""
    return tuple(written(relation, answer) for answer in pool(RELATIONS[relation].answers))
