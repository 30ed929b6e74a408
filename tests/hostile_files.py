"""Files that a stranger may send to make a check slow, large or fail: title -> what writes them below a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.data.dataset import make
from ilp_bench.submission.fields import MAX_RUNS
from ilp_bench.submission.sample_store import FILE_SCHEMA

Make = Callable[[Path, Path], None]  # an honest entry, and the folder of submissions to write


def _copy(honest: Path, root: Path) -> Path:
    place = root / honest.parent.name / honest.name
    shutil.copytree(honest, place)
    return place


def with_json(text: Callable[[dict[str, Any]], str]) -> Make:
    """An entry whose ``submission.json`` is what ``text`` makes of the honest one's content."""

    def make(honest: Path, root: Path) -> None:
        file = _copy(honest, root) / "submission.json"
        file.write_text(text(json.loads(file.read_text())))

    return make


def with_samples(change: Callable[[pa.Table], pa.Table | bytes]) -> Make:
    """An entry whose samples are what ``change`` makes of the honest ones."""

    def make(honest: Path, root: Path) -> None:
        file = _copy(honest, root) / "samples.parquet"
        changed = change(pq.read_table(file))
        if isinstance(changed, bytes):
            file.write_bytes(changed)
        else:
            pq.write_table(changed, file, store_schema=False)

    return make


def _late_duplicate(content: dict[str, Any]) -> str:
    keys = ",".join(f'"k{number}":0' for number in range(330_000))
    return f'{{{keys},"k329999":1}}'


def _many_replicates(size: str, content_sha256: str = "") -> Callable[[dict[str, Any]], str]:
    def text(content: dict[str, Any]) -> str:
        first = content["runs"][0]
        content["runs"] = [
            json.loads(json.dumps(first))
            | {
                "data": first["data"]
                | {"size": size, "seed": seed, "content_sha256": content_sha256 or first["data"]["content_sha256"]}
            }
            for seed in range(MAX_RUNS)
        ]
        for number, run in enumerate(content["runs"]):
            run["training"]["data"] = run["data"]
            run["samples_sha256"] = run["model"]["weights_sha256"] = f"{number:064x}"
        return json.dumps(content)

    return text


def _replicates_with_rows(size: str, rows: int, content_sha256: str = "") -> Make:
    """Twenty runs on datasets of that size and hash, each with so many rows."""

    def write(honest: Path, root: Path) -> None:
        with_json(_many_replicates(size, content_sha256))(honest, root)
        file = root / honest.parent.name / honest.name / "samples.parquet"
        table = pq.read_table(file)
        chosen = table.take(pa.array(np.arange(rows * MAX_RUNS) % rows % table.num_rows))
        for name, values in (("role", ["submission"] * chosen.num_rows), ("replicate", np.arange(len(chosen)) // rows)):
            place = FILE_SCHEMA.get_field_index(name)
            chosen = chosen.set_column(place, FILE_SCHEMA.field(name), pa.array(values, FILE_SCHEMA.field(name).type))
        pq.write_table(chosen, file, store_schema=False)

    return write


def _long_text(table: pa.Table) -> pa.Table:
    rows = table.slice(0, 1).take(pa.array(np.zeros(20_000, dtype=int)))
    text = pa.DictionaryArray.from_arrays(np.zeros(20_000, dtype=np.int32), ["x" * 100_000])
    return rows.set_column(FILE_SCHEMA.get_field_index("item_id"), "item_id", text)


def _long_lists(table: pa.Table) -> pa.Table:
    rows = table.slice(0, 1000)
    place = FILE_SCHEMA.get_field_index("options")
    return rows.set_column(
        place, FILE_SCHEMA.field(place), pa.array([[0.0] * 20_000] * 1000, FILE_SCHEMA.field(place).type)
    )


HOSTILE: dict[str, Make] = {
    "JSON with a late duplicate key": with_json(_late_duplicate),
    "JSON of 5 MiB": with_json(lambda content: " " * 5 * 2**20),
    "JSON nested 100,000 deep": with_json(lambda content: '{"a":' * 100_000),
    "JSON of 300,000 values": with_json(lambda content: json.dumps({"a": [0] * 300_000})),
    "number of a million digits": with_json(lambda content: '{"a":' + "9" * 1_000_000 + "}"),
    "100,000 unknown fields": with_json(lambda c: json.dumps(c | {f"x{n}": 1 for n in range(100_000)})),
    "300,000 confusable letters": with_json(lambda c: json.dumps(c | {f"x{n}": "p\u0430" * 900 for n in range(150)})),
    "a million rows": with_samples(lambda t: t.take(pa.array(np.arange(1_000_000) % t.num_rows))),
    "three million rows": with_samples(lambda t: t.slice(0, 1).take(pa.array(np.zeros(3_000_000, dtype=int)))),
    "text of 100 kB, 20,000 times": with_samples(_long_text),
    "20 million list values": with_samples(_long_lists),
    "65 MiB that are no Parquet": with_samples(lambda t: b"PAR1" + bytes(65 * 2**20)),
    "samples of zeros": with_samples(lambda t: b"PAR1" + bytes(10**6) + b"PAR1"),
    "20 runs on full, no rows": with_json(_many_replicates("full")),
    "20 runs on full, few rows": _replicates_with_rows("full", 1714),
    "20 runs on full, 6,000 rows each": _replicates_with_rows("full", 6000),
    "20 runs on core, 6,000 rows each": _replicates_with_rows("core", 6000),
    "20 runs on core, its hash, wrong rows": lambda honest, root: _replicates_with_rows(
        "core", 6000, make("core", 0).sha256
    )(honest, root),
}
