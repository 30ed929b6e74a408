"""How good an invention of samples must be to pass every check: python benchmarks/fabrication.py [DRAWS=5]

A committed entry of nano in division 1x is the shell: its records stay consistent, its weights get hashes of their own,
and all p of its submitted runs are invented, so that treated items are learned as well as control items. From line to
line the inventor uses more of what is public. Printed are the share of inventions that every check lets pass, the mean
correlation of their p with the reference's vanilla within arm, cause and kind of probe, H, and what refuses the others.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from forging import Forgery  # type: ignore[import-not-found]

from ilp_bench.scoring.references import named_reference
from ilp_bench.submission.check_folder import check_all
from ilp_bench.submission.copy_statistics import Measured, alike
from ilp_bench.submission.format import parse_submission
from ilp_bench.submission.sample_store import restore_runs, rows_by_run

REPOSITORY = Path(__file__).parents[1]
REFERENCE, SHELL = "nano-mini-1x", "ilp-bench__nano-mini-resampling"
Invention = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def logit(p: np.ndarray) -> np.ndarray:
    clipped = np.clip(p, 1e-5, 1 - 1e-5)
    return np.asarray(np.log(clipped / (1 - clipped)))


def any_numbers(vanilla: np.ndarray, groups: np.ndarray, treated: np.ndarray, rng: Any) -> np.ndarray:
    """Uniform p."""
    return np.asarray(rng.uniform(size=len(vanilla)))


def right_means(vanilla: np.ndarray, groups: np.ndarray, treated: np.ndarray, rng: Any) -> np.ndarray:
    """The mean of vanilla's control items of each cause and kind of probe, and a beta distribution about it."""
    p = np.empty(len(vanilla))
    for group in np.unique(groups):
        inside = groups == group
        mean = np.clip(
            vanilla[inside & ~treated].mean() if (inside & ~treated).any() else vanilla[inside].mean(), 0.02, 0.98
        )
        p[inside] = rng.beta(2 * mean, 2 * (1 - mean), inside.sum())
    return p


def right_items(noise: float) -> Invention:
    """The public vanilla's p of each item in logits, treated items raised to the mean of control, and noise."""

    def invent(vanilla: np.ndarray, groups: np.ndarray, treated: np.ndarray, rng: Any) -> np.ndarray:
        level = logit(vanilla)
        for group in np.unique(groups):
            inside = groups == group
            if (inside & treated).any() and (inside & ~treated).any():
                level[inside & treated] += level[inside & ~treated].mean() - level[inside & treated].mean()
        return np.asarray(1 / (1 + np.exp(-(level + rng.normal(0, noise, len(level))))))

    return invent


LADDER: dict[str, Invention] = {
    "any numbers": any_numbers,
    "right means, any items": right_means,
    **{
        f"the public vanilla's items, noise of {noise:g} logits": right_items(noise)
        for noise in (16, 8, 4, 2, 1, 0.5, 0)
    },
}


def shell(out: Path) -> Path:
    """The committed entries of nano on dataset 3 below ``out``; returns the one to be forged."""
    chosen = None
    for file in sorted((REPOSITORY / "submissions").glob("ilp-bench__nano-mini-*/*/submission.json")):
        if (json.loads(file.read_text()).get("reference") or {}).get("name") == REFERENCE:
            place = out / file.parent.parent.name / file.parent.name
            shutil.copytree(file.parent, place, ignore=shutil.ignore_patterns("verification.json"))
            chosen = place if place.parent.name == SHELL else chosen
    if chosen is None:
        raise SystemExit(f"{SHELL} has no entry against {REFERENCE}")
    return chosen


def invented(honest: Path, root: Path, invention: Invention, seed: int) -> tuple[float, float, str]:
    """Correlation with vanilla, H, and the first problem; an empty text where the invention passes."""
    shutil.rmtree(root.parent, ignore_errors=True)
    f, rng = Forgery(honest, root), np.random.default_rng(seed)
    public = {
        each.vanillas[0].record.data.content_sha256: each.vanillas[0] for each in named_reference(REFERENCE).comparisons
    }
    f.content["meta"] |= {"org": "lab", "model": "invented"}
    probe, cause, arm = (f.column(name) for name in ("probe_id", "cause", "arm"))
    kind, replicate = f.column("probe"), f.column("replicate")
    for number, record in enumerate(f.content["runs"]):
        record["model"]["weights_sha256"] = record["model"]["weights_sha256"][::-1]
        record["samples_sha256"] = f"{seed:032x}{number:032x}"
        table = public[record["data"]["content_sha256"]].samples
        known = dict(zip(table["probe_id"].to_pylist(), table["p"].to_pylist(), strict=True))
        mask = f.rows() & (replicate == number)
        groups = np.array([f"{c} {k}" for c, k in zip(cause[mask], kind[mask], strict=True)])
        values = np.array([known.get(name, np.nan) for name in probe[mask]])
        values[np.isnan(values)] = np.nanmean(values)  # decoys, which no score uses
        p = np.zeros(len(mask))
        p[mask] = np.clip(invention(values, groups, arm[mask] == "treated", rng), 1e-6, 0.9999)
        f.set_p(mask, p)
    f.rescore()
    f.save()
    records = parse_submission(f.content).run_records
    runs = restore_runs(rows_by_run(f.table, records), records)
    correlations = [
        alike(Measured.of(run), Measured.of(public[run.record.data.content_sha256])).correlation
        for (role, _), run in runs.items()
        if role == "submission"
    ]
    problems = [problem for problem in check_all([f.root]).problems if "table.csv" not in problem]
    share = f.content["scores"]["reproduction"]["share"]
    return float(np.mean(correlations)), share["value"] if share else float("nan"), problems[0] if problems else ""


def main(draws: int) -> None:
    print("| what the inventor uses | pass | correlation | H | what refuses the others |")
    print("| --- | ---: | ---: | ---: | --- |")
    with tempfile.TemporaryDirectory() as name:
        honest = shell(Path(name) / "honest" / "submissions")
        for title, invention in LADDER.items():
            results = [
                invented(
                    honest,
                    Path(name) / f"{len(title)}-{seed}" / "submissions",
                    invention,
                    seed,
                )
                for seed in range(draws)
            ]
            reasons = Counter(problem.split(": ", 1)[-1][:80] for _, _, problem in results if problem)
            passed = sum(not problem for _, _, problem in results)
            correlation, share = (float(np.mean([each[n] for each in results])) for n in (0, 1))
            worst = reasons.most_common(1)[0][0] if reasons else ""
            print(f"| {title} | {passed}/{draws} | {correlation:.2f} | {share:.2f} | {worst} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
