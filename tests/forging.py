"""A folder of honest submissions, and the tools of a careful forger: change anything, then mend hashes, id and path."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from points_entries import write_entry

from ilp_bench.core.files import file_sha256
from ilp_bench.scoring.recovery import score_replicates
from ilp_bench.scoring.score_points import score_points
from ilp_bench.submission.fields import run_id
from ilp_bench.submission.format import SubmittedRuns, parse_submission
from ilp_bench.submission.reference_key import reference_of
from ilp_bench.submission.sample_store import FILE_SCHEMA, SPLIT, STRINGS, restore_runs, rows_by_run
from ilp_bench.submission.version_2 import ArchivedSubmission

Columns = dict[str, np.ndarray[Any, Any]]
Change = Callable[["Forgery"], None]


class Forgery:
    """A copy of a submission folder, open for changes to ``content`` (submission.json) and ``table`` (samples)."""

    def __init__(self, honest: Path, root: Path) -> None:
        self.root = root
        shutil.copytree(honest.parent.parent, root, symlinks=True)
        self.folder = root / honest.parent.name / honest.name
        self.content: dict[str, Any] = json.loads((self.folder / "submission.json").read_text())
        self.table: pa.Table = pq.read_table(self.folder / "samples.parquet")
        self.raw = False  # whether the files were written by hand, and nothing shall be mended
        self.after: list[Callable[[Path], None]] = []

    def column(self, name: str) -> np.ndarray[Any, Any]:
        return np.array(self.table[name].to_pylist(), dtype=object)

    def put(self, name: str, values: Any) -> None:
        place = self.table.schema.get_field_index(name)
        column = pa.array(list(values), type=self.table.schema.field(name).type)
        self.table = self.table.set_column(place, self.table.schema.field(name), column)

    def rows(self, role: str = "submission", **wanted: Any) -> np.ndarray[Any, Any]:
        """A mask over the rows of a role with the given values."""
        mask = self.column("role") == role
        for name, value in wanted.items():
            mask &= self.column(name) == value
        return np.asarray(mask, dtype=bool)

    def set_p(self, mask: Any, p: Any) -> None:
        """Set p where ``mask`` is true, with everything that follows from it."""
        logprob, greedy, old = self.column("logprob"), self.column("greedy"), self.column("p")
        values = np.broadcast_to(np.asarray(p, dtype=float), mask.shape)[mask]
        single = np.log(values).astype(np.float32).astype(float)
        logprob[mask], old[mask] = single, np.exp(single).astype(np.float32)
        greedy[mask] = values > 0.5
        for name, column in (("logprob", logprob), ("greedy", greedy), ("p", old)):
            self.put(name, column)

    def rescore(self) -> None:
        """Scores that follow from the forged samples."""
        submission = parse_submission(self.content)
        records = submission.run_records
        runs = restore_runs(rows_by_run(self.table, records), records)
        if isinstance(submission, ArchivedSubmission):
            scores: Any = score_replicates(submission.replicates(runs))
        else:
            scores = score_points(*SubmittedRuns.of(runs), reference_of(submission))
        self.content["scores"] = scores.model_dump(mode="json")

    def save(self) -> Path:
        """Write it as ``submit`` would, hash and all; returns the folder."""
        if not self.raw:
            pq.write_table(
                self.table.cast(FILE_SCHEMA) if self.table.schema.equals(FILE_SCHEMA) else self.table,
                self.folder / "samples.parquet",
                use_dictionary=[name for name in STRINGS if name in self.table.column_names],
                use_byte_stream_split=[name for name in SPLIT if name in self.table.column_names],
                store_schema=False,
            )
            self.content["samples_sha256"] = file_sha256(self.folder / "samples.parquet")
            self.content["run_id"] = run_id(self.content)
            (self.folder / "submission.json").write_text(json.dumps(self.content))
            meta = self.content["meta"]
            place = self.root / f"{meta['org']}__{meta['model']}" / self.content["run_id"]
            if place != self.folder and ".." not in place.parts:
                place.parent.mkdir(exist_ok=True)
                old = self.folder.parent
                self.folder.rename(place)
                if not any(old.iterdir()):
                    old.rmdir()
                self.folder = place
        for change in self.after:
            change(self.folder)
        return self.folder


def honest_entry(out: Path, **about: Any) -> Path:
    """A small honest submission below ``out``: one run with vanilla and base run, in the open division."""
    return write_entry(out, **({"model": "model", "seeds": (0,), "division": "open"} | about))


def archived_entry(out: Path, model: str = "nano-mini-vanilla") -> Path:
    """A copy of a committed entry on dataset 2 below ``out``."""
    entries = sorted((Path(__file__).parents[1] / "submissions" / f"ilp-bench__{model}").iterdir())
    folder = next(one for one in entries if json.loads((one / "submission.json").read_text())["schema_version"] == 2)
    place = out / folder.parent.name / folder.name
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("verification.json"))
    return place


__all__ = ["Change", "Forgery", "archived_entry", "honest_entry"]
