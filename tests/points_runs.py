"""Runs of dataset version 3 for tests, with chosen probabilities instead of a model. Never results.

``table_runs`` have no samples but the tables that scorer 3 makes of them: fast enough to simulate coverage. Every value
is the sum of

    an item's own level     the same for all runs on a dataset       SD ITEM_SD
    what a recipe adds      an effect on its arm, and its scatter over items, SD EFFECT_SD
    a run's effect          the same for all items of an arm         SD SHARED_SD
    an item's luck in a run                                          SD LUCK_SD

so that the mean of an arm of PAIRS items has SD sqrt(SHARED_SD^2 + LUCK_SD^2 / PAIRS) = 0.020 between runs on one
dataset, as was measured on nano. Values are not cut to [0, 1], so that the true differences are exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate, pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.records.run_record import Run, RunRecord
from ilp_bench.records.samples import SAMPLES
from ilp_bench.scoring.pair_probabilities import CausePairs, Layout, PairTable

PAIRS = 150
ITEM_SD, EFFECT_SD, SHARED_SD, LUCK_SD = 0.35, 0.2, 0.0143, 0.17
GAP = 0.5
ARM_LEVEL = np.array([0.3, 0.3 + GAP])


class TableRun(NamedTuple):
    """What stands for a run where only its tables are asked for."""

    tables: dict[str, PairTable]

    @property
    def record(self) -> Any:
        """A record that names a dataset of its own."""
        return SimpleNamespace(data=SimpleNamespace(content_sha256=str(id(self.tables))))

    @property
    def probes(self) -> Layout:
        """Where the pairs of each cause stand in ``values``."""
        tables = self.tables.values()
        places = pairwise(accumulate((len(table.pairs) for table in tables), initial=0))
        causes = {
            cause: CausePairs(table.pairs, table.dose, table.groups, slice(*place))
            for (cause, table), place in zip(self.tables.items(), places, strict=True)
        }
        none, counts = np.empty(0, np.int64), np.empty((0, 2, 2), np.int64)
        return Layout(causes, none, none, counts, np.concatenate([table.groups for table in tables]))

    @property
    def values(self) -> Array:
        """The values of all tables, one cause after the other."""
        return np.concatenate([table.values for table in self.tables.values()], axis=1)


class Levels(NamedTuple):
    """A dataset as a recipe's runs see it: cause -> shape (pairs, 2), the level of each item."""

    items: dict[str, Array]

    def with_effect(self, rng: np.random.Generator, treated: Array, control: Array) -> Levels:
        """The levels under a recipe that adds ``treated`` and ``control``, one number a cause."""
        effects = np.stack([treated, control], axis=1)
        return Levels(
            {
                cause: levels + effect + rng.normal(0, EFFECT_SD, levels.shape)
                for (cause, levels), effect in zip(self.items.items(), effects, strict=True)
            }
        )


def levels(rng: np.random.Generator) -> Levels:
    """A new dataset: PAIRS pairs of each of the five causes."""
    return Levels({cause: ARM_LEVEL + rng.normal(0, ITEM_SD, (PAIRS, 2)) for cause in PAPER_CAUSES})


