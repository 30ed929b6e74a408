"""Each defence against what a stranger may put into a submission."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forging import Forgery, honest_entry

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import MAX_JSON, parse_json, read_strict_json
from ilp_bench.core.untrusted import csv_text, markdown_text, printable, skeleton, text_problems, value_problems
from ilp_bench.leaderboard.site import render
from ilp_bench.models.resolve import locate
from ilp_bench.submission import sample_store as reading
from ilp_bench.submission.comparison import comparison
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.format import Meta, parse_submission
from ilp_bench.submission.sample_store import FILE_SCHEMA, read_samples
from ilp_bench.submission.validate import check, validate

SCRIPT = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest_entry(tmp_path_factory.mktemp("honest") / "submissions")


@pytest.fixture
def forged(honest: Path, tmp_path: Path) -> Forgery:
    return Forgery(honest, tmp_path / "submissions")


def test_an_honest_entry_is_whole(honest: Path) -> None:
    assert validate(honest) == []


# --- text


def test_markup_in_every_text_field_stays_text(forged: Forgery, tmp_path: Path) -> None:
    forged.content["meta"] |= {"description": SCRIPT, "contact": SCRIPT, "data": SCRIPT}
    record = forged.content["runs"][0]
    record["hardware"] = record["training"]["general"] = SCRIPT
    record["training"]["note"] = {SCRIPT: SCRIPT}
    folder = forged.save()
    assert validate(folder) == []
    render(forged.root, tmp_path / "site")
    for page in (tmp_path / "site").rglob("*.html"):
        assert "<script>alert" not in page.read_text(), page
        assert "<img src=x" not in page.read_text(), page
    assert "<" not in comparison([check(folder)], [folder])


NAMES: tuple[tuple[str | int, ...], ...] = (
    ("dtype",), ("device",), ("ilp_bench",), ("versions", "torch"), ("model", "name"), ("model", "revision"),
    ("model", "architecture"), ("training", "recipe"), ("training", "base", "name"), ("training", "phases", 0, "name"),
    ("training", "budget", "source"), ("training", "data", "size"),
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ".".join(map(str, name)))
@pytest.mark.parametrize(
    "text", [SCRIPT, "a\nb", "x" * 2000, "$(id)", "", 7], ids=["tag", "lines", "long", "$", "", "7"]
)
def test_names_are_short_and_on_one_line(name: tuple[str | int, ...], text: object, honest: Path) -> None:
    """What a page, a table or a command shows is refused unless it is a plain name, and never taken for missing."""
    content = json.loads((honest / "submission.json").read_text())
    at = content["runs"][0]
    for key in name[:-1]:
        at = at[key]
    at[name[-1]] = text
    with pytest.raises(ValueError, match=rf"runs\.0.*{name[-1]}|runs\.0[\s\S]*{name[-1]}"):
        parse_submission(content)


@pytest.mark.parametrize("value", [10**30, 10**400, -(10**17), 1e300])
def test_numbers_that_no_float_holds_are_refused(value: float) -> None:
    assert [problem for problem in value_problems({"tokens": {"sft": value}}) if "beyond 2^53" in problem]


@pytest.mark.parametrize(
    "date", ["2026-99-99", "2026-02-30", "9999-12-31", "\u0662\u0660\u0662\u0666-11-11", "2026-1-1"]
)
def test_dates_are_real_and_not_to_come(date: str) -> None:
    line = {"run_id": "0" * 16, "entry": f"a__b/{'0' * 16}", "decision": "accepted", "reason": "x", "by": "me"}
    with pytest.raises(ValueError, match="date"):
        Decision.model_validate(line | {"date": date})


def test_a_log_shows_no_control_character() -> None:
    assert printable("a\x1b[31m\nb\u202e\ud800") == "a\\x1b[31m\\nb\\u202e\\ud800"


def test_a_late_duplicate_key_is_found_at_once(tmp_path: Path) -> None:
    pairs = ",".join(f'"k{number}": 0' for number in range(200_000))
    start = time.process_time()
    with pytest.raises(ValueError, match="'k199999' is duplicated"):
        parse_json(f'{{{pairs}, "k199999": 1}}')
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("evil \u202etxt.exe", r"U\+202E"),
        ("zero\u200bwidth", r"U\+200B"),
        ("bell\x07", r"U\+0007"),
        ("escape\x1b[31m", r"U\+001B"),
        ("lone \ud800 surrogate", r"U\+D800"),
        ("e\u0301", "NFC"),
        ("p\u0430ypal", "CYRILLIC and LATIN"),
        ("x" * 2001, "2001 characters"),
    ],
)
def test_hidden_and_mixed_up_characters_are_refused(text: str, complaint: str, forged: Forgery) -> None:
    assert list(text_problems(text))
    forged.content["runs"][0]["training"]["note"] = text
    forged.raw = True
    (forged.folder / "submission.json").write_text(json.dumps(forged.content))
    found = "\n".join(validate(forged.save()))
    assert re.search(complaint, found), found


@pytest.mark.parametrize(
    "text", ["plain", "Müller & Söhne", "日本語の説明", "α-decay", "two\nlines\tand a tab", "p < 0.5 😀"]
)
def test_ordinary_text_in_any_language_is_fine(text: str) -> None:
    assert list(text_problems(text)) == []


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "a\\b", ".hidden", "a..", "", "x" * 65, "ｆｕｌｌ", "l\u0430b", "a b", "a\n", "con\0"]
)
def test_names_cannot_leave_their_folder(name: str) -> None:
    with pytest.raises(ValueError, match="org"):
        Meta(org=name, model="m", division="open")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://x.org", "https://x.org/\"onclick='x", "https://a b"])
def test_links_are_plain_https(link: str) -> None:
    with pytest.raises(ValueError, match="weights"):
        Meta(org="a", model="m", division="open", weights=link)


@pytest.mark.parametrize(("one", "other"), [("lab", "Iab"), ("google", "g00gle"), ("modern", "modem"), ("a-b", "ab")])
def test_lookalike_names_share_a_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)
    assert skeleton("lab") != skeleton("lob")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert csv_text(text).startswith("'")
    assert csv_text("plain") == "plain"
    assert csv_text(-0.5) == "-0.5"


def test_markdown_keeps_no_markup() -> None:
    assert markdown_text("[x](javascript:1) <b> | `c`\n@all") == (
        "\\[x\\]\\(javascript:1\\) &lt;b&gt; \\| \\`c\\` &#64;all"
    )


# --- JSON


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1, "a": 2}', "is duplicated"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": Infinity}', "Infinity"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": 1e999}', "too large"),
        ("[" * 100_000, "JSON"),
        ('{"a":' * 100_000, "JSON"),
        ('{"a": ' + "9" * 5000 + "}", "JSON"),
        ("\ufeff{}", "JSON"),
        ("[]", "does not hold a JSON object"),
    ],
)
def test_json_is_read_strictly(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ProblemError, match=complaint):
        read_strict_json(file)


def test_json_may_not_be_huge_nor_nested_deeply(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    with file.open("wb") as out:
        out.truncate(MAX_JSON + 1)
    with pytest.raises(ProblemError, match="at most"):
        read_strict_json(file)
    deep = parse_json('{"a":' * 30 + "1" + "}" * 30)
    assert any("nested deeper" in problem for problem in value_problems(deep))
    assert any("-0.0 is refused" in problem for problem in value_problems({"a": [-0.0]}))
    assert list(value_problems({"a": [0.0, 1, None, True, "x"]})) == []


# --- Parquet


def write(file: Path, table: pa.Table, **how: object) -> Path:
    pq.write_table(table, file, store_schema=False, **how)
    return file


def rows_of(forged: Forgery, count: int = 10) -> pa.Table:
    return forged.table.slice(0, count)


def test_a_text_that_unpacks_to_gigabytes_is_refused(forged: Forgery, tmp_path: Path) -> None:
    table = rows_of(forged, 1).take(pa.array(np.zeros(20_000, dtype=int)))
    text = pa.DictionaryArray.from_arrays(np.zeros(20_000, dtype=np.int32), ["x" * 100_000])
    table = table.set_column(FILE_SCHEMA.get_field_index("item_id"), "item_id", text)
    file = write(tmp_path / "bomb.parquet", table, compression="zstd")
    assert file.stat().st_size < 10_000_000  # two gigabytes of text in it
    with pytest.raises(ProblemError, match="has 100000 bytes; at most 200"):
        read_samples(file)


def test_what_the_footer_declares_is_limited(forged: Forgery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "x.parquet", rows_of(forged))
    assert read_samples(file).num_rows == 10
    for name, limit, complaint in (
        ("MAX_ROWS", 9, "declares 10 rows"),
        ("MAX_UNPACKED", 100, "would unpack to"),
        ("MAX_FILE", 100, "at most 100 are read"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(reading, name, limit)
            with pytest.raises(ProblemError, match=complaint):
                read_samples(file)


def test_lying_row_counts_are_refused(forged: Forgery, tmp_path: Path) -> None:
    """The footer's count of all rows, a varint, is edited in place."""
    file = write(tmp_path / "x.parquet", rows_of(forged, 10), compression="none")
    data = bytearray(file.read_bytes())
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    refused = 0
    for place in range(footer, len(data) - 8):
        if data[place] == 20:  # zigzag of 10
            forged_bytes = bytearray(data)
            forged_bytes[place] = 60  # 30 rows
            file.write_bytes(forged_bytes)
            try:
                assert read_samples(file).num_rows == 10
            except ProblemError:
                refused += 1
    assert refused


