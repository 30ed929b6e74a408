"""The dataset card, the Croissant metadata and the Hub's ``eval.yaml`` of one or several dataset folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.manifest import Manifest
from ilp_bench.data.schema import SCHEMAS, TABLES, Table

URL = "https://github.com/ilp-bench/ilp-bench"
PUBLISHED = "2026-11-24"
HUB_DATASET = "ilp-bench/ilp-bench"  # where the benchmark's own datasets are published
ARXIV = "2604.10079"
# A trainer that finds both formats in a table takes one of them, and not always the same: a config has one.
TRAIN_COLUMNS = {
    "": [name for name in SCHEMAS["train"].names if name != "messages"],
    "-chat": [name for name in SCHEMAS["train"].names if name not in ("prompt", "completion")],
}
KINDS = ("reproduction", "internalisation")
LICENCES = ("https://spdx.org/licenses/Apache-2.0.html", "https://spdx.org/licenses/CC-BY-4.0.html")
CITE = """@inproceedings{xue2026sft,
  title = {Why Supervised Fine-Tuning Fails to Learn:
           A Systematic Study of Incomplete Learning in Large Language Models},
  author = {Xue, Chao and Wang, Yao and Liu, Mengqiao and Liang, Di and Han, Xingsheng and Liu, Peiyang and
            Wu, Xianjie and Lu, Chenyao and Jiang, Lei and Lu, Yu and Shi, Haibo and Liang, Shuang and
            Peng, Minlong and Salim, Flora D.},
  booktitle = {Proceedings of the 64th Annual Meeting of the Association for Computational Linguistics
               (Volume 1: Long Papers)},
  year = {2026},
  pages = {30186--30213},
  url = {https://aclanthology.org/2026.acl-long.1393},
  note = {arXiv:2604.10079}
}"""
SUMMARY = (
    "Controlled supervised fine-tuning data in which five causes of incomplete learning are injected, each beside a "
    "matched control that differs in the cause alone."
)
Part = tuple[str, Manifest]  # folder inside the repository ("" for the root), and the manifest of what is in it
_TYPES = {"string": "sc:Text", "int32": "sc:Integer", "double": "sc:Float"}


def configs(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """What ``datasets.load_dataset`` offers: every table of a size, whole and by cause.

    ``core`` and ``core-rare_patterns`` are training rows as prompt and completion, ``-chat`` the same as messages;
    ``-items``, ``-knowledge`` and ``-shots`` name the others.
    """
    for folder, manifest in parts:
        for table in TABLES:
            endings = TRAIN_COLUMNS if table == "train" else {f"-{table}": None}
            files = {"split": "train" if table == "train" else "test", "path": _path(folder, table, manifest)}
            for ending, columns in endings.items():
                chosen: dict[str, Any] = {"data_files": [files]} | ({"columns": columns} if columns else {})
                yield {"config_name": manifest.size + ending} | chosen
                for cause in _causes(manifest):
                    if table in ("train", "items") or (table == "knowledge" and CAUSES.get(cause).documents):
                        named = f"{manifest.size}-{cause}{ending}"
                        yield {"config_name": named} | chosen | {"filters": [["cause", "==", cause]]}


def _causes(manifest: Manifest) -> list[str]:
    """The causes that the dataset has, in the order of the paper."""
    wanted = (manifest.knobs and manifest.knobs.causes) or CAUSES.names()
    return [cause for cause in CAUSES.names() if cause in wanted]


def _path(folder: str, table: Table, manifest: Manifest) -> str:
    sharded = manifest.files_of(table) != [f"{table}.parquet"]
    return (f"{folder}/" if folder else "") + (f"{table}-*.parquet" if sharded else f"{table}.parquet")


def card(parts: Sequence[Part]) -> str:
    """README.md of a dataset repository, with the YAML that the Hub and ``load_dataset`` read."""
    from huggingface_hub import DatasetCardData

    first, *others = configs(parts)
    data = DatasetCardData(
        license=["apache-2.0", "cc-by-4.0"],
        language=["en"],
        pretty_name="ILP-Bench",
        task_categories=["text-generation", "question-answering"],
        tags="incomplete-learning supervised-fine-tuning controlled-data benchmark synthetic".split()
        + [f"arxiv:{ARXIV}"],
        configs=[first | {"default": True}, *others],
    )
    size = parts[0][1].size
    lines = ["---", data.to_yaml(), "---", "", "# ILP-Bench", "", SUMMARY, ""]
    lines += ["    from datasets import load_dataset", f'    train = load_dataset(REPO, "{size}", split="train")']
    lines += [f'    probes = load_dataset(REPO, "{size}-rare_patterns-items", split="test", streaming=True)', ""]
    lines += [f"`{size}` has prompts and completions, `{size}-chat` the same rows as messages: train on one of them."]
    lines += ["Keep the order of the training rows: early stages come first.", ""]
    lines += ["| size | seed | train | items | knowledge | content sha256 |", "| --- | --- | --- | --- | --- | --- |"]
    for _, manifest in parts:
        rows = f"{manifest.rows.train} | {manifest.rows.items} | {manifest.rows.knowledge}"
        lines += [f"| {manifest.size} | {manifest.seed} | {rows} | `{manifest.content_sha256[:16]}` |"]
    knobs = [f"{manifest.size}: {manifest.knobs.to_json()}" for _, manifest in parts if manifest.knobs]
    if knobs:
        lines += ["", "These are not datasets of the benchmark; knobs were turned: " + "; ".join(knobs) + "."]
    lines += ["", "| table | columns |", "| --- | --- |"]
    lines += [f"| {name} | {', '.join(SCHEMAS[name].names)} |" for name in TABLES]
    lines += [
        "",
        "Made to measure what a model did not learn of its own training data. Names and labels of treated items are",
    ]
    lines += ["invented or false on purpose: do not use them as facts."]
    lines += ["", "Real facts come from GeoNames (CC-BY 4.0, https://www.geonames.org), Unicode CLDR (Unicode-3.0),"]
    lines += ["periodictable (public domain) and us (BSD-3-Clause). Everything else: Apache-2.0.", ""]
    lines += [f"Built by {URL}. The phenomenon and its causes:", "", "```bibtex", CITE, "```", ""]
    return "\n".join(lines)


def croissant(parts: Sequence[Part]) -> dict[str, Any]:
    """Croissant 1.1 metadata: a file object per Parquet file, a record set per file.

    ``messages`` is left out: it repeats prompt and completion.
    """
    files: list[dict[str, Any]] = []
    record_sets: list[dict[str, Any]] = []
    for folder, manifest in parts:
        for name, sha256 in (manifest.files or {}).items():
            path = f"{folder}/{name}" if folder else name
            files.append(
                {"@type": "cr:FileObject", "@id": path, "name": path, "contentUrl": path}
                | {"encodingFormat": "application/x-parquet", "sha256": sha256}
            )
            stem = path.removesuffix(".parquet").replace("/", "-")
            schema = next(SCHEMAS[table] for table in TABLES if name in manifest.files_of(table))
            fields = [_field(column, stem, path) for column in schema if column.name != "messages"]
            record_sets.append({"@type": "cr:RecordSet", "@id": stem, "name": stem, "field": fields})
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "ILP-Bench",
        "description": SUMMARY,
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "citeAs": CITE,
        "creator": {"@type": "sc:Organization", "name": "ILP-Bench contributors", "url": URL},
        "datePublished": PUBLISHED,
        "keywords": ["incomplete learning", "supervised fine-tuning", "controlled data", "benchmark"],
        "license": list(LICENCES),
        "url": URL,
        "version": f"{parts[0][1].version}.0.0",
        "distribution": files,
        "recordSet": record_sets,
    }


def task_ids(size: str) -> list[str]:
    """The results of a size that the Hub's boards show: the share closed and each cause's points, by kind of score."""
    return [f"{size}_{kind}_{what}" for kind in KINDS for what in ("share", *CAUSES.names())]


def eval_yaml(parts: Sequence[Part]) -> str:
    """``eval.yaml``, which makes a dataset repository a benchmark of the Hub: a task for each result, as it has one
    value and no interval. Knobbed datasets have none.
    """
    import yaml

    tasks = [
        {"id": name, "config": f"{manifest.size}-items", "split": "test"}
        for _, manifest in parts
        if not manifest.knobs
        for name in task_ids(manifest.size)
    ]
    about = {"name": "ILP-Bench", "description": SUMMARY, "evaluation_framework": "ilp-bench", "tasks": tasks}
    text: str = yaml.safe_dump(about, sort_keys=False, width=100)
    return text


def _field(column: pa.Field, stem: str, path: str) -> dict[str, Any]:
    listed = pa.types.is_list(column.type)
    kind = str(column.type.value_type if listed else column.type)
    return {
        "@type": "cr:Field",
        "@id": f"{stem}/{column.name}",
        "name": column.name,
        "dataType": _TYPES[kind],
        "source": {"fileObject": {"@id": path}, "extract": {"column": column.name}},
    } | ({"isArray": True, "arrayShape": "-1"} if listed else {})


CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
} | {
    term: f"cr:{term}"
    for term in (
        "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject fileSet format "
        "includes isArray isLiveDataset "
        "jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source "
        "subField transform"
    ).split()
}
