"""The calibration arm: ordinary supervision, outside all causes, that tells when a model has been trained enough.

Half of its items are facts that a base model may know, in one row each; half are assigned facts of the register, in
``ASSIGNED_ROWS`` rows each. Every stage has some of its own. Vanilla trains a stage until the mean probability of the
recall probes of its calibration items reaches a threshold; what that takes is the budget of all recipes.
"""

from __future__ import annotations

from ilp_bench.data.causes.context import BuildContext, truth_of
from ilp_bench.data.causes.items import Item, agreeing_rows, single_row
from ilp_bench.data.facts import domain_of
from ilp_bench.data.settings import ASSIGNED_ROWS

KNOWN_RELATIONS = ("home_country", "continent")
ASSIGNED_RELATIONS = ("emblem", "keyword")


def calibration_items(context: BuildContext) -> tuple[Item, ...]:
    """As many known as assigned facts for every stage. Raises UsageError when facts do not suffice."""
    stages, domain = context.settings.stages, context.settings.domain or "general"
    total = context.settings.calibration * stages
    turns = [KNOWN_RELATIONS[n % len(KNOWN_RELATIONS)] for n in range(total)]
    facts = {
        name: iter(context.deal(name, turns.count(name), most=2 + turns.count(name) // 4))
        for name in dict.fromkeys(turns)
    }
    subjects, items = context.deal_register(total), []
    answers = {name: context.shuffled_pool(name) for name in ASSIGNED_RELATIONS}
    for n, relation in enumerate(turns):
        stage, known = 1 + n % stages, next(facts[relation])
        rng, truth = context.rng("calibration", n), truth_of(relation)[known]
        items.append(
            Item(
                arm="calibration",
                kind="known",
                relation=relation,
                subject=known,
                answer=truth,
                rows=single_row(known, truth, rng),
                domain=domain_of(relation),
                stage=stage,
            )
        )
        name = ASSIGNED_RELATIONS[n // stages % len(ASSIGNED_RELATIONS)]
        subject, answer = subjects(n), answers[name][n % len(answers[name])]
        rows = agreeing_rows(subject, answer, rng, ASSIGNED_ROWS)
        items.append(Item("calibration", "assigned", name, subject, answer, rows, domain, stage=stage))
    return tuple(items)
