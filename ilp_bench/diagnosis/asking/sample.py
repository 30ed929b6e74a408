"""How many items are asked, and which of them in every way."""

from __future__ import annotations

import random
from typing import Any

from ilp_bench.data.dataset import Dataset

PROBED = 64  # items that are asked in every way
ON_CPU = 300  # items of a model of ``OF_PARAMETERS``: some minutes on two cores
OF_PARAMETERS = 135_000_000
FEWEST, MOST = 100, 5000


def sample_size(model: str, device: str, base: str | None = None) -> int:
    """How many items the device can ask in some minutes; 0 for all of them, on a GPU.

    base   the model that an adapter adapts, where its own path is one of another machine
    """
    from ilp_bench.models.devices import pick_device
    from ilp_bench.models.resolve import locate
    from ilp_bench.models.weight_files import count_values

    if pick_device(device) != "cpu":
        return 0
    parameters = max(1, count_values(locate(model, base).root.folder))
    return min(MOST, max(FEWEST, ON_CPU * OF_PARAMETERS // parameters))


def probed_items(data: Dataset, seed: int) -> list[dict[str, Any]]:
    """The items that are asked in every way: a random sample, in the order of the dataset."""
    items: list[dict[str, Any]] = data.items.to_pylist()
    chosen = sorted(random.Random(seed).sample(range(len(items)), min(PROBED, len(items))))
    return [items[n] for n in chosen]
