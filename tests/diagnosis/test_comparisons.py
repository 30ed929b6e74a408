"""What has a sign is compared with others of its kind, and a difference counts beyond noise."""

from typing import Any

import numpy as np
import pytest

from ilp_bench.diagnosis.why.comparisons import FEW, TrainedItem, drops, kinds_known, learned_worse, shortfall


def trained(rates: list[float], *, kind: str = "capital", segment: int = 1, **known: float) -> list[TrainedItem]:
    def item(n: int) -> Any:
        return {"item_id": f"{kind}-{segment}-{known}-{n}"}

    values = {"known": 0.0, "denied": 0.0} | known
    return [TrainedItem(item(n), n, (kind,), segment, rate, **values) for n, rate in enumerate(rates)]


LOW, HIGH = [0.2, 0.4] * 10, [0.8, 1.0] * 10


def test_a_shortfall_is_relative_and_beyond_noise() -> None:
    assert shortfall(LOW, HIGH) == pytest.approx(0.6 / 0.9)
    assert shortfall(HIGH, LOW) == 0
    assert shortfall(LOW, [0.3, 0.5] * 2) == 0
    assert shortfall([0.1], HIGH) == 0
    assert shortfall(LOW, [0.0] * 20) == 0


def test_a_segment_is_compared_with_the_same_kind_of_question() -> None:
    early, late = trained(LOW, segment=1), trained(HIGH, segment=2)
    hard = trained([0.0, 0.1] * 100, kind="poem", segment=2)  # the last part as a whole is learned worse than the first
    assert drops(early + late + hard, 2)[("capital",), 1] == pytest.approx(0.6 / 0.9)
    assert drops(early + late + hard, 2)[("capital",), 2] == 0
    few = late[: FEW - 1]
    assert drops(early + few + hard, 2) == {}  # too few of the kind in the last part to tell


def test_a_kind_with_few_questions_falls_with_the_segment_where_another_shows_that_it_fell() -> None:
    early, late = trained(LOW, segment=1), trained(HIGH, segment=2)
    rare = trained([0.2, 0.4], kind="poem", segment=1)
    assert drops(early + late + rare, 2)[("poem",), 1] == pytest.approx(0.6 / 0.9)
    assert drops(rare + trained(HIGH, kind="poem", segment=2), 2) == {}
    mixed = trained(HIGH, segment=1)
    assert drops(mixed + late + rare, 2) == {}


def test_a_file_that_is_sorted_by_topic_has_not_dropped() -> None:
    """The first topic is hard, and nothing of it comes last."""
    hard, easy = trained(LOW * 4, kind="poem", segment=1), trained(HIGH * 4, segment=2)
    assert drops(hard + easy, 2) == {}
    no_kind = [each._replace(kind=()) for each in (*hard, *easy)]
    assert drops(no_kind, 2) == {}


def test_random_orders_rarely_seem_to_be_forgotten() -> None:
    """Rates as they are at the end of a training: most near 0 or 1, three kinds, four parts in any order."""
    rng = np.random.default_rng(0)
    items = [
        item
        for kind in "abc"
        for item in trained(rng.choice([0.02, 0.2, 0.9, 0.99], 60).tolist(), kind=kind, segment=1)
    ]
    named = 0
    for _ in range(500):
        order = rng.permutation(len(items))
        cut = [items[n]._replace(segment=place // 45 + 1) for place, n in enumerate(order)]
        named += any(value > 0 for value in drops(cut, 4).values())
    assert named <= 0.02 * 500
    fallen = [each._replace(rate=each.rate / 4) if each.segment < 3 else each for each in cut]
    dropped = drops(fallen, 4)
    assert sum(dropped[("a",), segment] > 0 for segment in (1, 2)) == 2


def test_missing_knowledge_shows_where_what_is_known_is_learned_better() -> None:
    unknown, known = trained(LOW * 20), trained(HIGH[:10], known=0.9)
    capital = kinds_known(unknown + known)["capital",]
    assert capital.share == pytest.approx(10 / 410)
    assert capital.learned == pytest.approx(0.9)
    assert kinds_known(unknown + known[: FEW - 1])["capital",].learned is None
    assert kinds_known(trained(LOW * 20) + trained(LOW, known=0.9))["capital",].learned is None
    believed = kinds_known(trained(LOW, denied=0.9) + trained(HIGH) + trained(HIGH, known=0.9))["capital",]
    assert (believed.share, believed.learned) == (pytest.approx(2 / 3), None)  # a conflict is no lack of knowledge


def test_chosen_items_are_compared_with_others_of_their_kinds() -> None:
    chosen, others = trained(LOW), trained(HIGH, segment=2)
    elsewhere = trained(LOW * 10, kind="poem")
    ids = {each.item["item_id"] for each in chosen}
    assert learned_worse(chosen + others + elsewhere, ids)
    assert not learned_worse(chosen + elsewhere, ids)
    assert not learned_worse(chosen + others, set())
