"""A submission as the site sees it. Everything that the site knows of the submission format stands in this module."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilp_bench.core.files import read_json
from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.records.training_record import BaseWeights, TrainingRecord
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.rerun_record import read_verification

Value = dict[str, float]  # value, low, high


@dataclass(frozen=True)
class Data:
    """A dataset that an entry was measured on."""

    size: str
    seed: int
    version: str
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One submission, without its samples; pickles small.

    ``scores`` are recomputed with today's scorer, ``claimed`` stand in the submission; ``runs`` has the run record of
    each replicate.
    """

    run_id: str
    meta: dict[str, Any]
    base: str
    base_sha: str
    recipe: str | None
    data: tuple[Data, ...]
    tokens: int | None
    vanilla_tokens: int | None
    scores: dict[str, Any]
    claimed: dict[str, Any]
    runs: tuple[dict[str, Any], ...]
    verification: tuple[dict[str, Any], ...]
    decisions: tuple[dict[str, Any], ...]

    @property
    def org(self) -> str:
        """Who submitted it."""
        return str(self.meta["org"])

    @property
    def model(self) -> str:
        """The name that its submitters gave the model."""
        return str(self.meta["model"])

    @property
    def division(self) -> str:
        """``closed`` or ``open``."""
        return str(self.meta["division"])

    @property
    def slug(self) -> str:
        """Name of its page and of its data file; never changes."""
        return f"{self.org}__{self.model}__{self.run_id}"

    @property
    def page(self) -> str:
        """Its page, from the site's top."""
        return f"runs/{self.slug}.html"

    @property
    def title(self) -> str:
        """Who and what, in one line."""
        return f"{self.org} / {self.model}"

    @property
    def overall(self) -> Value | None:
        """Overall recovery with its interval, or None."""
        overall: Value | None = self.scores["overall"]
        return overall

    @property
    def causes(self) -> dict[str, dict[str, Any]]:
        """Scores by cause; a cause that the dataset does not have is missing."""
        return {score["cause"]: score for score in self.scores["causes"]}

    @property
    def is_vanilla(self) -> bool:
        """Whether this is plain fine-tuning itself: recovery 0 by definition."""
        return self.recipe == "vanilla"

    @property
    def training(self) -> TrainingRecord:
        """How the first replicate was trained; every field is None where that is not recorded."""
        return TrainingRecord.model_validate(self.runs[0]["training"] or {})

    @property
    def state(self) -> str:
        """``ranked``, ``withdrawn`` or ``flagged``: what the last decision says."""
        last = self.decisions[-1]["decision"] if self.decisions else "accepted"
        return str(last) if last != "accepted" else "ranked"

    @property
    def undefined(self) -> list[str]:
        """Why there is no overall: causes that are missing or not expressed."""
        return [name for name in PAPER_CAUSES if name not in self.causes or self.causes[name]["recovery"] is None]

    @property
    def lost(self) -> int:
        """Items that vanilla learned and this one did not."""
        return sum(score["regressions"] for score in self.scores["causes"])

    @property
    def token_factor(self) -> float | None:
        """Training tokens as a multiple of vanilla's; None where either is not recorded."""
        return self.tokens / self.vanilla_tokens if self.tokens and self.vanilla_tokens else None

    @property
    def rerun(self) -> dict[str, str]:
        """Outcome of the last re-run on public and on unseen data: agrees, differs, not possible, or not done."""
        last = self.verification[-1] if self.verification else None
        return {kind: last[kind]["status"] if last else "not done" for kind in ("public", "unseen")}


def content_sha256(folder: Path) -> str:
    """Hash over the bytes of a submission's files."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def read_entry(folder: Path, decisions: Sequence[Decision]) -> Entry:
    """Describe a valid submission; ``decisions`` are those about it, oldest first."""
    submission = read_json(folder / "submission.json")
    runs = [record["submission"] for record in submission["records"]]
    training = TrainingRecord.model_validate(runs[0]["training"] or {})
    measured = (submission["records"][0].get("base") or {}).get("model") or {}
    base = training.base or BaseWeights.model_validate(measured)
    return Entry(
        run_id=submission["run_id"],
        meta=submission["meta"],
        base=(base.name or "").rstrip("/").rsplit("/", 1)[-1] or "unknown base",
        base_sha=base.weights_sha256 or "",
        recipe=training.recipe,
        data=tuple(sorted({_data(run["data"]) for run in runs}, key=lambda data: (data.size, data.seed, data.sha256))),
        tokens=_tokens(runs),
        vanilla_tokens=_tokens([record["vanilla"] for record in submission["records"]]),
        scores=submission["scores"],
        claimed=submission["scores"],
        runs=tuple(runs),
        verification=tuple(record.model_dump(mode="json") for record in read_verification(folder)),
        decisions=tuple(decision.model_dump(mode="json") for decision in decisions),
    )


def _data(data: dict[str, Any]) -> Data:
    return Data(data["size"], data["seed"], data["version"], data["content_sha256"])


def _tokens(runs: list[dict[str, Any]]) -> int | None:
    """Training tokens, the mean over replicates; None where any is not recorded."""
    tokens = [TrainingRecord.model_validate(run["training"] or {}).total_tokens for run in runs]
    recorded = [count for count in tokens if count is not None]
    return round(sum(recorded) / len(recorded)) if len(recorded) == len(tokens) else None
