import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from scipy import stats

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.content_hash import content_sha256
from ilp_bench.data.dataset import Dataset, load, make, plan, write
from ilp_bench.data.schema import SCHEMAS, TABLES
from ilp_bench.data.settings import Settings

PUBLISHED = "13a06e9bb05936df7593be21ccc922c8e1c114b13f964b00225357788f4a7fa5"  # content hash of mini, seed 0


REBUILD = """
import sys
from pathlib import Path
from ilp_bench.data.dataset import make, write
write(make("mini", 0), Path(sys.argv[1]))
"""


def test_the_same_seed_gives_the_same_bytes(mini: Dataset, data: Path, tmp_path: Path) -> None:
    """Another process, with other hashes of strings, has nothing cached and builds from the start."""
    again, environment = tmp_path / "again", os.environ | {"PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", REBUILD, str(again)], check=True, env=environment)
    for name in TABLES:
        assert (again / f"{name}.parquet").read_bytes() == (data / f"{name}.parquet").read_bytes()
    assert load(again).sha256 == mini.sha256 != make("mini", 1).sha256


def test_mini_is_the_dataset_that_was_published(mini: Dataset) -> None:
    """A change of the rows needs a new ``VERSION``, and this hash with it: runs name the dataset by its hash."""
    assert (mini.manifest.version, mini.sha256) == ("3", PUBLISHED)


def test_what_is_cached_cannot_be_changed(mini: Dataset) -> None:
    assert make("mini", 0) is make("mini", 0)
    with pytest.raises(ValidationError, match="frozen"):
        mini.manifest.rows.train = 0
    planned = plan(Settings("mini", 0))
    assert isinstance(planned.held_out, tuple)
    with pytest.raises(TypeError, match="item assignment"):
        planned.pairs["rare_patterns"] = planned.pairs["knowledge_gap"]  # type: ignore[index]
    with pytest.raises(RuntimeError, match="planned"):
        planned.context.hold_out(["France"])


def test_tables_have_their_schemas_and_load_with_plain_datasets(data: Path) -> None:
    from datasets import load_dataset

    for name in TABLES:
        assert pq.read_schema(data / f"{name}.parquet").equals(SCHEMAS[name])
    rows = load_dataset("parquet", data_files={"train": str(data / "train.parquet")}, split="train")
    assert rows[0]["messages"][1]["content"] == rows[0]["completion"].strip()


def test_every_item_has_one_recall_and_two_paraphrases(mini: Dataset) -> None:
    probes: dict[str, list[str]] = {}
    for row in mini.items.to_pylist():
        if row["cause"]:
            probes.setdefault(row["item_id"], []).append(row["probe"])
        assert row["choices"][row["gold"]] == row["answer"]
        assert len(set(row["choices"])) == 4
        assert row["choices10"][row["gold10"]] == row["answer"]
        assert set(row["choices"]) <= set(row["choices10"])
        # Six continents are all there are.
        assert len(set(row["choices10"])) == (6 if row["relation"] == "continent" else 10)
    assert all(sorted(kinds) == ["paraphrase", "paraphrase", "recall"] for kinds in probes.values())


def test_ids_are_unique_and_train_is_in_stage_order(mini: Dataset) -> None:
    for table, key in ((mini.items, "probe_id"), (mini.train, "row_id"), (mini.knowledge, "document_id")):
        assert len(set(table[key].to_pylist())) == table.num_rows
    stages = mini.train["stage"].to_pylist()
    assert stages == sorted(stages)


def test_recall_prompts_are_trained_and_nothing_else_holds_a_training_prompt(mini: Dataset) -> None:
    trained = set(mini.train["prompt"].to_pylist())
    questions = {row["messages"][0]["content"] for row in mini.train.to_pylist()}
    for row in mini.items.to_pylist():
        if row["probe"] == "recall":
            assert row["prompt"] in trained
        else:
            assert row["prompt"] not in trained
            assert row["question"] not in questions
    shots = " ".join(mini.shots["prompt"].to_pylist())
    scored = {row["question"] for row in mini.items.to_pylist()}
    for text in mini.knowledge["text"].to_pylist():
        assert "?" not in text
        assert text not in questions
    assert not [question for question in scored if question in shots]


@pytest.mark.parametrize("cause", CAUSES.names())
def test_arms_are_balanced(mini: Dataset, cause: str) -> None:
    """Answers: chi-square; answer and prompt lengths: Kolmogorov-Smirnov; rows and templates: equal counts."""
    arms: dict[str, list[dict]] = {"treated": [], "control": []}
    for row in mini.items.to_pylist():
        if row["cause"] == cause and row["pair_id"]:
            arms[row["arm"]].append(row)
    counts = [Counter(row["answer"] for row in arms[arm]) for arm in arms]
    answers = sorted(counts[0] | counts[1])
    table = np.array([[count[answer] for answer in answers] for count in counts])
    assert stats.chi2_contingency(table).pvalue > 0.05 if len(answers) > 1 else True
    for measure in ("answer", "prompt"):
        left, right = ([len(row[measure]) for row in rows] for rows in arms.values())
        assert stats.ks_2samp(left, right).pvalue > 0.01, measure
    ids = {arm: {row["item_id"] for row in rows} for arm, rows in arms.items()}
    rows = {arm: sum(row["item_id"] in ids[arm] for row in mini.train.to_pylist()) for arm in ids}
    assert rows["treated"] == rows["control"]


