"""One input, tried as each kind of file that strangers write: it is accepted or refused, and nothing else happens.

The first byte says which file it stands for, the rest is its content. ``run.py`` beside it drives this by coverage;
the tests try every file of the corpus, without atheris.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import parse_json
from ilp_bench.core.untrusted import csv_text, markdown_text, skeleton, value_problems
from ilp_bench.submission.decisions import parse_decisions
from ilp_bench.submission.fields import run_id
from ilp_bench.submission.format import Meta, Submission
from ilp_bench.submission.owners import OWNERS_FILE, read_owners
from ilp_bench.submission.rerun_record import Verifications, read_verification
from ilp_bench.submission.sample_store import read_samples
from ilp_bench.submission.validate import check
from ilp_bench.submission.version_2 import ArchivedSubmission


def _json(data: bytes, _: Path) -> None:
    value = parse_json(data.decode("utf-8"))
    if not list(value_problems(value)):
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        for model in (Meta, Submission, ArchivedSubmission, Verifications):
            try:
                run_id(model.model_validate(value).model_dump(mode="json"))
            except ValidationError:
                continue
            return
        raise ProblemError("no file of ours")


def _submission(data: bytes, folder: Path) -> None:
    (folder / "submission.json").write_bytes(data)
    (folder / "samples.parquet").write_bytes(b"PAR1")
    found = check(folder)
    assert found.problems, "nothing stands behind these samples"
    "\n".join(found.problems).encode()


def _samples(data: bytes, folder: Path) -> None:
    (folder / "samples.parquet").write_bytes(data)
    read_samples(folder / "samples.parquet")


def _decisions(data: bytes, folder: Path) -> None:
    (folder / "decisions.jsonl").write_bytes(data)
    found, problems = parse_decisions(folder / "decisions.jsonl")
    assert found or problems or not data.strip()


def _verification(data: bytes, folder: Path) -> None:
    (folder / "verification.json").write_bytes(data)
    read_verification(folder)


def _owners(data: bytes, folder: Path) -> None:
    (folder / OWNERS_FILE).write_bytes(data)
    read_owners(folder)


def _text(data: bytes, _: Path) -> None:
    text = data.decode("utf-8")
    assert not csv_text(text).lstrip().startswith(("=", "+", "-", "@"))
    assert "<" not in markdown_text(text)
    assert skeleton(skeleton(text)).isalnum() or not skeleton(text)


KINDS: tuple[Callable[[bytes, Path], None], ...] = (
    _json,
    _submission,
    _samples,
    _decisions,
    _verification,
    _text,
    _owners,
)


def try_input(data: bytes) -> bool:
    """Whether the input was accepted; anything but acceptance and a clear refusal is an error of ours."""
    if not data:
        return False
    with tempfile.TemporaryDirectory() as name:
        try:
            KINDS[data[0] % len(KINDS)](data[1:], Path(name))
        except (ProblemError, UsageError, ValidationError, UnicodeDecodeError, json.JSONDecodeError):
            return False
        except (ValueError, RecursionError) as error:
            if data[0] % len(KINDS) == 0:  # what parse_json documents
                return False
            raise AssertionError(f"not a clear refusal: {error}") from error
    return True
