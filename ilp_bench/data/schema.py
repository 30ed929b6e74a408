"""The four tables of a dataset: their columns in Arrow, and their rows as Python types.

train      what a model is fine-tuned on, in training order
items      what it is asked afterwards: one row a probe
knowledge  documents for continued pre-training on what is missing or has changed
shots      few-shot exemplars for base models, four a relation
"""

from __future__ import annotations

from typing import Literal, TypedDict

import pyarrow as pa

from ilp_bench.detectors.labelled_row import Exemplar, LabelledRow, Message

Table = Literal["train", "items", "knowledge", "shots"]
TABLES: tuple[Table, ...] = ("train", "items", "knowledge", "shots")
EXEMPLARS = 4  # rows of ``shots`` a relation

_STRINGS = pa.list_(pa.string())
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMAS: dict[Table, pa.Schema] = {
    "train": pa.schema(
        [("row_id", pa.string()), ("item_id", pa.string()), ("cause", pa.string()), ("arm", pa.string())]
        + [("stage", pa.int32()), ("prompt", pa.string()), ("completion", pa.string()), ("messages", MESSAGES)]
        + [("annotator", pa.string()), ("domain", pa.string())]
    ),
    "items": pa.schema(
        [("probe_id", pa.string()), ("item_id", pa.string()), ("pair_id", pa.string()), ("cause", pa.string())]
        + [("arm", pa.string()), ("kind", pa.string()), ("dose", pa.float64()), ("probe", pa.string())]
        + [("stage", pa.int32()), ("frequency", pa.int32()), ("domain", pa.string()), ("relation", pa.string())]
        + [("question", pa.string()), ("prompt", pa.string()), ("answer", pa.string())]
        + [("choices", _STRINGS), ("gold", pa.int32()), ("choices10", _STRINGS), ("gold10", pa.int32())]
        + [("prior_answer", pa.string())]
    ),
    "knowledge": pa.schema(
        [("document_id", pa.string()), ("item_id", pa.string()), ("cause", pa.string()), ("entity", pa.string())]
        + [("genre", pa.string()), ("domain", pa.string()), ("text", pa.string())]
    ),
    "shots": pa.schema([("relation", pa.string()), ("prompt", pa.string()), ("completion", pa.string())]),
}
# Of user data: the completion as it was trained, and the turns of a conversation before it. Where rows have more than
# roles and texts, a column ``conversation`` follows, see :class:`ilp_bench.data.conversations.Example`.
USER_ITEMS = SCHEMAS["items"].append(pa.field("completion", pa.string())).append(pa.field("turns", MESSAGES))
# Of user data: the row of the file, from 1, that the answer comes from; a conversation may have several answers.
USER_TRAIN = SCHEMAS["train"].append(pa.field("source_row", pa.int32()))
REQUIRED: dict[Table, tuple[str, ...]] = {  # columns that are never null, in user data too
    "train": ("row_id", "item_id", "stage", "prompt", "completion", "messages"),
    "items": ("probe_id", "item_id", "probe", "prompt", "answer"),
    "knowledge": ("entity", "text"),
    "shots": ("prompt", "completion"),
}


class TrainRow(LabelledRow):
    """A supervised example; ``cause``, ``arm`` and ``domain`` are None in user data."""

    row_id: str
    item_id: str
    cause: str | None
    arm: str | None
    stage: int
    domain: str | None


class UserTrainRow(TrainRow):
    """A supervised example of user data, and the row of the file that it comes from, from 1."""

    source_row: int


class ItemRow(TypedDict):
    """A probe of an item: a question, its answer, and answer options.

    Probes of held-out facts have no pair, cause and arm. In user data, these and ``kind``, ``dose``, ``domain`` and the
    answer options are None; there alone are ``completion`` and ``turns``.
    """

    probe_id: str
    item_id: str
    pair_id: str | None
    cause: str | None
    arm: str | None
    kind: str
    dose: float
    probe: str
    stage: int
    frequency: int
    domain: str
    relation: str
    question: str
    prompt: str
    answer: str
    choices: list[str]
    gold: int
    choices10: list[str]
    gold10: int
    prior_answer: str | None


class UserItemRow(TypedDict):
    """The columns of ``items`` that user data fill."""

    probe_id: str
    item_id: str
    probe: str
    stage: int
    frequency: int
    relation: str
    question: str
    prompt: str
    answer: str
    completion: str
    turns: list[Message]
    conversation: str | None


class DocumentRow(TypedDict):
    """A document for continued pre-training about one entity."""

    document_id: str
    item_id: str
    cause: str | None
    entity: str
    genre: str
    domain: str
    text: str


class ShotRow(Exemplar):
    """A few-shot exemplar; a probe is asked behind those of its ``relation``."""

    relation: str
