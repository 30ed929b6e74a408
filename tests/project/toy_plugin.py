"""A cause and a recipe as another package would add them: this file, and nothing else, knows of them."""

from __future__ import annotations

from collections import Counter

from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Arm, Item, Pair, Pairs, agreeing_rows
from ilp_bench.data.causes.spec import CauseSpec, CauseText
from ilp_bench.data.facts import pool
from ilp_bench.data.names import Names
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Phase, example, last_stage
from ilp_bench.recipes.spec import RecipeSpec

OFTEN = 4  # rows of a control item


def pairs(context: BuildContext, count: int) -> Pairs:
    """Invented medicines: a treated item stands in one row, its control in ``OFTEN`` rows, with the same answer."""
    names, answers = Names("medicine", context.seed), pool("emblem")

    def item(arm: Arm, name: str, answer: str, times: int, number: int) -> Item:
        taught = agreeing_rows(name, answer, context.rng("few_rows", number, arm), times)
        return Item(arm, "rows", "emblem", name, answer, taught, "medicine", dose=float(times))

    def pair(number: int) -> Pair:
        answer = answers[number % len(answers)]
        return Pair(
            item("treated", names[2 * number], answer, 1, number),
            item("control", names[2 * number + 1], answer, OFTEN, number),
        )

    return Pairs(count, pair)


CAUSE = CauseSpec(
    name="few_rows",
    numeral="VI",
    title="Too few rows",
    short_title="Few rows",
    label="few",
    section="not in the paper",
    dose_label="Rows",
    text=CauseText(
        question="Is a fact learned that stands in one row?",
        why="One row gives one gradient step an epoch.",
        treated="stands in one row",
        control="stands in four rows",
        repair="Repeat the row.",
    ),
    pairs=pairs,
)


def phases(context: RecipeContext) -> list[Phase]:
    """Vanilla, each row of the last stage as often as the most frequent one."""
    last = context.data.manifest.stages
    examples = [example(row) for row in context.data.train.to_pylist() if row["stage"] == last]
    counts = Counter(examples)
    repeated = [one for one, count in counts.items() for _ in range(max(1, OFTEN // count) * count)]
    return last_stage(context.data, examples=repeated)


RECIPE = RecipeSpec(name="repeat_rows", summary="every row as often as the others", phases=phases, cause="few_rows")
