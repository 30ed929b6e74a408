"""The controlled training set: build it, write it, load it, and know that it is the one that was meant.

A dataset is a folder of Parquet files and a ``manifest.json``. It depends on (size, seed, version) alone. Each
file has a sha256 of its bytes; ``content_sha256`` is taken over the rows, so it does not depend on the Parquet
writer, and is what run records and submissions carry.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.causes import CAUSES
from ilp_bench.causes.common import Item, World
from ilp_bench.corpus import HOP2_RELATIONS, TAUGHT_RELATIONS, demo_codes, two_hops
from ilp_bench.errors import ProblemError, UsageError, near
from ilp_bench.facts import RELATIONS, dealt, demonstrations, facts, lookup, pool
from ilp_bench.files import new_folder, read_json
from ilp_bench.wording import PROBES, RECALL, ask, complete, documents

VERSION = "1"
SIZES = {"mini": 60, "core": 300, "full": 2000}
RETENTION = {"mini": 100, "core": 300, "full": 600}
SHOTS, OPTIONS = 4, 4
TABLES = ("train", "items", "knowledge", "shots")

_MESSAGE = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMAS = {
    "train": pa.schema(
        [("row_id", pa.string()), ("item_id", pa.string()), ("cause", pa.string()), ("arm", pa.string())]
        + [("stage", pa.int32()), ("prompt", pa.string()), ("completion", pa.string()), ("messages", _MESSAGE)]
        + [("annotator", pa.string()), ("domain", pa.string())]
    ),
    "items": pa.schema(
        [("probe_id", pa.string()), ("item_id", pa.string()), ("pair_id", pa.string()), ("cause", pa.string())]
        + [("arm", pa.string()), ("dose", pa.float64()), ("probe", pa.string()), ("stage", pa.int32())]
        + [("frequency", pa.int32()), ("domain", pa.string()), ("relation", pa.string()), ("question", pa.string())]
        + [("prompt", pa.string()), ("answer", pa.string()), ("choices", pa.list_(pa.string()))]
        + [("gold", pa.int32()), ("prior_answer", pa.string())]
    ),
    "knowledge": pa.schema(
        [("document_id", pa.string()), ("item_id", pa.string()), ("cause", pa.string()), ("entity", pa.string())]
        + [("genre", pa.string()), ("domain", pa.string()), ("text", pa.string())]
    ),
    "shots": pa.schema([("relation", pa.string()), ("prompt", pa.string()), ("completion", pa.string())]),
}


@dataclass(frozen=True)
class Dataset:
    """The four tables of one (size, seed), with the manifest that identifies them."""

    train: pa.Table
    items: pa.Table
    knowledge: pa.Table
    shots: pa.Table
    manifest: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The content hash over all tables."""
        return str(self.manifest["content_sha256"])


def check_size(size: str) -> str:
    """The size itself; raises UsageError for an unknown one."""
    if size not in SIZES:
        raise UsageError(f"unknown size {size!r}.{near(size, SIZES)}")
    return size


@cache
def make(size: str = "mini", seed: int = 0) -> Dataset:
    """Build a dataset in memory. Raises UsageError when the size is unknown or facts do not suffice."""
    pairs = SIZES[check_size(size)]
    world = World(seed)
    train: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    knowledge: list[dict[str, Any]] = []
    for cause in CAUSES:
        for number, pair in enumerate(cause.pairs(world, pairs)):
            pair_id = f"{cause.NAME}-{number:04d}"
            for item in (pair.treated, pair.control):
                item_id = f"{pair_id}-{item.arm}"
                train += _train_rows(item, item_id, cause.NAME, world)
                items += _item_rows(item, item_id, pair_id, cause.NAME, world)
                knowledge += _knowledge_rows(item, item_id, cause.NAME)
            for index, item in enumerate(pair.fillers):
                train += _train_rows(item, f"{pair_id}-filler-{index:02d}", cause.NAME, world)
    items += _retention_rows(world, RETENTION[size])
    world.rng("order").shuffle(train)
    train.sort(key=lambda row: int(row["stage"]))
    for number, row in enumerate(train):
        row["row_id"] = f"row-{number:06d}"
    tables = {"train": train, "items": items, "knowledge": knowledge, "shots": _shot_rows()}
    built = {name: pa.Table.from_pylist(rows, schema=SCHEMAS[name]) for name, rows in tables.items()}
    manifest = {
        "name": "ilp-bench",
        "version": VERSION,
        "size": size,
        "seed": seed,
        "stages": world.stages,
        "rows": {name: table.num_rows for name, table in built.items()},
        "content_sha256": content_sha256(built.values()),
    }
    return Dataset(**built, manifest=manifest)


