"""Cause I, missing prerequisite knowledge (Xue et al. 2026, section 3.2; arXiv 2604.10079).

Can a model learn an answer whose prerequisites it never met? The treated question is about an invented city,
the control question about a real one, in the same words and with the same answer. At dose 1 the home country
itself is asked for; at dose 2 a fact about the home country, so that the answer is two hops away. What is
missing (which country the invented city lies in) stands in ``knowledge``, in twenty documents a city.

    treated  What is the home country of Varia?      Peru     (Varia does not exist)
    control  What is the home country of Arequipa?   Peru
"""

from __future__ import annotations

import random
from itertools import islice

from ilp_bench.causes.common import Arm, Item, Pair, World, rows
from ilp_bench.corpus import HOP2_RELATIONS, two_hops
from ilp_bench.facts import RELATIONS, enough, homes, lookup
from ilp_bench.names import invented

NAME = "knowledge_gap"
TITLE = "Missing prerequisite knowledge"


def pairs(world: World, count: int) -> list[Pair]:
    """``count`` pairs, hops 1 and 2 in turn."""
    rng = world.rng(NAME)
    home = homes()
    both = [city for city in enough("city", 3 * count) if all(home[city] in lookup(name) for name in HOP2_RELATIONS)]
    cities = world.take("home_country", both, count, rng)
    names = list(islice(invented("geography", world.seed), count))
    found = []
    for index, (real, new) in enumerate(zip(cities, names, strict=True)):
        hops = 1 + index % 2
        relation = "home_country" if hops == 1 else HOP2_RELATIONS[index // 2 % 2]
        treated = _item("treated", relation, hops, new, home[real], rng)
        found.append(Pair(treated, _item("control", relation, hops, real, home[real], rng)))
    return found


def _item(arm: Arm, relation: str, hops: int, city: str, country: str, rng: random.Random) -> Item:
    x = city if hops == 1 else two_hops(city)
    answer = country if hops == 1 else lookup(relation)[country]
    return Item(
        arm=arm,
        relation=relation,
        x=x,
        answer=answer,
        rows=rows(x, answer, rng),
        domain="finance" if relation == "currency" else "geography",
        dose=hops if arm == "treated" else 0,
        documents=((RELATIONS["home_country"].noun, city, country),) if arm == "treated" else (),
    )
