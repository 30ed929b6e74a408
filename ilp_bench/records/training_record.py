"""The training record: ``training.json`` beside a checkpoint, copied into the run record of every evaluation of it."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_serializer,
    model_validator,
)

T = TypeVar("T")
DIVISIONS = {"1x": 1, "2x": 2, "3x": 3}  # budget division -> times B; 2x is for curves, entries are of 1x and 3x
CALIBRATED = 0.8  # mean p of the calibration items at which a stage of vanilla ends


def _none_if_invalid(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


Lenient = Annotated[T | None, WrapValidator(_none_if_invalid)]  # None where the value has another type
Count = Annotated[int, Field(strict=True, ge=0)]


class BaseWeights(BaseModel):
    """The weights that training started from."""

    model_config = ConfigDict(frozen=True)

    name: Lenient[StrictStr] = None
    revision: Lenient[StrictStr] = None
    weights_sha256: Lenient[StrictStr] = None


class TrainingData(BaseModel):
    """The dataset that was trained on."""

    model_config = ConfigDict(frozen=True)

    size: Lenient[StrictStr] = None
    seed: Lenient[StrictInt] = None
    version: Lenient[StrictStr] = None
    content_sha256: Lenient[StrictStr] = None


class PhaseRecord(BaseModel):
    """One phase of training.

    ``epochs`` counts the passes over the rows that were begun, ``tokens`` every token trained on, ``supervised`` those
    of them that count in the loss (None of pre-training, and in records of before budgets), ``replayed`` those that an
    epoch had seen before, ``drawn_again`` the epochs in which a stage was replayed. ``loss`` is the mean over checks in
    nats a supervised token; of user data, ``reference_learned`` (in [0, 1]) and ``reference_loss`` have one value an
    epoch.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    examples: Count
    epochs: Count
    steps: Count
    tokens: Count
    supervised: Count | None = None
    replayed: Count = 0
    drawn_again: dict[str, Count] = Field(default_factory=dict)
    loss: float
    reference_learned: list[float] = Field(default_factory=list)
    reference_loss: list[float] = Field(default_factory=list)
    seconds: float


class TrainingBudget(BaseModel):
    """The supervised tokens that a training was to spend.

    division   ``1x``, or ``3x`` for three times what vanilla needed
    tokens     of each stage, in that division; a recipe of one shuffle spends their sum
    source     ``calibration`` where this training found them, ``reference`` where another vanilla did
    """

    model_config = ConfigDict(frozen=True)

    division: str
    tokens: dict[str, Count]
    total: Count
    source: str


class CalibrationCheck(BaseModel):
    """What a check of supervised training saw.

    supervised   tokens of the stage until then
    p            mean p of the recall probes of its calibration items, in [0, 1]; None where it was not measured
    loss         mean training loss since the last check, in nats a supervised token
    """

    model_config = ConfigDict(frozen=True)

    supervised: Count
    p: float | None = None
    loss: float


class TrainingRecord(BaseModel):
    """How a checkpoint was trained, by whatever trainer.

    Any JSON object is a training record: a field that is missing or has another type than here is None, and fields
    unknown here are kept. What is dumped is what was read, field for field in the same order; so a changed copy comes
    from ``TrainingRecord.model_validate(record.model_dump() | changes)``, not from ``model_copy(update=...)``.

    recipe         the recipe of ILP-Bench, or what another trainer calls its method
    tokens         tokens trained on by kind (``sft``, ``replayed``, ``cpt``); at least one kind, none negative
    lora           rank of the adapter; 0 where all weights were trained
    dtype          what was computed in: float32, or bfloat16 by autocast over weights of float32
    general        source of the replay corpus; None for texts of known facts
    prompt_format  ``chat`` where rows were trained under the model's chat template, ``plain`` where as bare text
    encoder        sentence encoder that found similar questions; None for TF-IDF
    found          what the recipe found in data and base model
    budget         supervised tokens that it was to spend; None of user data
    calibration    stage -> its checks, an eighth of an epoch apart; ``all`` for one shuffle over the stages
    """

    model_config = ConfigDict(frozen=True)

    ilp_bench: Lenient[StrictStr] = None
    recipe: Lenient[StrictStr] = None
    base: Lenient[BaseWeights] = None
    data: Lenient[TrainingData] = None
    seed: Lenient[StrictInt] = None
    learning_rate: Lenient[StrictFloat] = None
    batch_size: Lenient[StrictInt] = None
    lora: Lenient[StrictInt] = None
    dtype: Lenient[StrictStr] = None
    prompt_format: Lenient[StrictStr] = None
    general: Lenient[StrictStr] = None
    encoder: Lenient[StrictStr] = None
    found: Lenient[dict[str, Any]] = None
    phases: Lenient[list[PhaseRecord]] = None
    budget: Lenient[TrainingBudget] = None
    calibration: Lenient[dict[str, list[CalibrationCheck]]] = None
    tokens: Lenient[Annotated[dict[str, Count], Field(min_length=1)]] = None
    steps: Lenient[StrictInt] = None
    seconds: Lenient[StrictFloat] = None
    processes: Lenient[StrictInt] = None
    resumed: Lenient[StrictBool] = None
    _source: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_source(cls, value: Any, validate: Any) -> TrainingRecord:
        record: TrainingRecord = validate(value)
        if isinstance(value, dict):
            record._source = value
        return record

    @model_serializer
    def _dump_source(self) -> dict[str, Any]:
        return self._source

    @property
    def base_sha256(self) -> str | None:
        """The hash of the weights that training started from, where recorded."""
        return self.base.weights_sha256 if self.base else None

    @property
    def calibrated(self) -> bool:
        """Whether this training found its own budget by its calibration items."""
        return bool(self.budget and self.budget.source == "calibration" and self.calibration)

    @property
    def total_tokens(self) -> int | None:
        """All tokens trained on, where recorded."""
        return sum(self.tokens.values()) if self.tokens else None


# The JSON Schema of a submission says no more than what is checked: any object.
AnyTraining = Annotated[
    TrainingRecord | None,
    WithJsonSchema(
        {"anyOf": [{"additionalProperties": True, "type": "object"}, {"type": "null"}], "title": "Training"}
    ),
]
