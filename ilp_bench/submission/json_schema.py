"""JSON Schema of what strangers write, one versioned file each.

``python -m ilp_bench.submission.json_schema [DIR]`` writes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from ilp_bench.core.files import write_text
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.format import Meta, Submission
from ilp_bench.submission.rerun_record import Verifications
from ilp_bench.submission.version_2 import ArchivedSubmission

SCHEMAS: dict[str, type[BaseModel]] = {
    "submission-3.schema.json": Submission,
    "meta-3.schema.json": Meta,
    "submission-2.schema.json": ArchivedSubmission,
    "verification-1.schema.json": Verifications,
    "decision-1.schema.json": Decision,
}


def schemas() -> dict[str, str]:
    """File name -> text, in the dialect that pydantic writes (2020-12)."""
    return {
        name: json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema(), indent=1
        )
        + "\n"
        for name, model in SCHEMAS.items()
    }


def main(out: Path) -> None:
    """Write all schemas to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        write_text(out / name, text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/schema"))
