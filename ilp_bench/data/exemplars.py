"""Few-shot exemplars: the questions and answers that a base model is shown before it is asked a probe."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ilp_bench.data.corpus import HOP2_RELATIONS, demo_codes, two_hops
from ilp_bench.data.facts import ONLY_TAUGHT, RELATIONS, RULED, assigned_answer, demonstrations, facts, lookup
from ilp_bench.data.facts.corrections import excluded_subjects, written
from ilp_bench.data.schema import EXEMPLARS, ShotRow, TrainRow
from ilp_bench.data.templates import RECALL, ask, complete
from ilp_bench.data.written_form import subject_as_written
from ilp_bench.detectors.contradictions import content_key, contradicting_groups
from ilp_bench.detectors.labelled_row import question
from ilp_bench.detectors.rare_patterns import Kind

MIXED = "any"  # the group of questions of a kind that has too few of its own
FEWEST = 2 * EXEMPLARS  # distinct questions of a kind that give each of them ``EXEMPLARS`` others


def controlled_exemplars(wide: bool) -> list[ShotRow]:
    """``EXEMPLARS`` fixed exemplars a relation, from facts reserved for it; the same in every controlled dataset.

    wide   whether names have the form that people write, instead of the one that nano was taught
    """
    cases: list[tuple[str, str, str]] = []  # relation, subject, answer
    for name in (name for name in facts() if name in RELATIONS):
        listed = [subject for subject in _shown(name) if subject in lookup(name)][:EXEMPLARS]
        cases += [(name, subject, lookup(name)[subject]) for subject in listed]
    for name in HOP2_RELATIONS:
        homes = [(city, lookup("home_country")[city]) for city in _shown("home_country")]
        answers = [(city, lookup(name)[country]) for city, country in homes if country in lookup(name)]
        cases += [(f"{name}_hop2", two_hops(city), answer) for city, answer in answers[:EXEMPLARS]]
    for name, relation in RELATIONS.items():
        if relation.assigned and relation.subjects not in RULED and name not in ONLY_TAUGHT:
            cases += [(name, subject, assigned_answer(name, subject)) for subject in _shown(name)[:EXEMPLARS]]
    for name in ("grade", "full_grade"):
        codes = [(code, grade) for family, code, grade in demo_codes() if family == name][:: len(demo_codes()) // 8]
        cases += [(name, code, grade) for code, grade in codes[:EXEMPLARS]]
    shots: list[ShotRow] = []
    for name, subject, answer in cases:
        asked = name.removesuffix("_hop2")
        if wide:
            subject, answer = subject_as_written(asked, subject), written(asked, answer)
        prompt = ask(RECALL, RELATIONS[asked].noun, subject).text
        shots.append({"relation": name, "prompt": prompt, "completion": complete(answer)})
    return shots


def _shown(relation: str) -> list[str]:
    """The subjects on which a relation is shown, those that must not be asked about left out."""
    barred = excluded_subjects(relation)
    return [subject for subject in demonstrations(relation) if subject not in barred]


def user_exemplars(train: Sequence[TrainRow], kinds: Sequence[Kind], seed: int) -> tuple[list[ShotRow], list[str]]:
    """Exemplars from user data, ``EXEMPLARS`` a group, and the group for each training row.

    kinds   the kind of question of each row

    Exemplars are rows that no other row contradicts. A row's group is of its own kind of question, as far as there are
    enough of it, and none of the group asks what the row asks. Both results are empty where rows are too few.
    """
    asked = [content_key(question(row)) for row in train]
    members = _undisputed(train, asked, kinds, seed)
    everybody = [n for rows in members.values() for n in rows]
    if len(everybody) < FEWEST:
        return [], []
    random.Random(seed).shuffle(everybody)
    names = {kind: f"kind-{n}" for n, kind in enumerate(sorted(members)) if len(members[kind]) >= FEWEST}
    groups = dict(_groups({names[kind]: members[kind] for kind in names} | {MIXED: everybody}))
    group_of_row = []
    for kind, key in zip(kinds, asked, strict=True):
        name = names.get(kind, MIXED)
        group_of_row.append(_others(name) if key in {asked[n] for n in groups[name]} else name)
    shots: list[ShotRow] = [
        {"relation": name, "prompt": train[n]["prompt"], "completion": train[n]["completion"].rstrip("\n") + "\n"}
        for name, rows in groups.items()
        for n in rows
    ]
    return shots, group_of_row


def _undisputed(
    train: Sequence[TrainRow], asked: Sequence[bytes], kinds: Sequence[Kind], seed: int
) -> dict[Kind, list[int]]:
    """Rows by kind, in random order, one for each question, without rows that another contradicts."""
    contradicted = {n for group in contradicting_groups(train) for n in group}
    members: dict[Kind, list[int]] = defaultdict(list)
    seen: set[bytes] = set()
    for n in random.Random(seed).sample(range(len(train)), len(train)):
        if n not in contradicted and asked[n] not in seen:
            seen.add(asked[n])
            members[kinds[n]].append(n)
    return members


def _groups(members: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, Sequence[int]]]:
    """Two groups of exemplars of each name: the first rows, and others for whoever asks what those ask."""
    for name, rows in members.items():
        yield name, rows[:EXEMPLARS]
        yield _others(name), rows[EXEMPLARS:FEWEST]


def _others(name: str) -> str:
    return f"{name}-others"
