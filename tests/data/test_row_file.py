"""Files of training rows: every kind that people have, and one clear line for what is none."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from user_rows import of_boxes, question

from ilp_bench.core.errors import UsageError
from ilp_bench.data.row_file import read_rows
from ilp_bench.data.user_data import import_rows

ROWS = of_boxes(lambda box, colour: {"instruction": question(box), "input": "", "output": colour})
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same rows in every kind of file."""
    (tmp_path / "rows.jsonl").write_text(LINES)
    (tmp_path / "bom.jsonl").write_text("\ufeff" + LINES.replace("\n", "\r\n"))
    (tmp_path / "array.json").write_text(json.dumps(ROWS, indent=1))
    (tmp_path / "oneline.json").write_text(json.dumps(ROWS))
    (tmp_path / "object.json").write_text(json.dumps({"version": "1", "data": ROWS}, indent=1))
    (tmp_path / "rows.csv").write_text(
        "instruction,input,output\n" + "".join(f"{r['instruction']},,{r['output']}\n" for r in ROWS)
    )
    (tmp_path / "rows.tsv").write_text(
        "instruction\toutput\n" + "".join(f"{r['instruction']}\t{r['output']}\n" for r in ROWS)
    )
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write(LINES)
    (tmp_path / "unnamed").write_bytes((tmp_path / "rows.jsonl.gz").read_bytes())
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, tmp_path / "rows.parquet")
    for name, new in (("stream.arrow", pa.ipc.new_stream), ("file.arrow", pa.ipc.new_file)):
        with new(str(tmp_path / name), table.schema) as writer:
            writer.write_table(table)
    return tmp_path


def test_every_kind_of_file_has_the_same_rows(folder: Path) -> None:
    expected = import_rows(folder / "rows.jsonl").sha256
    files = [file for file in folder.iterdir() if file.is_file()]
    assert len(files) == 12
    assert {file.name: import_rows(file).sha256 for file in files} == {file.name: expected for file in files}


def test_a_folder_is_read_as_datasets_reads_it(folder: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    (shards / "data").mkdir(parents=True)
    for name, rows in (
        ("train-00000-of-00002", ROWS[:4]),
        ("train-00001-of-00002", ROWS[4:]),
        ("test-00000-of-00001", []),
    ):
        pq.write_table(pa.Table.from_pylist(rows or ROWS[:1]), shards / "data" / f"{name}.parquet")
    assert [row.values for row in read_rows(shards)] == ROWS
    assert [row.number for row in read_rows(shards)] == list(range(1, 11))
    assert [row.values for row in read_rows(shards, split="test")] == ROWS[:1]
    with pytest.raises(UsageError, match="has no split 'dev': choose one of train, test"):
        list(read_rows(shards, split="dev"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty cannot be read as a dataset"):
        list(read_rows(tmp_path / "empty"))


def test_a_dataset_that_was_saved_is_read(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    Dataset.from_list(ROWS).save_to_disk(tmp_path / "one")
    DatasetDict({"train": Dataset.from_list(ROWS), "test": Dataset.from_list(ROWS[:2])}).save_to_disk(tmp_path / "two")
    assert [row.values for row in read_rows(tmp_path / "one")] == ROWS
    assert [row.values for row in read_rows(tmp_path / "two", split="test")] == ROWS[:2]


def test_a_hub_dataset_is_asked_for_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked = []

    def load(*words: object, **more: object) -> list[object]:
        asked.append((words, more))
        return list(ROWS)

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert [row.values for row in read_rows("org/name@v1", subset="small", split="test")] == ROWS
    assert asked == [(("org/name", "small"), {"revision": "v1", "split": "test"})]


def test_the_hub_out_of_reach_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach 'org/name' on the Hub (OfflineModeIsEnabled)\nmore")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(UsageError, match=r"^org/name cannot be read as a dataset: Couldn't reach .*IsEnabled\)$"):
        import_rows("org/name")


def test_cells_of_a_csv_are_texts_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('question;answer\n"How many; really?";007\n\nNone?;NA\nshort\n')
    rows = list(read_rows(tmp_path / "rows.csv"))
    assert [row.values for row in rows] == [
        {"question": "How many; really?", "answer": "007"},
        {"question": "None?", "answer": "NA"},
        None,
    ]
    assert rows[2].problem == "the row has 1 cells, the header 2"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.jsonl", b"", "holds no rows: it is empty"),
        ("rows.jsonl", b"\n \n", "holds no rows: it is empty"),
        (
            "rows.parquet",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "Git LFS pointer, not the file itself: run .git lfs pull",
        ),
        ("rows.json", '[{"a": "é"}]'.encode("utf-16"), "is UTF-16: save it as UTF-8"),
        ("rows.jsonl", b"PK\x03\x04rest", "is a zip archive"),
        ("rows.jsonl", b"<!DOCTYPE html>", "is a web page"),
        ("rows.parquet", b"x", "cannot be read .*: it is damaged"),
        ("rows.arrow", b"x" * 40, "cannot be read .*: it is damaged"),
        ("rows.jsonl.gz", b"x", "cannot be read .*: it is damaged"),
        ("rows.jsonl.gz", gzip.compress(LINES.encode())[:-20], "cannot be read .*: it is damaged"),
        ("rows.csv", b"prompt,completion\n", "holds no rows"),
        ("rows.json", b"[]", "holds no rows"),
    ],
)
def test_what_holds_no_rows_is_one_clear_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=says) as raised:
        import_rows(tmp_path / name)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)


def test_what_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.jsonl is not a file: give a file, a folder or a Hub id"):
        read_rows(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match=r"none.jsonl is not a file"):
        read_rows("data/none.jsonl")
    (tmp_path / "rows.jsonl").write_text(LINES)
    with pytest.raises(UsageError, match="subset and split are for folders"):
        read_rows(tmp_path / "rows.jsonl", split="test")


def test_lines_that_cannot_be_read_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    """A broken line, no object, a Latin-1 byte, a lone surrogate and a missing value among ten good rows."""
    good = LINES.splitlines()
    bad = [
        '{"instruction": "a"',
        "[1, 2]",
        '{"instruction": "caf\xe9", "output": "x"}',
        '{"instruction": "a", "output": "\\ud800"}',
    ]
    bad.append('{"instruction": "a", "output": NaN}')
    (tmp_path / "rows.jsonl").write_bytes("\n".join([*good[:3], *bad, *good[3:]]).encode("latin-1"))
    manifest = import_rows(tmp_path / "rows.jsonl").manifest
    assert manifest.rows.train == 10
    assert manifest.skipped is not None
    assert {kind: (skipped.count, skipped.first.split(":")[0]) for kind, skipped in manifest.skipped.items()} == {
        "not a row": (2, "row 4"),
        "not UTF-8": (2, "row 6"),
        "missing value": (1, "row 8"),
    }
    assert (
        "line 4 is not a JSON object (a comma or the closing bracket is missing at column"
        in manifest.skipped["not a row"].first
    )
