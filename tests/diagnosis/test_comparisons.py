"""What has a sign is compared with others of its kind, and a difference counts beyond noise."""

from typing import Any

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
    assert drops(early + few + hard, 2)[("capital",), 1] == 0  # as a whole: too few of the kind in the last part


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