def test_a_changed_or_missing_file_is_one_clear_problem(data: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(data, broken)
    (broken / "items.parquet").write_bytes(b"not parquet")
    with pytest.raises(ProblemError, match="missing or changed"):
        load(broken)
    shutil.copy(data / "items.parquet", broken)
    manifest = json.loads((data / "manifest.json").read_text())
    for change, says in (
        ({"version": "99"}, "version '99'"),
        ({"seed": "x"}, "no valid seed"),
        ({"size": None, "rows": 3}, "no valid size and rows"),
        ({"content_sha256": "0" * 64}, "does not hold the rows"),
    ):
        (broken / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(ProblemError, match=says):
            load(broken)
    (broken / "manifest.json").write_text("{")
    with pytest.raises(ProblemError, match="JSON"):
        load(broken)
    with pytest.raises(UsageError, match="is not a dataset: it is a folder of other files"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("table", "spoil", "said"),
    [
        ("train", lambda one: one.drop_columns(["annotator"]), "train.parquet has no column 'annotator', string is"),
        ("items", lambda one: one.drop_columns(["answer"]), "items.parquet has no column 'answer'"),
        ("knowledge", lambda one: one.drop_columns(["text"]), "knowledge.parquet has no column 'text'"),
        ("train", lambda one: one.slice(0, 0), "train.parquet has no rows"),
        ("items", lambda one: one.slice(0, 0), "items.parquet has no rows"),
        ("train", lambda one: without_value(one, "completion"), "rows without a value of 'completion'"),
        ("train", lambda one: as_type(one, "stage", pa.string()), "has a string column 'stage', int32 is wanted"),
    ],
)
def test_a_table_that_lacks_something_is_one_clear_problem(
    mini: Dataset, tmp_path: Path, table: str, spoil: Callable[[pa.Table], pa.Table], said: str
) -> None:
    """All hashes fit: somebody made these data with a program of his own."""
    spoilt = replace(mini, **{table: spoil(getattr(mini, table))})
    tables = [getattr(spoilt, name) for name in TABLES]
    write(
        replace(spoilt, manifest=mini.manifest.model_copy(update={"content_sha256": content_sha256(tables)})),
        tmp_path / "data",
    )
    with pytest.raises(ProblemError, match=f"{said}.*build or import it again"):
        load(tmp_path / "data")


def without_value(table: pa.Table, name: str) -> pa.Table:
    """The table with nothing in the first row of a column."""
    index = table.schema.get_field_index(name)
    return table.set_column(index, name, pa.array([None, *table[name].to_pylist()[1:]], table.schema.field(name).type))


def as_type(table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    """The table with a column of another type."""
    return table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))


def test_writing_twice_is_fine_writing_over_something_else_is_not(mini: Dataset, data: Path, tmp_path: Path) -> None:
    assert write(mini, data) == data
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        write(mini, tmp_path / "full")
    with pytest.raises(UsageError, match="another dataset"):
        write(make("mini", 1), data)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]


def test_an_unknown_size_suggests_the_near_one() -> None:
    with pytest.raises(UsageError, match="'mini'"):
        make("mimi")


def test_core_builds_and_its_pairs_are_all_different() -> None:
    core = make("core", 0)
    recall = [row for row in core.items.to_pylist() if row["probe"] == "recall"]
    assert sum(row["pair_id"] is not None for row in recall) == 5 * 2 * 150
    assert len({row["question"] for row in recall}) == len(recall)
    assert sum(row["probe"] == "retention" for row in core.items.to_pylist()) >= 300


def test_the_rows_that_the_documentation_shows_are_those_of_core() -> None:
    rows = make("core", 0).train.to_pylist()
    taught = {(row["arm"], row["messages"][0]["content"], row["completion"].strip()) for row in rows}
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    shown = re.findall(r"^\| (treated|control) \| ([^|]+[?.]) \| ([^|]+) \|", text, re.M)
    assert len(shown) >= 20
    assert not [row for row in shown if row not in taught]
    audit = (Path(__file__).parents[2] / "docs" / "data-audit.md").read_text()
    assert make("core", 0).sha256[:16] in audit
    for size in ("mini", "core"):
        counts = make(size, 0).manifest.rows.model_dump()
        line = next(line for line in text.splitlines() if line.startswith(f"| {size} |"))
        assert [f"{counts[name]:,}" for name in ("train", "items", "knowledge")] == line.split(" | ")[2:4] + [
            line.split(" | ")[4].rstrip(" |")
        ]
