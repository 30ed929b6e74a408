"""What cause 0 is decided from: a sample of the rows in every way of asking, and what the models' files say."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

AS_ASKED = "as the rows say"  # names of the ways of asking that are looked for
IN_CHAT = "in the chat template"
BASE = "the base model"
BASE_TOKENS = "with the base model's tokenizer"


class WayScores(BaseModel):
    """Of each item that was asked in one way; None for an item that cannot be asked so.

    answers     how far the answer is reproduced without its end, in [0, 1]
    ends        probability of the end after the answer; None also where the two share a token
    loss        of a token of the answer, in nats
    tokens      of the answer without its end; 0 for an item that cannot be asked so
    """

    name: str
    answers: list[float | None]
    ends: list[float | None]
    loss: list[float | None]
    tokens: list[int] = []


class TrainerNotes(BaseModel):
    """Settings of a training, None where nothing says them.

    max_length      tokens to which rows were cut
    steps           optimizer steps done, and ``all_steps`` that were planned
    last_loss       the last logged training loss
    files           the files that were read
    """

    max_length: int | None = None
    packing: bool | None = None
    learning_rate: float | None = None
    epochs: float | None = None
    max_steps: int | None = None
    assistant_only: bool | None = None
    completion_only: bool | None = None
    last_turn_only: bool | None = None
    steps: int | None = None
    all_steps: int | None = None
    last_loss: float | None = None
    files: list[str] = []


class ModelFacts(BaseModel):
    """A tuned model beside its base.

    same_weights     whether the files hold the same bytes
    adapter_base     name of the model that the adapter in the folder adapts; None for full weights
    distance         median relative distance of the values of some tensors of the two, without adapters; None where not
                     comparable
    vocabulary       tokens of the tuned model's tokenizer, and ``base_vocabulary`` of the base model's
    renumbered       tokens of both that have another id
    added            tokens that only the tuned model's tokenizer has
    notes            what the trainer left
    """

    same_weights: bool
    adapter_base: str | None = None
    distance: float | None = None
    vocabulary: int
    base_vocabulary: int
    renumbered: int
    added: int
    notes: TrainerNotes


class FreeAnswer(BaseModel):
    """What the tuned model itself answers to a question with a long answer, and ROUGE-L F1 in [0, 1] against that."""

    text: str
    rouge_l: float


class Probes(BaseModel):
    """The sample, asked.

    item_ids        of the sample
    ways            the tuned model in each way that was tried, the first as the rows say
    ends            other ends of the answer, asked as the rows say -> their mean probability after it
    free            item -> what the tuned model itself answers, of some long answers
    base            the base model, asked the same text; None where its tokenizer cannot hold it
    prompt_losses   mean loss of a token of each prompt: the tuned model's, and ``base_prompt_losses`` the base's
    facts           what the models' files say
    """

    item_ids: list[str]
    ways: list[WayScores]
    ends: dict[str, float]
    free: dict[str, FreeAnswer] = {}
    base: WayScores | None
    prompt_losses: list[float | None]
    base_prompt_losses: list[float | None]
    facts: ModelFacts

    @property
    def first(self) -> WayScores | None:
        """The tuned model, asked as the rows say; None where no item can be asked so."""
        return next((way for way in self.ways if way.name == AS_ASKED), None)


def mean(values: Sequence[float | bool | None], missing: float = 0.0) -> float:
    """The mean of the values that are not None; ``missing`` where there are none."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else missing