def table_run(rng: np.random.Generator, dataset: Levels, groups_of: int = 1) -> Any:
    """A run on a dataset; both kinds of score are the same. ``groups_of`` pairs share their luck."""
    tables = {}
    for cause, level in dataset.items.items():
        luck = np.repeat(rng.normal(0, LUCK_SD, (-(-PAIRS // groups_of), 2)), groups_of, axis=0)[:PAIRS]
        p = level + rng.normal(0, SHARED_SD, 2) + luck
        values = np.repeat(p[None, :, :, None], 2, axis=3)
        pairs = np.array([f"{cause}-{number}" for number in range(PAIRS)])
        tables[cause] = PairTable(pairs, values, np.full(PAIRS, np.nan), np.arange(PAIRS) // groups_of)
    return TableRun(tables)


def samples(
    seed: int, treated: float, control: float, *, pairs: int = 24, base: bool = False, luck: int = 0, **known: int
) -> pa.Table:
    """Samples of a small dataset of version 3, all arms and held-out facts among them.

    seed         of the dataset
    treated, control   mean p of the arms; paraphrases have 0.1 less
    base         whether it is a probed base model, which knows the controls of I and II and believes II's prior answer
    luck         seed of a run's deviations, SD 0.02
    known        cause -> number of its pairs whose control the base model knows; by default all
    """
    rng, rows = np.random.default_rng([seed, luck]), []
    for cause in PAPER_CAUSES:
        for number in range(pairs):
            for arm, p in (("treated", treated), ("control", control)):
                is_known = number < known.get(cause, pairs)
                rows += _item(cause, arm, number, p, rng, base=base, is_known=is_known)
        for number in range(4):
            rows += _item(cause, "decoy", number, 0.9, rng, base=base, is_known=True)
    for number in range(8):
        rows += _item(None, "calibration", number, 0.7, rng, base=base, is_known=True)
        shots = {"shots_p": 0.5, "shots_greedy": True} if base else {}
        rows.append(
            {"probe_id": f"fact/{number}", "item_id": f"fact/{number}", "probe": "retention", **_p(0.3), **shots}
        )
    return pa.Table.from_pylist(rows, schema=SAMPLES)


def _p(p: float) -> dict[str, Any]:
    p = float(np.clip(p, 1e-6, 1.0))
    return {"tokens": 2, "logprob": float(np.log(p)), "p": p, "greedy": p > 0.5}


def _item(
    cause: str | None, arm: str, number: int, p: float, rng: np.random.Generator, *, base: bool, is_known: bool
) -> list[dict[str, Any]]:
    paired = arm in ("treated", "control")
    dose = {"data_inconsistency": 0.5, "rare_patterns": 1.0}.get(cause or "", np.nan) * (1 + number % 2)
    common = {
        "item_id": f"{cause}/{arm}/{number}",
        "pair_id": f"{cause}-{number:04d}" if paired else None,
        "cause": cause,
        "arm": arm,
        "dose": None if np.isnan(dose) or arm != "treated" else dose,
        "prior_answer": "old" if cause == "knowledge_conflict" and arm == "treated" else None,
    }
    rows = []
    for at, probe in enumerate(("recall", "paraphrase", "paraphrase")):
        row = common | {"probe": probe, "probe_id": f"{common['item_id']}/{at}"}
        row |= _p(p - 0.1 * (probe == "paraphrase") + rng.normal(0, 0.02))
        if base and probe == "recall":
            shots = 0.9 if arm == "control" and is_known else 0.05
            row |= {"shots_p": shots, "shots_greedy": shots > 0.5}
            if common["prior_answer"]:
                believed = number % 4 != 0
                row |= {"shots_options": [-0.1, -3.0] if believed else [-2.0, -2.5], "belief": "old"}
        rows.append(row)
    return rows


def make_run(
    recipe: str | None,
    seed: int = 0,
    *,
    treated: float = 0.3,
    control: float = 0.8,
    training_seed: int = 0,
    division: str | None = "1x",
    version: str = "3",
    pairs: int = 24,
    known: Mapping[str, int] | None = None,
    **changes: Any,
) -> Run:
    """A run on the dataset of ``seed``, of the base model where there is no recipe."""
    base_sha, weights = "b" * 64, hashlib.sha256(f"{recipe} {seed} {training_seed} {treated}".encode()).hexdigest()
    table = samples(
        seed, treated, control, pairs=pairs, base=recipe is None, luck=training_seed + 7 * (recipe != "vanilla"),
        **(known or {}),
    )  # fmt: skip
    training: dict[str, Any] | None = None
    if recipe:
        training = {"recipe": recipe, "seed": training_seed, "base": {"name": "stub", "weights_sha256": base_sha}}
        training |= (
            {"budget": {"division": division, "tokens": {"1": 500}, "total": 500, "source": "calibration"}}
            if division
            else {}
        )
    record = {
        "ilp_bench": "0.1.0",
        "model": {
            "name": "stub", "architecture": "Stub", "parameters": 1, "weights_sha256": weights if recipe else base_sha
        },
        "training": training,
        "data": {
            "size": "mini", "seed": seed, "version": version, "content_sha256": hashlib.sha256(b"%d" % seed).hexdigest()
        },
        "probed": recipe is None,
        "dtype": "float32",
        "device": "cpu",
        "batch_size": 1,
        "versions": {},
        "hardware": "none",
        "seconds": {"load": 0.0, "score": 0.0},
    }  # fmt: skip
    sha = hashlib.sha256(table["p"].to_numpy().tobytes()).hexdigest()
    return Run(RunRecord.model_validate(record | {"samples_sha256": sha} | changes), table)