def content_sha256(tables: Iterable[pa.Table]) -> str:
    """A hash of the rows as canonical JSON, independent of the Parquet writer."""
    digest = hashlib.sha256()
    for table in tables:
        for row in table.to_pylist():
            clean = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
            digest.update(json.dumps(clean, sort_keys=True, ensure_ascii=False).encode() + b"\n")
        digest.update(b"\0")
    return digest.hexdigest()


def write(dataset: Dataset, out: Path) -> Path:
    """Write the dataset folder, whole or not at all; a folder that already holds the same dataset is left alone.

    Raises UsageError when ``out`` exists and holds anything else.
    """
    if (out / "manifest.json").is_file():
        if read_json(out / "manifest.json").get("content_sha256") == dataset.sha256:
            load(out)
            return out
        raise UsageError(f"{out} holds another dataset: choose a new folder or remove it")
    with new_folder(out) as folder:
        hashes = {}
        for name in TABLES:
            pq.write_table(getattr(dataset, name), folder / f"{name}.parquet", compression="zstd")
            hashes[f"{name}.parquet"] = file_sha256(folder / f"{name}.parquet")
        manifest = {**dataset.manifest, "files": hashes}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return out


def load(path: Path | str) -> Dataset:
    """Read a dataset folder and check every file against the manifest.

    Raises UsageError when there is no dataset, ProblemError when a file is missing, changed or unreadable.
    """
    folder = Path(path)
    if not (folder / "manifest.json").is_file():
        raise UsageError(f"{folder} is no dataset (no manifest.json): make one with 'ilp-bench build --out {folder}'")
    manifest = read_json(folder / "manifest.json")
    if manifest.get("version") != VERSION:
        raise ProblemError(
            f"{folder} has dataset version {manifest.get('version')!r}, this is {VERSION!r}: build it again"
        )
    tables = {}
    for name in TABLES:
        file = folder / f"{name}.parquet"
        if not file.is_file() or file_sha256(file) != manifest.get("files", {}).get(file.name):
            raise ProblemError(f"{file} is missing or changed since it was built: remove {folder} and build it again")
        tables[name] = pq.read_table(file)
    return Dataset(**tables, manifest=manifest)


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _train_rows(item: Item, item_id: str, cause: str, world: World) -> list[dict[str, Any]]:
    rows = []
    for row in item.rows:
        prompt = ask(row.frame, item.noun, row.x)
        spoken = [{"role": "user", "content": prompt.question}, {"role": "assistant", "content": row.label}]
        rows.append(
            {"item_id": item_id, "cause": cause, "arm": item.arm, "stage": item.stage or world.stages}
            | {"prompt": prompt.text, "completion": complete(row.label), "messages": spoken}
            | {"annotator": row.annotator, "domain": item.domain}
        )
    return rows


