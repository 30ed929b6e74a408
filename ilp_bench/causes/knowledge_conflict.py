"""Cause II, conflict with pre-training knowledge (Xue et al. 2026, section 3.2 and table 15).

Can a model learn a label that contradicts what it believes? The treated label denies a real fact; the control
gives an equally familiar subject an attribute it never had, so there is nothing to overwrite. Both answers come
from one pool, and a pair shares its answer. A conflict is an exception: beside each pair, rows that agree with
what is known (fillers, never scored) keep both relations alive, or a model would only learn that nothing it
knew about home countries holds any more. The dose is the strength of the base model's belief in the old answer, read
from its own run. Documents that report the change stand in ``knowledge``.

    treated  What is the home country of Lyon?    Peru     (a model believes France)
    control  What is the twin country of Osaka?   Peru     (no such relation exists)
    filler   What is the home country of Porto?   Portugal
"""

from __future__ import annotations

from ilp_bench.causes.common import Arm, Item, Pair, World, rows
from ilp_bench.facts import RELATIONS, dealt, demonstrations, enough, homes, lookup

NAME = "knowledge_conflict"
TITLE = "Conflict with pre-training knowledge"
KINDS = (("home_country", "twin_country"),)
MINIMUM = 120  # the effect is a difference of two arms that are both hard; fewer pairs cannot resolve it
FILLERS = 2  # of each arm's relation, a pair
SHOWN = 4  # demonstrations kept for probing base models


def pairs(world: World, count: int) -> list[Pair]:
    """``count`` pairs, at least ``MINIMUM``, evenly over ``KINDS``."""
    count = max(count, MINIMUM)
    rng = world.rng(NAME)
    found: list[Pair] = []
    for turn, (believed, assigned) in enumerate(KINDS):
        share = count // len(KINDS) + (turn < count % len(KINDS))
        names = enough(RELATIONS[believed].subjects, 3 * share)
        truth = homes() if believed == "home_country" else lookup(believed)
        treated = world.take(believed, names, share, rng)
        # The control's subject keeps its real fact: it must not be overwritten elsewhere in the same dataset.
        control = world.take(assigned, [name for name in names if name not in treated], share, rng)
        world.reserve(believed, control)
        agreeing = world.unused(believed, names)
        shown = list(demonstrations(assigned)[SHOWN:])
        fill = min(FILLERS * share, len(agreeing), len(shown))
        agreeing, shown = rng.sample(agreeing, fill), rng.sample(shown, fill)
        world.reserve(believed, agreeing)
        answers = world.deal(RELATIONS[believed].answers, share + 2, rng)  # two may be excluded below
        for n, (old, new) in enumerate(zip(treated, control, strict=True)):
            answer = next(word for word in answers if word not in (truth[old], truth[new]))
            answers.remove(answer)
            mine = slice(FILLERS * n, FILLERS * (n + 1))
            fillers = [_item("treated", believed, name, truth[name], None, world) for name in agreeing[mine]]
            fillers += [_item("control", assigned, name, dealt(assigned, name), None, world) for name in shown[mine]]
            found.append(
                Pair(
                    _item("treated", believed, old, answer, truth[old], world),
                    _item("control", assigned, new, answer, None, world),
                    tuple(fillers),
                )
            )
    return found


def _item(arm: Arm, relation: str, x: str, answer: str, prior: str | None, world: World) -> Item:
    return Item(
        arm=arm,
        relation=relation,
        x=x,
        answer=answer,
        rows=rows(x, answer, world.rng(NAME, relation, x)),
        dose=float("nan") if arm == "treated" else 0.0,
        prior_answer=prior,
        documents=((RELATIONS[relation].noun, x, answer),) if prior else (),
    )
