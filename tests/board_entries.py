"""A board of made-up entries of schema 3, for tests, benchmarks and looking at pages. Never results; never committed.

usage: python tests/board_entries.py OUT [--count 22]

Two base models; every recipe lifts the treated arm of its cause. Beyond the first entries, the same results are
repeated under other names, so that thousands are quickly made and all of them valid.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from points_entries import GAPS, write_entry

from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.submission.decisions import Decision, decide
from ilp_bench.submission.fields import run_id
from ilp_bench.submission.format import Submission
from ilp_bench.submission.rerun_record import MeasuredAgain, Public, Unseen, Verification, add_verification
from ilp_bench.submission.signatures import public_key, sign

KEY = Ed25519PrivateKey.from_private_bytes(b"made-up key of tests, 32 bytes .."[:32])
RERUN: dict[str, Any] = {"by": "maintainer", "ilp_bench": "0.1.0", "versions": {}, "hardware": "made up"}
HOSTILE = '<script>alert(1)</script> & "quotes"'
SAMPLE, NANO = "made-up/Sample-1B", "nano"
SAMPLE_MODEL: dict[str, Any] = {"base": SAMPLE, "parameters": 1_000_000_000}
LEFT_AT_3X = dict(zip(PAPER_CAUSES, (0.12, 0.3, 0.7, 0.9, 0.1), strict=True))  # of vanilla's gap at 1x
SHARES: dict[str, tuple[float, ...]] = {  # of the gap that a recipe closes, cause by cause
    "combined": (0.60, 0.45, 0.50, 0.85, 0.55),
    "auto": (0.55, 0.30, 0.45, 0.86, 0.50),
    "resampling": (0.00, 0.02, 0.03, 0.88, 0.05),
    "knowledge_cpt": (0.70, 0.08, 0.00, 0.02, -0.04),
    "conflict_cpt": (0.05, 0.52, 0.00, 0.00, 0.01),
    "conflict_buckets": (0.00, -0.05, 0.42, 0.04, 0.00),
    "delete_only": (0.00, 0.00, 0.40, 0.01, 0.02),
    "group_only": (0.00, 0.02, 0.15, 0.01, 0.00),
    "rare_upsampling": (-0.03, 0.00, 0.01, -0.04, 0.60),
    "progressive_epochs": (0.02, 0.01, 0.00, 0.00, 0.12),
    "vanilla": (0.0, 0.0, 0.0, 0.0, 0.0),
}
AT_3X: dict[str, Any] = {"division": "3x", "left": LEFT_AT_3X}
# (recipe, what else is said of it): the first base model at 1x and 3x and open ones, then the second
PLANS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((recipe, SAMPLE_MODEL) for recipe in SHARES),
    *((recipe, SAMPLE_MODEL | AT_3X) for recipe in ("vanilla", "combined", "conflict_cpt")),
    ("combined", SAMPLE_MODEL | {"division": "open", "lora": 16}),
    ("auto", SAMPLE_MODEL | {"division": "open", "seeds": (0,)}),
    ("delete_only", SAMPLE_MODEL | {"division": "open", "control": -0.2}),
    *((recipe, {"base": NANO}) for recipe in ("vanilla", "resampling", "auto", "combined")),
)


def make_entries(out: Path, count: int = len(PLANS)) -> list[Path]:
    """Write ``count`` entries below ``out``, whose vanilla was all run again; returns their folders."""
    made = [_make(out, recipe, about) for recipe, about in PLANS[:count]]
    for number in range(len(made), count):
        made.append(copy_entry(made[number % len(PLANS)], out, f"copy-{number:04d}"))
    owners = {"maintainers": ["maintainer"], "keys": [{"by": "maintainer", "public_key": public_key(KEY)}]}
    (out / "owners.json").write_text(json.dumps(owners))
    for folder in made:
        vanilla_again(folder)
    return made


def _make(out: Path, recipe: str, about: dict[str, Any]) -> Path:
    left = about.get("left", dict.fromkeys(PAPER_CAUSES, 1.0))
    shares = zip(PAPER_CAUSES, SHARES[recipe], strict=True)
    gain = {cause: share * left[cause] * GAPS[cause] for cause, share in shares}
    base, division = about["base"].rsplit("/", 1)[-1].lower(), about.get("division", "1x")
    name = f"{base}-{recipe.replace('_', '-')}-{division}"
    text = "Made-up numbers that show what a page looks like; nothing was trained."
    # The vanilla that is submitted is another training than the one it is compared with.
    seeds = {"seed_shift": 10} if recipe == "vanilla" else {}
    return write_entry(out, org="made-up", model=name, recipe=recipe, gain=gain, description=text, **about, **seeds)


def copy_entry(folder: Path, out: Path, model: str, description: str = "") -> Path:
    """The same results under another name."""
    submission = Submission.model_validate_json((folder / "submission.json").read_text())
    submission.meta.model = model
    submission.meta.description = description or submission.meta.description
    submission.run_id = "0" * 16
    submission.run_id = run_id(submission.model_dump(mode="json"))
    place = out / submission.folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "submission.json").write_text(submission.model_dump_json(indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(folder / "samples.parquet", place / "samples.parquet")
    return place


def vanilla_again(folder: Path) -> None:
    """Record that somebody ran the entry's vanilla again, and nothing else."""
    runs = {"submission": MeasuredAgain(again=0, of=3), "vanilla": MeasuredAgain(again=3, of=3)}
    public = Public(status="agrees", tolerance=0.01, largest_difference=2e-5, runs=runs)
    unseen = Unseen(status="not possible", how="not possible")
    record = Verification(date="2026-11-19", **RERUN, public=public, unseen=unseen)
    add_verification(folder, sign(record, folder.name, KEY))


def furnish(out: Path) -> None:
    """Give some entries what others would add: a re-run, an acceptance, a withdrawal, a doubt, hostile texts."""
    place = {folder.parent.name.removeprefix("made-up__"): folder for folder in out.glob("*/*") if folder.is_dir()}
    scores = {"H": 0.41, "rare_patterns": 0.14}
    public = Public(status="agrees", tolerance=0.01, largest_difference=2e-5, claimed=scores, scores=scores)
    unseen = Unseen(status="agrees", how="generalisation only", seed=77, pairs=360)
    record = Verification(date="2026-11-20", **RERUN, public=public, unseen=unseen)
    add_verification(place["sample-1b-auto-1x"], sign(record, place["sample-1b-auto-1x"].name, KEY))
    for name, decision, reason in (
        ("sample-1b-combined-1x", "accepted", "all figures recomputed"),
        ("sample-1b-group-only-1x", "withdrawn", f"trained on the probes {HOSTILE}"),
        ("sample-1b-rare-upsampling-1x", "flagged", "the weights cannot be loaded"),
    ):
        folder = place[name]
        entry, date = f"{folder.parent.name}/{folder.name}", "2026-11-21"
        fields = {"run_id": folder.name, "entry": entry, "decision": decision, "reason": reason, "date": date}
        decide(out, Decision.model_validate(fields | {"by": "maintainer"}))
    copy_entry(place["sample-1b-conflict-cpt-1x"], out, "hostile", description=HOSTILE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=len(PLANS))
    arguments = parser.parse_args()
    print(f"{arguments.out}: {len(make_entries(arguments.out, arguments.count))} made-up entries")
    furnish(arguments.out)
