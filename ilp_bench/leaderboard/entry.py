"""An entry of schema 3 as tables show it. What the site knows of that format stands here and in ``run.html``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.rank_reasons import Reason
from ilp_bench.submission.comparison import PROJECT
from ilp_bench.submission.decisions import Decision

REPRODUCTION, INTERNALISATION = KINDS
ByDataset = dict[int, float]  # data seed -> mean over the replicates on that dataset


class ArmMeans(NamedTuple):
    """Mean p of the items of either arm, in [0, 1]."""

    treated: float
    control: float


class CauseResult(NamedTuple):
    """One cause in one kind of score; differences are in [-1, 1], and points when times 100. None: not computed.

    ``gap`` is vanilla's: control minus treated.
    """

    points: Estimate | None
    control_change: Estimate | None
    gap: Estimate | None
    counted: bool
    reason: str | None
    vanilla: ArmMeans | None
    submission: ArmMeans | None
    by_dataset: ByDataset


class KindResult(NamedTuple):
    """One kind of score: H with the causes that count, and every cause by its name."""

    share: Estimate | None
    counted: tuple[str, ...]
    causes: dict[str, CauseResult]
    by_dataset: ByDataset


class Data(NamedTuple):
    """A dataset that an entry was measured on."""

    size: str
    version: str
    seed: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One submission, without its samples and records; pickles small.

    budget          supervised tokens, the mean over replicates; ``tokens``: all tokens trained on
    budget_division ``1x`` or ``3x``, of whatever division it was submitted to; None where not recorded
    lora            rank of the adapter; 0 where all weights were trained, None where not recorded
    retention       role -> mean p of held-out facts
    results         by kind of score
    rerun           kind of re-run (public, unseen) -> outcome of the last one; coverage -> such as ``1 of 3``
    own_vanilla     whether it is compared with vanilla runs of its own on any dataset
    decisions       about it, oldest first
    """

    run_id: str
    folder: Path
    org: str
    model: str
    description: str
    division: str
    base: str
    prompt_format: str
    base_sha: str
    data: tuple[Data, ...]
    recipe: str | None
    parameters: int
    lora: int | None
    budget: int | None
    budget_division: str | None
    tokens: int | None
    seconds: float | None
    replicates: int
    retention: dict[str, float | None]
    results: dict[str, KindResult]
    reference: str | None
    interval_kind: str
    not_ranked_because: tuple[Reason, ...]
    rerun: dict[str, str]
    own_vanilla: bool
    decisions: tuple[Decision, ...]

    @property
    def slug(self) -> str:
        """Name of its page; never changes."""
        return page_name(self.org, self.model, self.run_id)

    @property
    def page(self) -> str:
        """Its page, from the site's top."""
        return f"runs/{self.slug}.html"

    @property
    def items_page(self) -> str:
        """The page of its items, from the site's top; not every entry has one."""
        return f"items/{self.slug}.html"

    @property
    def badge(self) -> str:
        """Its badge, from the site's top."""
        return f"runs/{self.slug}.svg"

    @property
    def title(self) -> str:
        """Who and what, in one line."""
        return f"{self.org} / {self.model}"

    @property
    def method(self) -> str:
        """The recipe, or what its submitters call the model."""
        return self.recipe or self.model

    @property
    def label(self) -> str:
        """What a table calls it: the lab and the recipe."""
        return f"{self.org} {self.method}"

    @property
    def kind(self) -> str:
        """What was trained, in a word."""
        return "not recorded" if self.lora is None else f"LoRA {self.lora}" if self.lora else "full"

    @property
    def state(self) -> str:
        """``accepted``, ``withdrawn`` or ``flagged``: what the last decision says; without one, accepted."""
        return self.decisions[-1].decision if self.decisions else "accepted"

    @property
    def is_ranked(self) -> bool:
        """Whether it takes part in ranks."""
        return self.state == "accepted" and not self.not_ranked_because and self.share() is not None

    @property
    def short_reason(self) -> str:
        """Why it is not ranked, in a few words; its page has every reason in full."""
        if self.state != "accepted" or not self.not_ranked_because:
            return self.state if self.state != "accepted" else "no cause counts"
        return self.not_ranked_because[0].short

    @property
    def is_checked(self) -> bool:
        """Whether others than its submitters stand for it: a row of the project, or one whose re-run agrees."""
        return self.org == PROJECT or self.rerun["public"] == "agrees"

    @property
    def check_mark(self) -> str:
        """What a rank says of re-runs: nobody ran it again, or with which outcome and how many of its runs."""
        status, coverage = self.rerun["public"], self.rerun.get("coverage")
        again = "not re-run" if status == "not done" else f"re-run {status}{f', {coverage}' if coverage else ''}"
        return f"{again}; own vanilla" if self.own_vanilla else again

    @property
    def date(self) -> str | None:
        """When it was accepted, where that is recorded."""
        return next((decision.date for decision in self.decisions if decision.decision == "accepted"), None)

    def share(self, kind: str = REPRODUCTION) -> Estimate | None:
        """H, of one kind of score."""
        return self.results[kind].share


def page_name(org: str, model: str, run_id: str) -> str:
    """What the page of an entry is called, without folder and ending."""
    return f"{org}__{model}__{run_id}"
