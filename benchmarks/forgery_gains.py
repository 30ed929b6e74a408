"""The most that a forgery gains where it is not refused, kind by kind: python benchmarks/forgery_gains.py [KIND ...]

Each kind is tried in growing strength on made-up entries in division 1x; the strongest that every check lets pass is
printed with H before and after. Kinds that need somebody else's numbers are compared with an honest entry of theirs.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from forging import Forgery  # type: ignore[import-not-found]
from points_entries import (  # type: ignore[import-not-found]
    take_for_committed,
    write_entry,
    write_reference,
)

from ilp_bench.leaderboard.describe import OWN_VANILLA, describe_entry
from ilp_bench.scoring.references import named_reference
from ilp_bench.submission.check_folder import check_all
from ilp_bench.submission.format import Submission, read_submission

Change = Callable[[Forgery, float], None]


def p_of(f: Forgery) -> Any:
    return f.column("p").astype(float)


def put(f: Forgery, rows: Any, p: Any) -> None:
    f.set_p(rows, np.clip(p, 1e-6, 0.9999))


def weaker_vanilla(f: Forgery, strength: float) -> None:
    """Own vanilla's treated items are lower, under a hash of their own."""
    for each in f.content["vanillas"]:
        each["model"]["weights_sha256"] = each["model"]["weights_sha256"][::-1]
    rows = f.rows("vanilla", arm="treated")
    put(f, rows, p_of(f) * (1 - strength))


def same_hash(f: Forgery, strength: float) -> None:
    """Own vanilla's treated items are lower, under the hash that another entry has measured too."""
    put(f, f.rows("vanilla", arm="treated"), p_of(f) - strength)


def noisy_copy(f: Forgery, strength: float) -> None:
    """The samples of a better entry, with noise; what is printed is the noise that passes, as a standard deviation."""
    theirs = Forgery(next(f.root.glob("rival__*/*")), f.root.with_name(f"theirs-{strength}"))
    p = p_of(f)
    p[f.rows()] = p_of(theirs)[theirs.rows()]
    put(f, f.rows(), p + np.random.default_rng(0).normal(0, 1 - strength, len(p)))


def lifted_samples(f: Forgery, strength: float) -> None:
    """Own samples, with treated items lifted by a share of what is missing to 1: samples invented in part."""
    rows = f.rows(arm="treated")
    put(f, rows, p_of(f) + strength * (1 - p_of(f)))


# kind -> the change, strengths from none to all, and which entry is forged: one whose base model nobody else has, one
# against a reference, or one whose vanilla another entry has measured too
KINDS: dict[str, tuple[Change, Sequence[float], str]] = {
    "own vanilla, no reference": (weaker_vanilla, (0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99), "alone"),
    "own vanilla beside a reference": (weaker_vanilla, (0, 0.02, 0.05, 0.1, 0.2), "beside"),
    "same hash, other measurement": (same_hash, (0, 0.0005, 0.00095, 0.002, 0.01, 0.05), "shared"),
    "copy with noise": (noisy_copy, (0.7, 0.9, 0.95, 0.96, 0.97, 0.975, 0.98, 0.99, 0.997), "alone"),
    "samples invented in part": (lifted_samples, (0, 0.25, 0.5, 0.75, 0.95, 0.99), "alone"),
}


def share(f: Forgery) -> float:
    score = f.content["scores"]["reproduction"]["share"]
    return float(score["value"]) if score else float("nan")


class Attempt(NamedTuple):
    """What a forgery comes to."""

    before: float  # H of the honest entry
    after: float
    ranked: str  # when it is ranked: at once, after a re-run of its vanilla, or no
    problem: str  # the first one; empty where the forgery passes


def tried(honest: Path, place: Path, change: Change, strength: float) -> Attempt:
    """What becomes of a change of some strength."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    f = Forgery(honest, place / "submissions")
    before = share(f)
    change(f, strength)
    try:
        f.rescore()
    except Exception as error:
        return Attempt(before, float("nan"), "", str(error))
    f.save()
    problems = check_all([f.root], honest.parents[1]).problems
    problems = [problem for problem in problems if "was removed" not in problem]
    if problems:
        return Attempt(before, share(f), "", problems[0])
    submission = read_submission(f.folder)
    assert isinstance(submission, Submission)
    reasons = describe_entry(f.folder, submission, [], []).not_ranked_because
    when = {(): "at once", (OWN_VANILLA,): "after a re-run"}
    return Attempt(before, share(f), when.get(reasons, "no"), "")


def main(wanted: Sequence[str]) -> None:
    """Print the table."""
    print("| kind | strongest that passes | H, honest | H, forged | ranked | the next is refused with |")
    print("| --- | ---: | ---: | ---: | --- | --- |")
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        root = Path(name)
        write_reference(root / "references" / "referred-mini-1x", base="referred")
        take_for_committed(patch, root / "references")
        reference = named_reference("referred-mini-1x")
        write_entry(root / "own" / "submissions", org="rival", model="better", base="rivals", gain=0.35)
        entries = {
            "alone": write_entry(root / "own" / "submissions", org="lab", model="model", recipe="auto", gain=0.1)
        }
        write_entry(root / "shared" / "submissions", org="rival", model="better", gain=0.35)
        entries["shared"] = write_entry(
            root / "shared" / "submissions", org="lab", model="model", recipe="auto", gain=0.1
        )
        about: dict[str, Any] = {"base": "referred", "seeds": (0, 1, 2, 3), "recipe": "auto", "gain": 0.1}
        entries["beside"] = write_entry_beside(root / "beside" / "submissions", reference, about)
        for kind, (change, strengths, forged) in KINDS.items():
            if wanted and kind not in wanted:
                continue
            passed, refusal = None, "nothing refuses it"
            for strength in strengths:
                attempt = tried(entries[forged], root / "try", change, strength)
                if attempt.problem:
                    refusal = attempt.problem.split(": ", 1)[-1][:90]
                    if passed is not None:
                        break
                else:
                    passed, refusal = (strength, attempt), "nothing refuses it"
            shown = "none |  |  |"
            if passed:
                shown = f"{passed[0]:g} | {passed[1].before:.3f} | {passed[1].after:.3f} | {passed[1].ranked}"
            print(f"| {kind} | {shown} | {refusal} |", flush=True)


def write_entry_beside(out: Path, reference: Any, about: dict[str, Any]) -> Path:
    """An entry against a reference of three datasets, with vanilla and base runs of its own on a fourth."""
    from points_entries import runs_of

    from ilp_bench.submission.format import Meta
    from ilp_bench.submission.submit import submit

    seeds = about.pop("seeds")
    runs = runs_of(seeds=seeds, **about)
    return submit(
        runs.runs, runs.vanillas[3:], runs.bases[3:], reference, Meta(org="lab", model="model", division="1x"), out
    )


if __name__ == "__main__":
    main(sys.argv[1:])