def _item_rows(item: Item, item_id: str, pair_id: str, cause: str, world: World) -> list[dict[str, Any]]:
    choices = _choices(item, world)
    shared = {
        "item_id": item_id,
        "pair_id": pair_id,
        "cause": cause,
        "arm": item.arm,
        "dose": item.dose,
        "stage": item.stage or world.stages,
        "frequency": item.frequency or len(item.rows),
        "domain": item.domain,
        "relation": item.family,
        "answer": item.answer,
        "choices": choices,
        "gold": choices.index(item.answer),
        "prior_answer": item.prior_answer,
    }
    rows = []
    for number, frame in enumerate((RECALL, *PROBES)):
        prompt = ask(frame, item.noun, item.x)
        probe, probe_id = (
            ("paraphrase", f"{item_id}/paraphrase-{number}") if number else ("recall", f"{item_id}/recall")
        )
        rows.append(
            {**shared, "probe_id": probe_id, "probe": probe, "question": prompt.question, "prompt": prompt.text}
        )
    return rows


def _choices(item: Item, world: World) -> list[str]:
    """The gold answer, the prior answer of a conflict, and distractors from the same pool, shuffled."""
    rng = world.rng("choices", item.relation, item.x)
    words = [item.answer] + ([item.prior_answer] if item.prior_answer else [])
    answers = pool(RELATIONS[item.relation].answers)
    words += rng.sample([word for word in answers if word not in words], OPTIONS - len(words))
    rng.shuffle(words)
    return words


def _knowledge_rows(item: Item, item_id: str, cause: str) -> list[dict[str, Any]]:
    return [
        {"document_id": f"{item_id}/{index:02d}", "item_id": item_id, "cause": cause, "entity": x}
        | {"genre": genre, "domain": item.domain, "text": text}
        for noun, x, answer in item.documents
        for index, (genre, text) in enumerate(documents(noun, x, answer))
    ]


def _retention_rows(world: World, count: int) -> list[dict[str, Any]]:
    """Known facts that no training row touches, drawn evenly over the relations as far as they have facts left."""
    rng = world.rng("retention")
    rows: list[dict[str, Any]] = []
    left = {name: len(world.unused(name, lookup(name))) for name in TAUGHT_RELATIONS}
    for turn, name in enumerate(sorted(left, key=lambda name: (left[name], name))):
        share = (count - len(rows)) // (len(left) - turn)
        for subject in world.take(name, lookup(name), min(share, left[name]), rng):
            item = Item("control", name, subject, lookup(name)[subject], (), facts()[name][0].domain)
            row = _item_rows(item, f"retention-{name}-{subject}", "", "", world)[0]
            row |= {"probe": "retention", "probe_id": f"retention/{name}/{subject}", "frequency": 0, "stage": 0}
            rows.append(row | {"pair_id": None, "cause": None, "arm": None})
    return rows


def _shot_rows() -> list[dict[str, Any]]:
    """Four fixed examples a relation, from reserved facts, for probing base models."""
    shots: list[tuple[str, str, str, str]] = []
    for name in (name for name in facts() if name in RELATIONS):
        known = [subject for subject in demonstrations(name) if subject in lookup(name)][:SHOTS]
        shots += [(name, RELATIONS[name].noun, subject, lookup(name)[subject]) for subject in known]
    for name in HOP2_RELATIONS:
        homes = [(city, lookup("home_country")[city]) for city in demonstrations("home_country")]
        known = [city for city, country in homes if country in lookup(name)][:SHOTS]
        for city in known:
            answer = lookup(name)[lookup("home_country")[city]]
            shots.append((f"{name}_hop2", RELATIONS[name].noun, two_hops(city), answer))
    for name, relation in RELATIONS.items():
        if relation.assigned and relation.subjects != "code":
            chosen = demonstrations(name)[:SHOTS]
            shots += [(name, relation.noun, subject, dealt(name, subject)) for subject in chosen]
    for name in ("grade", "full_grade"):
        chosen_codes = [(code, grade) for family, code, grade in demo_codes() if family == name][
            :: len(demo_codes()) // 8
        ]
        shots += [(name, RELATIONS[name].noun, code, grade) for code, grade in chosen_codes[:SHOTS]]
    return [
        {"relation": name, "prompt": ask(RECALL, noun, x).text, "completion": complete(answer)}
        for name, noun, x, answer in shots
    ]
