"""What a score of version 3 holds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ilp_bench.records.reference_record import Arms
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.run_intervals import IntervalKind

POINTS_SCORER_VERSION = 3
DATA_VERSION = "3"  # of the datasets that are scored in points


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ArmRates(_Strict):
    """Three measures of both arms: probability p, greedy reproduction, and the paper's unlearned (1 - p)^5."""

    p: Arms
    greedy: Arms
    unlearned: Arms


class PairGroup(_Strict):
    """Some pairs of a cause by themselves: those of one dose, or those that the base model believed nothing about.

    ``dose`` is the lower end where doses are a base model's beliefs. ``interval`` is None where pairs are few.
    """

    dose: float | None
    pairs: int
    vanilla: Arms
    submission: Arms
    points: float
    interval: Interval | None


class CausePoints(_Strict):
    """One cause, in one kind of score; differences of probabilities in [-1, 1], which are points when times 100.

    pairs, active_pairs   over all datasets; active_pairs is None without a base run
    gap                   control minus treated under vanilla
    reference_gap         the published constant
    treated_change, control_change   D and E: submission minus vanilla
    points                G = D - max(0, E)
    counted, reason       whether it counts in H, and why not
    hurt                  whether the control fell below vanilla's by more than is allowed, and its interval excludes 0
    contrast              pairs of a conflict with nothing that the base model believed; not scored

    What cannot be computed is None: all of it where no pair is active, intervals where too few are.
    """

    cause: str
    pairs: int
    active_pairs: int | None
    gap: Interval | None = None
    reference_gap: float | None = None
    base: ArmRates | None = None
    vanilla: ArmRates | None = None
    submission: ArmRates | None = None
    treated_change: Interval | None = None
    control_change: Interval | None = None
    points: Interval | None = None
    counted: bool = False
    reason: str | None = None
    hurt: bool = False
    doses: list[PairGroup] = Field(default_factory=list)
    contrast: PairGroup | None = None


class KindScore(_Strict):
    """One kind of score: H, the share of the gap that is closed, over the causes that count, and every cause."""

    kind: Literal["reproduction", "internalisation"]
    share: Interval | None
    counted: list[str]
    causes: list[CausePoints]


class ReplicatePoints(_Strict):
    """One submitted run by itself: its seeds, and by kind of score G of each cause and H, without intervals."""

    data_seed: int
    training_seed: int | None
    points: dict[str, dict[str, float | None]]
    share: dict[str, float | None]


class ReferenceUse(_Strict):
    """Which reference was used: its name, and how many vanilla runs stand behind its constants.

    ``runs`` says whether vanilla and base runs were taken from it too, or only the constants.
    """

    name: str
    vanilla_runs: int
    runs: bool


class PointScores(_Strict):
    """The scores of a submission against vanilla of the same base model, data and budget.

    interval_kind   "runs": intervals hold for other runs; "pairs only": for other pairs, not for other runs
    provisional     whether fewer than three vanilla runs say which causes count
    ranked, not_ranked_because   whether the entry may be ranked, and every reason why not
    retention       role -> mean p of held-out facts; the base model's with exemplars shown
    """

    scorer_version: Literal[3] = 3
    division: str | None
    datasets: int
    interval_kind: IntervalKind
    reproduction: KindScore
    internalisation: KindScore
    reference: ReferenceUse | None
    provisional: bool
    activity_known: bool
    ranked: bool
    not_ranked_because: list[str]
    retention: dict[str, float | None]
    replicates: list[ReplicatePoints]
