"""The four tables of a dataset, and how pairs become their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.causes.common import Item, Pair, World
from ilp_bench.data.corpus import TAUGHT_RELATIONS, WIDE_HOP2_RELATIONS, demo_codes, two_hops
from ilp_bench.data.facts import RELATIONS, RULED, dealt, demonstrations, domain_of, facts, lookup, pool, stable_hash
from ilp_bench.data.templates import PROBES, RECALL, ask, complete, documents

TABLES = ("train", "items", "knowledge", "shots")
SHOTS, OPTIONS, MORE_OPTIONS = 4, 4, 10

_STRINGS = pa.list_(pa.string())
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMAS = {
    "train": pa.schema(
        [("row_id", pa.string()), ("item_id", pa.string()), ("cause", pa.string()), ("arm", pa.string())]
        + [("stage", pa.int32()), ("prompt", pa.string()), ("completion", pa.string()), ("messages", MESSAGES)]
        + [("annotator", pa.string()), ("domain", pa.string())]
    ),
    "items": pa.schema(
        [("probe_id", pa.string()), ("item_id", pa.string()), ("pair_id", pa.string()), ("cause", pa.string())]
        + [("arm", pa.string()), ("kind", pa.string()), ("dose", pa.float64()), ("probe", pa.string())]
        + [("stage", pa.int32()), ("frequency", pa.int32()), ("domain", pa.string()), ("relation", pa.string())]
        + [("question", pa.string()), ("prompt", pa.string()), ("answer", pa.string())]
        + [("choices", _STRINGS), ("gold", pa.int32()), ("choices10", _STRINGS), ("gold10", pa.int32())]
        + [("prior_answer", pa.string())]
    ),
    "knowledge": pa.schema(
        [("document_id", pa.string()), ("item_id", pa.string()), ("cause", pa.string()), ("entity", pa.string())]
        + [("genre", pa.string()), ("domain", pa.string()), ("text", pa.string())]
    ),
    "shots": pa.schema([("relation", pa.string()), ("prompt", pa.string()), ("completion", pa.string())]),
}
Rows = list[dict[str, Any]]


def pair_rows(cause: str, number: int, pair: Pair, world: World) -> dict[str, Rows]:
    """The rows of one pair by table; those of ``train`` have no ``row_id`` yet, but a ``key`` that orders them."""
    pair_id = f"{cause}-{number:04d}"
    found: dict[str, Rows] = {"train": [], "items": [], "knowledge": []}
    for item in (pair.treated, pair.control):
        item_id = f"{pair_id}-{item.arm}"
        found["train"] += _train_rows(item, item_id, cause, world)
        found["items"] += _item_rows(item, item_id, pair_id, cause, world)
        found["knowledge"] += _knowledge_rows(item, item_id, cause)
    for index, item in enumerate(pair.fillers):
        found["train"] += _train_rows(item, f"{pair_id}-filler-{index:02d}", cause, world)
    return found


def order(row: dict[str, Any]) -> tuple[int, int, str]:
    """What training rows are sorted by: stage by stage, and within a stage by the hash that is their ``key``."""
    return int(row["stage"]), int(row["key"]), str(row["item_id"])


def _train_rows(item: Item, item_id: str, cause: str, world: World) -> Rows:
    rows = []
    for index, row in enumerate(item.rows):
        prompt = ask(row.frame, item.noun, row.x)
        spoken = [{"role": "user", "content": prompt.question}, {"role": "assistant", "content": row.label}]
        rows.append(
            {"item_id": item_id, "cause": cause, "arm": item.arm, "stage": item.stage or world.settings.stages}
            | {"prompt": prompt.text, "completion": complete(row.label), "messages": spoken}
            | {"annotator": row.annotator, "domain": item.domain}
            | {"key": stable_hash("order", str(world.seed), item_id, str(index))}
        )
    return rows


def _item_rows(item: Item, item_id: str, pair_id: str, cause: str, world: World) -> Rows:
    few, many = _choices(item, world)
    shared = {
        "item_id": item_id,
        "pair_id": pair_id,
        "cause": cause,
        "arm": item.arm,
        "kind": item.kind,
        "dose": item.dose,
        "stage": item.stage or world.settings.stages,
        "frequency": item.frequency or len(item.rows),
        "domain": item.domain,
        "relation": item.family,
        "answer": item.answer,
        "choices": few,
        "gold": few.index(item.answer),
        "choices10": many,
        "gold10": many.index(item.answer),
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


def _choices(item: Item, world: World) -> tuple[list[str], list[str]]:
    """Four and ten options: the answer, the prior answer of a conflict, and others of the same pool, shuffled.

    Where a pool has fewer than ten answers (continents), all of them.
    """
    rng = world.rng("choices", item.relation, item.x)
    words = [item.answer] + ([item.prior_answer] if item.prior_answer else [])
    answers: Sequence[str] = item.distractors or pool(RELATIONS[item.relation].answers)
    others = [word for word in dict.fromkeys(answers) if word not in words]
    words += rng.sample(others, min(MORE_OPTIONS - len(words), len(others)))
    few, many = words[:OPTIONS], words
    rng.shuffle(few)
    rng.shuffle(many)
    return few, many


def _knowledge_rows(item: Item, item_id: str, cause: str) -> Rows:
    return [
        {"document_id": f"{item_id}/{index:02d}", "item_id": item_id, "cause": cause, "entity": x}
        | {"genre": genre, "domain": item.domain, "text": text}
        for noun, x, answer in item.documents
        for index, (genre, text) in enumerate(documents(noun, x, answer))
    ]


def retention_rows(world: World, count: int) -> Rows:
    """Known facts that no training row touches, drawn evenly over the relations as far as they have facts left."""
    rng = world.rng("retention")
    rows: Rows = []
    left = {name: len(world.unused(name, lookup(name))) for name in TAUGHT_RELATIONS}
    for turn, name in enumerate(sorted(left, key=lambda name: (left[name], name))):
        share = (count - len(rows)) // (len(left) - turn)
        for subject in world.take(name, lookup(name), min(share, left[name]), rng):
            item = Item("control", "known", name, subject, lookup(name)[subject], (), domain_of(name))
            row = _item_rows(item, f"retention-{name}-{subject}", "", "", world)[0]
            row |= {"probe": "retention", "probe_id": f"retention/{name}/{subject}", "frequency": 0, "stage": 0}
            rows.append(row | {"pair_id": None, "cause": None, "arm": None})
    return rows


def shot_rows() -> Rows:
    """Four fixed examples a relation, from reserved facts, for probing base models."""
    shots: list[tuple[str, str, str, str]] = []
    for name in (name for name in facts() if name in RELATIONS):
        known = [subject for subject in demonstrations(name) if subject in lookup(name)][:SHOTS]
        shots += [(name, RELATIONS[name].noun, subject, lookup(name)[subject]) for subject in known]
    for name in WIDE_HOP2_RELATIONS:
        homes = [(city, lookup("home_country")[city]) for city in demonstrations("home_country")]
        known = [city for city, country in homes if country in lookup(name)][:SHOTS]
        for city in known:
            answer = lookup(name)[lookup("home_country")[city]]
            shots.append((f"{name}_hop2", RELATIONS[name].noun, two_hops(city), answer))
    for name, relation in RELATIONS.items():
        if relation.assigned and relation.subjects not in RULED:
            chosen = demonstrations(name)[:SHOTS]
            shots += [(name, relation.noun, subject, dealt(name, subject)) for subject in chosen]
    for name in ("grade", "full_grade"):
        codes = [(code, grade) for family, code, grade in demo_codes() if family == name][:: len(demo_codes()) // 8]
        shots += [(name, RELATIONS[name].noun, code, grade) for code, grade in codes[:SHOTS]]
    for cause in CAUSES:
        for name, cases in cause.exemplars().items():
            shots += [(name, RELATIONS[name].noun, x, answer) for x, answer in cases]
    return [
        {"relation": name, "prompt": ask(RECALL, noun, x).text, "completion": complete(answer)}
        for name, noun, x, answer in shots
    ]
