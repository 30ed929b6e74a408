"""Cause II, conflict with pre-training knowledge (Xue et al. 2026, section 3.2 and table 15).

Can a model learn a label that contradicts what it believes? The treated label denies a real fact; the control
gives an equally familiar subject an attribute it never had, so there is nothing to overwrite. Both answers come
from one pool, and a pair shares its answer. A conflict is an exception: beside each pair, rows that agree with
what is known (fillers, never scored) keep both relations alive, or a model would only learn that nothing it
knew about home countries holds any more. The dose is the strength of the base model's belief in the old answer, read
from its own run. Documents that report the change stand in ``knowledge``.

Kinds, after the paper's table 15: ``counterfactual`` (a city in another country), ``timeliness`` (a capital that has
moved since), ``terminology`` (an element or a language under a new sign), ``regional_rule`` (what a state or a
country prescribes: postal abbreviation, calling code). Mini has the first alone: nano knows too few countries,
elements and states to practise the others on.

    treated  What is the home country of Lyon?    Peru     (a model believes France)
    control  What is the twin country of Osaka?   Peru     (no such relation exists)
    filler   What is the home country of Porto?   Portugal
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.core.errors import UsageError
from ilp_bench.data.causes.common import Arm, Item, Pair, Pairs, World, rows
from ilp_bench.data.causes.spec import CauseSpec, CauseText, Visibility, pair_ids
from ilp_bench.data.facts import RELATIONS, dealt, demonstrations, domain_of, enough, homes, lookup
from ilp_bench.data.schema import ItemRow

NAME = "knowledge_conflict"
MINIMUM = 120  # the effect is a difference of two arms that are both hard; fewer pairs cannot resolve it
FILLERS = 2  # of each arm's relation, a pair
SHOWN = 4  # demonstrations kept for probing base models


class Kind(NamedTuple):
    """A believed relation, the relation that its control is given, and the name of that kind of conflict."""

    kind: str
    believed: str
    assigned: str


KINDS = (
    Kind("counterfactual", "home_country", "twin_country"),
    Kind("timeliness", "capital", "partner_city"),
    Kind("terminology", "element_symbol", "catalogue_label"),
    Kind("terminology", "language_code", "archive_label"),
    Kind("regional_rule", "state_abbreviation", "harbor_abbreviation"),
    Kind("regional_rule", "calling_code", "courier_code"),
)


def pairs(world: World, count: int) -> Pairs:
    """``count`` pairs: up to an eighth of each kind as far as there are facts, the rest counterfactual.

    Without the knob ``pairs``, there are at least ``MINIMUM``.
    """
    count = count if world.settings.pairs else max(count, MINIMUM)
    wanted = world.settings.domain
    kinds = [
        kind for kind in (KINDS if world.settings.wide else KINDS[:1]) if wanted in (None, domain_of(kind.believed))
    ]
    if not kinds:
        raise UsageError(f"{NAME} has no real facts of the domain {wanted!r} to contradict: name other causes")
    room = [_room(kind, world) for kind in kinds]
    shares = [min(count // 8, limit) for limit in room]
    shares[0] = count - sum(shares[1:])
    if len(kinds) > 1 and kinds[0] is not KINDS[0]:
        shares = [count // len(kinds) + (n < count % len(kinds)) for n in range(len(kinds))]
    for kind, share, limit in zip(kinds, shares, room, strict=True):
        if share > limit:
            raise UsageError(
                f"{share} conflicts about {RELATIONS[kind.believed].noun!r} are wanted, but the facts allow {limit}: "
                "ask for fewer pairs"
            )
    found = [pair for kind, share in zip(kinds, shares, strict=True) for pair in _pairs(kind, share, world)]
    return Pairs(len(found), found.__getitem__)


def _room(kind: Kind, world: World) -> int:
    """How many pairs of that kind the facts still allow: each wants a subject of its own in either relation."""
    names = _names(kind, 10**9, world)
    return min(len(world.unused(kind.assigned, names)), len(world.unused(kind.believed, names)) // 2)


def _names(kind: Kind, count: int, world: World) -> list[str]:
    truth = _truth(kind.believed)
    known = enough(RELATIONS[kind.believed].subjects, count if world.settings.wide else 0)
    return [name for name in known if name in truth]


def _truth(relation: str) -> dict[str, str]:
    return homes() if relation == "home_country" else lookup(relation)


def _pairs(kind: Kind, share: int, world: World) -> list[Pair]:
    believed, assigned = kind.believed, kind.assigned
    rng, truth = world.rng(NAME, believed), _truth(believed)
    names = _names(kind, 5 * share, world)
    # The control's subject keeps its real fact: it must not be overwritten elsewhere in the same dataset.
    known = set(world.unused(believed, names))
    control = world.take(assigned, [name for name in names if name in known], share, rng)
    world.reserve(believed, control)
    treated = world.take(believed, names, share, rng)
    agreeing = world.unused(believed, names)
    shown = list(demonstrations(assigned)[SHOWN:])
    fill = min(FILLERS * share, len(agreeing), len(shown))
    agreeing, shown = rng.sample(agreeing, fill), rng.sample(shown, fill)
    world.reserve(believed, agreeing)
    answers = world.deal(RELATIONS[believed].answers, share + 2, rng)  # two may be excluded below
    found = []
    for n, (old, new) in enumerate(zip(treated, control, strict=True)):
        answer = next(word for word in answers if word not in (truth[old], truth[new]))
        answers.remove(answer)
        mine = slice(FILLERS * n, FILLERS * (n + 1))
        fillers = [_item("treated", kind, believed, name, truth[name], None, world) for name in agreeing[mine]]
        fillers += [_item("control", kind, assigned, name, dealt(assigned, name), None, world) for name in shown[mine]]
        found.append(
            Pair(
                _item("treated", kind, believed, old, answer, truth[old], world),
                _item("control", kind, assigned, new, answer, None, world),
                tuple(fillers),
            )
        )
    return found


def _item(arm: Arm, kind: Kind, relation: str, x: str, answer: str, prior: str | None, world: World) -> Item:
    return Item(
        arm=arm,
        kind=kind.kind,
        relation=relation,
        x=x,
        answer=answer,
        rows=rows(x, answer, world.rng(NAME, relation, x)),
        domain=domain_of(kind.believed),
        dose=float("nan") if arm == "treated" else 0.0,
        prior_answer=prior,
        documents=((RELATIONS[relation].noun, x, answer),) if prior else (),
    )


def believed_pairs(recall: pa.Table) -> set[str]:
    """Pairs whose prior answer is what the base model prefers among the options, with exemplars shown."""
    believed = pc.fill_null(pc.equal(recall["belief"], recall["prior_answer"]), False)
    return pair_ids(recall, pc.and_(pc.equal(recall["arm"], "treated"), believed))


def _without_noun(row: ItemRow) -> str:
    return f"{row['question'].replace(RELATIONS[row['relation']].noun, 'NOUN')} {row['answer']}"


SPEC = CauseSpec(
    name=NAME,
    numeral="II",
    title="Conflict with pre-training knowledge",
    short_title="Conflict",
    label="conflict",
    section="3.2, tables 6 and 15",
    dose_label="Strength of the old belief",
    text=CauseText(
        question="Can a model learn a label that contradicts what it believes?",
        why="The base model is sure of another answer. Fine-tuning talks it out of that answer in the "
        "wording it was trained on; ask in other words, and the old belief is back.",
        treated="denies a fact that the base model is sure of",
        control="gives an equally familiar subject an attribute it never had",
        repair="Continued pre-training on documents that report the new fact, so that the belief itself changes.",
        dose="The dose of a conflict is how strongly the base model believes the old answer.",
        activity="for a conflict, the old answer is believed",
    ),
    dose_from_base_model=True,
    pairs=pairs,
    active_pairs=believed_pairs,
    documents=True,
    visibility=Visibility("a relation that was never given is the control", _without_noun),
)
