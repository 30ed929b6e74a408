"""A submission as the site sees it. Everything that the site knows of the submission format stands in this module."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ilp_bench.causes import CAUSE_NAMES
from ilp_bench.files import read_json
from ilp_bench.render.rates import Rates, from_samples

COLUMNS = ("role", "replicate", "cause", "pair_id", "arm", "probe", "p", "shots_greedy", "belief", "prior_answer")
Value = dict[str, float]  # value, low, high


@dataclass(frozen=True)
class Data:
    """A dataset that was asked."""

    size: str
    seed: int
    version: str
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One submission, without its samples; pickles small."""

    run_id: str
    org: str
    model: str
    division: str
    description: str
    base: str
    base_sha: str
    recipe: str | None
    data: tuple[Data, ...]
    tokens: int | None
    vanilla_tokens: int | None
    scores: dict[str, Any]
    runs: tuple[dict[str, Any], ...]  # the run record of each replicate
    replicates: tuple[dict[str, Any], ...] = ()
    verification: tuple[dict[str, Any], ...] = ()
    decisions: tuple[dict[str, Any], ...] = field(default=())

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
        found: Value | None = self.scores["overall"]
        return found

    @property
    def causes(self) -> dict[str, dict[str, Any]]:
        """Scores by cause; a cause that the dataset does not have is missing."""
        return {found["cause"]: found for found in self.scores["causes"]}

    @property
    def is_vanilla(self) -> bool:
        """Whether this is plain fine-tuning itself: recovery 0 by definition."""
        return self.recipe == "vanilla"

    @property
    def state(self) -> str:
        """``ranked``, ``withdrawn`` or ``flagged``: the last decision that says so."""
        last = next((d["decision"] for d in reversed(self.decisions) if d["decision"] in DECISIONS), "accepted")
        return last if last != "accepted" else "ranked"

    @property
    def decision(self) -> dict[str, Any] | None:
        """The decision behind a state that is not ``ranked``."""
        if self.state == "ranked":
            return None
        found: dict[str, Any] = next(d for d in reversed(self.decisions) if d["decision"] == self.state)
        return found

    @property
    def undefined(self) -> list[str]:
        """Why there is no overall: causes that are missing or not expressed."""
        return [name for name in CAUSE_NAMES if name not in self.causes or self.causes[name]["recovery"] is None]

    @property
    def lost(self) -> int:
        """Items that vanilla learned and this one did not."""
        return sum(found["regressions"] for found in self.scores["causes"])

    @property
    def rerun(self) -> dict[str, str]:
        """Outcome of the last re-run on public and on unseen data: agrees, differs, not possible, or not done."""
        last = self.verification[-1] if self.verification else {}
        return {kind: (last.get(kind) or {}).get("status", "not done") for kind in ("public", "unseen")}


DECISIONS = ("accepted", "withdrawn", "flagged")


def content_sha256(folder: Path) -> str:
    """Hash over the bytes of a submission's files."""
    found = hashlib.sha256()
    for name in ("submission.json", "samples.parquet"):
        file = folder / name
        found.update(f"{name} {file.stat().st_size if file.is_file() else -1}\n".encode())
        if file.is_file():
            found.update(file.read_bytes())
    return found.hexdigest()


def read_entry(folder: Path, decisions: list[dict[str, Any]]) -> Entry:
    """Read a valid submission's description and scores; ``decisions`` are those about it, oldest first."""
    found = read_json(folder / "submission.json")
    records = _replicates(found)
    runs = [one["submission"] for one in records]
    training = runs[0]["training"] or {}
    base = training.get("base") or (records[0].get("base") or {}).get("model") or {}
    verification = folder / "verification.json"
    return Entry(
        run_id=found["run_id"],
        org=found["meta"]["org"],
        model=found["meta"]["model"],
        division=found["meta"]["division"],
        description=found["meta"].get("description", ""),
        base=str(base.get("name", "unknown base")).rstrip("/").rsplit("/", 1)[-1] or "unknown base",
        base_sha=str(base.get("weights_sha256", "")),
        recipe=training.get("recipe"),
        data=tuple(sorted({_data(run["data"]) for run in runs}, key=lambda d: (d.size, d.seed, d.sha256))),
        tokens=_tokens(runs),
        vanilla_tokens=_tokens([one["vanilla"] for one in records]),
        scores=found["scores"],
        runs=tuple(runs),
        replicates=tuple(found["scores"].get("replicates") or ()),
        verification=tuple(read_json(verification).get("records", ())) if verification.is_file() else (),
        decisions=tuple(decisions),
    )


def read_rates(folder: Path) -> Rates:
    """Learned rates of every pair of a valid submission, replicates on one dataset averaged."""
    records = _replicates(read_json(folder / "submission.json"))
    shas = [one["submission"]["data"]["content_sha256"] for one in records]
    file = pq.ParquetFile(folder / "samples.parquet")
    present = [name for name in COLUMNS if name in file.schema_arrow.names]
    samples = file.read(columns=present, use_threads=False)
    return from_samples(samples, shas, based=records[0].get("base") is not None)


def _replicates(found: dict[str, Any]) -> list[dict[str, Any]]:
    records = found["records"]
    return records if isinstance(records, list) else [records]


def _data(data: dict[str, Any]) -> Data:
    return Data(data["size"], data["seed"], data["version"], data["content_sha256"])


def _tokens(runs: list[dict[str, Any]]) -> int | None:
    """Training tokens, the mean over replicates; None where any is not recorded."""
    found = [(run["training"] or {}).get("tokens") for run in runs]
    if not all(isinstance(one, dict) and one for one in found):
        return None
    return round(sum(sum(map(int, one.values())) for one in found if one) / len(found))
