"""What a score holds: the schema of the scores in a submission."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ilp_bench.scoring.bootstrap import Interval

SCORER_VERSION = 2  # rises when a number moves; 2: retention of a tuned run is never read with examples shown


class Rates(BaseModel):
    """Learned rates of both arms, in [0, 1]; recall alone is incomplete learning in the strict sense."""

    model_config = ConfigDict(extra="forbid")

    treated: float
    control: float
    treated_recall: float
    control_recall: float


class Dose(BaseModel):
    """One point of the dose curve: treated and control learned rates of the pairs at that dose."""

    model_config = ConfigDict(extra="forbid")

    dose: float
    pairs: int
    vanilla: float
    submission: float
    control: float


class CauseScore(BaseModel):
    """Everything about one cause. ``recovery`` is None where the cause is not expressed on this base model."""

    model_config = ConfigDict(extra="forbid")

    cause: str
    pairs: int
    active_pairs: int | None
    expressed: bool
    gap: Interval
    base: Rates | None
    vanilla: Rates
    submission: Rates
    recovery: Interval | None
    recovery_recall: float | None
    recovery_paraphrase: float | None
    recovery_all_pairs: float | None
    regressions: int
    doses: list[Dose]


class ReplicateScore(BaseModel):
    """One replicate by itself: its seeds, and recovery per cause (None where undefined) and overall."""

    model_config = ConfigDict(extra="forbid")

    data_seed: int
    training_seed: int | None
    overall: float | None
    recovery: dict[str, float | None]


class Scores(BaseModel):
    """The scores of one submission against vanilla on the same base model, pooled over its replicates."""

    model_config = ConfigDict(extra="forbid")

    scorer_version: int = SCORER_VERSION
    causes: list[CauseScore]
    overall: Interval | None
    aggregate: dict[str, float]
    worst: dict[str, float | str]
    retention: dict[str, float | None]
    activity_known: bool
    replicates: list[ReplicateScore]