@pytest.mark.parametrize("change", ["drop", "extra", "type", "order", "empty", "noise", "short"])
def test_other_files_are_no_samples(change: str, forged: Forgery, tmp_path: Path) -> None:
    table, file = rows_of(forged), tmp_path / "x.parquet"
    match change:
        case "drop":
            table = table.drop_columns(["p"])
        case "extra":
            table = table.append_column("q", pa.array([1] * 10))
        case "type":
            table = table.set_column(FILE_SCHEMA.get_field_index("p"), "p", table["p"].cast(pa.float64()))
        case "order":
            table = table.select(FILE_SCHEMA.names[::-1])
    write(file, table)
    if change == "empty":
        file.write_bytes(b"")
    if change == "noise":
        file.write_bytes(np.random.default_rng(0).bytes(5000))
    if change == "short":
        file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ProblemError, match=r"x\.parquet"):
        read_samples(file)


def test_a_pickled_type_in_the_schema_is_not_loaded(forged: Forgery, tmp_path: Path) -> None:
    """An Arrow schema in the metadata may name a Python extension type, which old versions unpickled."""
    flag = tmp_path / "pwned"
    evil = b"cos\nsystem\n(S'touch %s'\ntR." % str(flag).encode()
    metadata = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": evil}
    table = rows_of(forged)
    place = FILE_SCHEMA.get_field_index("item_id")
    table = table.set_column(place, FILE_SCHEMA.field("item_id").with_metadata(metadata), table["item_id"])
    pq.write_table(table, tmp_path / "x.parquet")
    assert read_samples(tmp_path / "x.parquet").num_rows == 10
    assert not flag.exists()


