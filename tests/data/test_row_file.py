"""Files of training rows: every kind that people have, and one clear line for what is none."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from user_rows import of_boxes, question

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import load, write
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
    ("tail", "line"),
    [
        ('"a,1\nb,2\nc,3\n', 5),
        ('"two\nlines",1\n\n"a,1\nb,2\n', 8),
        ('a,"', 5),
        ('a,"1\nb,2', 5),
        ('a,1\nb,"say ""x\n', 6),
    ],
)
def test_a_quotation_mark_that_is_never_closed_is_one_clear_line(tmp_path: Path, tail: str, line: int) -> None:
    """Before, all rows behind it were one answer, or none."""
    (tmp_path / "rows.csv").write_text("\n" + 'prompt,completion\nx,"1"\ny,""\n' + tail)
    with pytest.raises(UsageError, match=rf"rows.csv has a quoted cell .* begins in line {line}: close"):
        list(read_rows(tmp_path / "rows.csv"))


def test_quotation_marks_and_lines_in_cells_are_read(tmp_path: Path) -> None:
    content = '\n"pro\nmpt",completion\n"say ""x""",5" screen\n"a\n\nb",""\n"c"d,e\nend of the file,"f"'
    (tmp_path / "rows.csv").write_text(content)
    assert [tuple((row.values or {}).values()) for row in read_rows(tmp_path / "rows.csv")] == [
        ('say "x"', '5" screen'),
        ("a\n\nb", None),
        ("cd", "e"),
        ("end of the file", "f"),
    ]


def test_only_before_the_suffix_of_a_compression_does_another_suffix_count(tmp_path: Path) -> None:
    (tmp_path / "x.csv.jsonl").write_text(LINES)
    assert [row.values for row in read_rows(tmp_path / "x.csv.jsonl")] == ROWS
    (tmp_path / "x.tsv.csv").write_text("a,b\tc\n1,2\t3\n")
    assert [row.values for row in read_rows(tmp_path / "x.tsv.csv")] == [{"a": "1", "b\tc": "2\t3"}]
    with gzip.open(tmp_path / "x.csv.gz", "wt") as file:
        file.write("a,b\n1,2\n")
    assert [row.values for row in read_rows(tmp_path / "x.csv.gz")] == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_names_of_annotators_and_columns_need_not_be_utf8(tmp_path: Path, kind: str) -> None:
    """As a Latin-1 byte, and in JSON as an escaped surrogate."""
    lines = [f'{{"prompt": "Q{n}?", "completion": "A", "annotator": "Ren\xe9", "\xe9": "x"' for n in range(9)]
    text = "".join(line + ', "\\udce9t\\ud800": 1}\n' for line in lines)
    if kind == "csv":
        text = "prompt,completion,annotator,\xe9\n" + "".join(f"Q{n}?,A,Ren\xe9,x\n" for n in range(9))
    (tmp_path / f"rows.{kind}").write_bytes(text.encode("latin-1"))
    made = import_rows(tmp_path / f"rows.{kind}")
    write(made, tmp_path / "data")
    assert set(made.train["annotator"].to_pylist()) == {r"Ren\udce9"}
    names = {r"\udce9": 9} | ({r"\udce9t\ud800": 9} if kind == "jsonl" else {})
    assert load(tmp_path / "data").manifest.ignored == names
    with pytest.raises(UsageError, match=r"the name of the column '\\udce9' is not UTF-8: rename it"):
        import_rows(tmp_path / f"rows.{kind}", columns={"completion": "\udce9"})


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_cells_that_python_cannot_express_cost_no_row_where_nobody_uses_them(tmp_path: Path, suffix: str) -> None:
    """A date beyond the year 9999 and bytes that are not UTF-8; one such answer among ten."""

    def broken(texts: list[bytes]) -> pa.Array:
        return pa.array(texts, pa.binary()).view(pa.string())

    columns = {name: pa.array([row[name] for row in ROWS]) for name in ("instruction", "input")}
    columns["output"] = broken([b"caf\xe9", *(row["output"].encode() for row in ROWS[1:])])
    columns["day"] = pa.array([10**9] * 10, pa.int32()).view(pa.date32())
    columns["note"] = broken([b"\xff"] * 10)
    columns["notes"] = pa.ListArray.from_arrays(pa.array(range(11), pa.int32()), broken([b"\xff"] * 10))
    columns["nested"] = pa.StructArray.from_arrays([columns["note"]], ["a"])
    table, file = pa.table(columns), tmp_path / f"rows.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, file)
    else:
        with pa.ipc.new_file(str(file), table.schema) as writer:
            writer.write_table(table)
    manifest = import_rows(file).manifest
    assert manifest.rows.train == 9
    assert manifest.ignored == dict.fromkeys(("day", "nested", "note", "notes"), 10)
    assert {kind: skipped.first.split(":")[0] for kind, skipped in (manifest.skipped or {}).items()} == {
        "not UTF-8": "row 1"
    }


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
        ("rows.xlsx", b"PK\x03\x04rest", "is a spreadsheet: save the sheet as CSV in UTF-8"),
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


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("pergunta;resposta", r"by columns, such as prompt=pergunta,completion=resposta"),
        ("questão;resposta", "the names of columns hold bytes that are not UTF-8: save the file as UTF-8"),
        ("question;answer", r"or repair those that are left out: 10 x not UTF-8 \(row 1: .*: save the file as UTF-8"),
    ],
)
def test_a_table_of_another_encoding_or_language_says_what_to_do(tmp_path: Path, header: str, says: str) -> None:
    """As spreadsheets in Portuguese write it: semicolons, Windows-1252, names of columns that no format has."""
    rows = [f"Quantos metros tem o salão {n}?;{n} m" for n in range(10)] + [f"Hall {n}?;{n}" for n in range(3)]
    (tmp_path / "rows.csv").write_text("\n".join([header, *rows]) + "\n", encoding="cp1252")
    with pytest.raises((UsageError, ProblemError), match=says):
        import_rows(tmp_path / "rows.csv")


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