# --- files


def test_links_are_not_followed(forged: Forgery, tmp_path: Path) -> None:
    folder = forged.save()
    real = tmp_path / "elsewhere.parquet"
    shutil.move(folder / "samples.parquet", real)
    (folder / "samples.parquet").symlink_to(real)
    assert any("is a symbolic link" in problem for problem in validate(folder))
    (folder / "samples.parquet").unlink()
    os.mkfifo(folder / "samples.parquet")
    assert any("is not a plain file" in problem for problem in validate(folder))
    (folder / "samples.parquet").unlink()
    shutil.move(real, folder / "samples.parquet")
    away = tmp_path / "away"
    shutil.move(folder, away)
    folder.symlink_to(away)
    assert any("is a symbolic link" in problem for problem in validate(folder))


def test_weights_that_can_run_code_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "auto_map": {"AutoModelForCausalLM": "evil.Model"}}')
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ProblemError, match="can run code"):
        locate(str(tmp_path))
    with pytest.raises(UsageError, match="no model"):
        locate("../../etc/passwd")


@pytest.mark.slow
def test_remote_code_of_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    from ilp_bench.models.loading import load_model

    (tmp_path / "config.json").write_text(
        '{"model_type": "own", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}'
    )
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    with pytest.raises((ProblemError, UsageError)):
        load_model(locate(str(tmp_path)), device="cpu")
    assert not (tmp_path / "pwned").exists()
