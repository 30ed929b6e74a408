"""User data: a dataset of rows as they come."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from user_rows import write_lines

from ilp_bench.cli.main import app
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, load, write
from ilp_bench.data.formats import FORMATS, export
from ilp_bench.data.user_data import import_rows
from ilp_bench.detectors.contradictions import content_words, contradicting_groups

ROWS = [{"prompt": f"Q: where is city {n}?\nA:", "completion": f" land {n}\n"} for n in range(20)]


@pytest.fixture(scope="module")
def user_data(data: Path) -> Dataset:
    """The training rows of mini, as if they were a user's."""
    return import_rows(data / "train.parquet", sample=400)


@pytest.mark.parametrize("form", FORMATS)
def test_what_export_writes_is_read_back(mini: Dataset, tmp_path: Path, form: str) -> None:
    export(mini, form, tmp_path / "rows.jsonl")
    made = import_rows(tmp_path / "rows.jsonl")
    assert made.manifest.format == form
    assert made.manifest.chat == (form != "prompt-completion")
    assert made.train["prompt"].equals(mini.train["prompt"])
    assert made.train["completion"].equals(mini.train["completion"])
    assert [row[0]["content"] for row in made.train["messages"].to_pylist()] == [
        row[0]["content"] for row in mini.train["messages"].to_pylist()
    ]
    pairs = set(zip(made.train["prompt"].to_pylist(), made.train["completion"].to_pylist(), strict=True))
    assert made.items.num_rows == len(pairs)


def test_a_folder_is_written_and_loads(tmp_path: Path) -> None:
    made = import_rows(write_lines(tmp_path, ROWS))
    write(made, tmp_path / "data")
    again = load(tmp_path / "data")
    assert again.is_user_data
    assert again.sha256 == made.sha256 == import_rows(tmp_path / "rows.jsonl").sha256
    assert again.items.equals(made.items)
    assert write(made, tmp_path / "data") == tmp_path / "data"  # the same again
    with pytest.raises(UsageError, match="holds another dataset"):
        write(import_rows(tmp_path / "rows.jsonl", sample=3), tmp_path / "data")


def test_no_item_is_shown_its_own_answer(user_data: Dataset) -> None:
    shown: dict[str, list[dict[str, Any]]] = {}
    for shot in user_data.shots.to_pylist():
        shown.setdefault(shot["relation"], []).append(shot)
    question = {row["prompt"]: row["messages"][0]["content"] for row in user_data.train.to_pylist()}
    assert all(len(some) == 4 for some in shown.values())
    for item in user_data.items.to_pylist():
        asked = [content_words(question[shot["prompt"]]) for shot in shown[item["relation"]]]
        assert content_words(item["question"]) not in asked
    assert len({item["relation"] for item in user_data.items.to_pylist()}) > 5


def test_stages_come_from_a_column_or_from_a_cut(tmp_path: Path) -> None:
    assert import_rows(write_lines(tmp_path, ROWS)).manifest.stages == 1
    cut = import_rows(write_lines(tmp_path, ROWS), stages=3)
    assert cut.train["stage"].to_pylist() == [1] * 7 + [2] * 7 + [3] * 6
    from_column = import_rows(write_lines(tmp_path, [row | {"stage": 1 + n // 10} for n, row in enumerate(ROWS)]))
    assert from_column.items["stage"].to_pylist() == [1] * 10 + [2] * 10


def test_a_sample_asks_fewer_and_reads_all(tmp_path: Path) -> None:
    some = import_rows(write_lines(tmp_path, ROWS), sample=5, seed=1)
    assert (some.items.num_rows, some.train.num_rows) == (5, 20)
    assert some.sha256 == import_rows(tmp_path / "rows.jsonl", sample=5, seed=1).sha256
    assert some.sha256 != import_rows(tmp_path / "rows.jsonl", sample=5, seed=2).sha256
    assert import_rows(tmp_path / "rows.jsonl", sample=50).items.num_rows == 20


def test_a_system_prompt_beside_the_turns_is_read(tmp_path: Path) -> None:
    rows = [{"instruction": f"Capital of {n}?", "input": "", "output": n, "system": "Be brief."} for n in "ABCDEFGH"]
    assert import_rows(write_lines(tmp_path, rows)).items["turns"].to_pylist()[0][0] == {
        "role": "system",
        "content": "Be brief.",
    }


def test_the_same_words_after_other_turns_are_no_contradiction(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": f"Hello {n}"},
                {"role": "assistant", "content": f"{system} {n}"},
            ]
        }
        for n in "ABCDEFGH"
        for system in ("In French", "In German")
    ]
    made = import_rows(write_lines(tmp_path, rows))
    assert contradicting_groups(made.train.to_pylist()) == []


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (["[" * 100_000], "holds no rows: line 1 is not a JSON object .it is nested too deeply"),
        (["{"], "holds no rows: line 1 is not a JSON object .a name in double quotes or the closing brace is missing"),
        (["[1]"], "holds no rows: the row is not a JSON object"),
        ([""], "holds no rows"),
        (['{"x": 1, "y": 2}'], "the columns x, y fit no format .*: say which is which by columns, such as prompt="),
        (['{"text": "x"}'], "a column text holds documents, in which nothing says"),
        (['{"prompt": "a", "completion": "b"}'] * 9, "fewer than 8 different questions"),
        (
            ['{"prompt": "a", "completion": "b"}', '{"prompt": "a", "completion": 5}'],
            r"left out: 1 x not text .row 2: the",
        ),
    ],
)
def test_bad_rows_are_one_clear_line(tmp_path: Path, rows: list[str], complaint: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(rows))
    with pytest.raises((UsageError, ProblemError), match=complaint):
        import_rows(file)


def test_bad_calls_are_one_clear_line(tmp_path: Path) -> None:
    file = write_lines(tmp_path, ROWS)
    with pytest.raises(UsageError, match="Did you mean 'messages'"):
        import_rows(file, format="mesages")
    with pytest.raises(UsageError, match="cannot be cut into 21 stages"):
        import_rows(file, stages=21)
    with pytest.raises(UsageError, match="a sample of 0 items is impossible"):
        import_rows(file, sample=0)
    write_lines(tmp_path, [row | {"stage": 1} for row in ROWS])
    with pytest.raises(UsageError, match="has a column stage: do not give a number of stages"):
        import_rows(file, stages=2)
    with pytest.raises(UsageError, match="is not a file"):
        import_rows(tmp_path / "none.jsonl")
    (tmp_path / "bad.parquet").write_text("x")
    with pytest.raises(UsageError, match=r"bad.parquet cannot be read .*it is damaged, or not what its name says"):
        import_rows(tmp_path / "bad.parquet")


def test_an_import_counts_rows_and_answers_and_names_the_next_call_as_it_was_read(tmp_path: Path) -> None:
    turns = [
        {"from": who, "value": f"{text} {n}"}
        for n in range(10)
        for who, text in (("human", "Of lamp"), ("gpt", "red"), ("human", "Its weight?"), ("gpt", "kg"))
    ]
    file = write_lines(tmp_path, [{"talk": turns[4 * n : 4 * n + 4], "id": n} for n in range(10)], "my rows.jsonl")
    call = ["import", str(file), "--columns", "conversations=talk", "--last-turn", "--out"]
    done = CliRunner().invoke(app, [*call, str(tmp_path / "last")])
    assert "10 rows, 10 items, 1 stage; read as sharegpt" in done.output
    assert f"--rows '{file}' --columns conversations=talk --last-turn --out report" in done.output
    call.remove("--last-turn")
    done = CliRunner().invoke(app, [*call, str(tmp_path / "all")])
    assert "10 rows with 20 answers, 20 items, 1 stage; read as sharegpt" in done.output


def test_a_table_of_questions_and_answers_says_how_to_read_it_as_conversations(tmp_path: Path) -> None:
    file = write_lines(tmp_path, [{"Question ": f"Where is lamp {n}?", "answer": f"room {n}"} for n in range(10)])
    done = CliRunner().invoke(app, ["import", str(file), "--out", str(tmp_path / "bare")])
    hint = "Read them as conversations: --columns instruction=Question,output=answer"
    assert hint in done.output
    words = ["import", str(file), "--columns", "instruction=Question,output=answer", "--out", str(tmp_path / "chat")]
    done = CliRunner().invoke(app, words)
    assert "read as alpaca (conversations: evaluate with --chat)" in done.output
    assert hint not in done.output


def test_the_commands_tell_what_fits(tmp_path: Path) -> None:
    file, folder = write_lines(tmp_path, ROWS), tmp_path / "data"

    def call(*words: object) -> Any:
        return CliRunner().invoke(app, [*map(str, words)])

    done = call("import", file, "--out", folder, "--stages", 2)
    assert done.exit_code == 0, done.output
    assert "20 rows, 20 items, 2 stages; read as prompt-completion (bare prompts)" in done.output
    for words, complaint in (
        (("export", "--data", folder, "--out", tmp_path / "x.jsonl"), "export is for controlled datasets"),
        (("audit", "--data", folder), "audit is for controlled datasets"),
        (("push", "a/b", "--data", folder, "--dry-run", tmp_path / "push"), "push is for controlled datasets"),
        (("train", "--base", "nano", "--recipe", "vanilla", "--data", folder, "--out", tmp_path / "c"), "with 'auto'"),
        (
            ("train", "--base", "nano", "--recipe", "auto", "--chat", "--data", folder, "--out", tmp_path / "c"),
            "these rows are bare prompts, not conversations: train without the chat template",
        ),
        (("evaluate", "--model", "nano", "--data", folder, "--out", tmp_path / "r", "--chat"), "bare prompts"),
        (("evaluate", "--model", "nano", "--data", folder, "--out", tmp_path / "r", "--choices", 4), "no options"),
    ):
        refused = call(*words)
        assert isinstance(refused.exception, UsageError), (words, refused.output)
        assert complaint in str(refused.exception)
    for name, more in (("base", ()), ("mine", ("--no-probe-base",))):
        done = call("evaluate", "--model", "nano", "--data", folder, "--out", tmp_path / name, *more)
        assert done.exit_code == 0, done.output
        assert "of 20 items of user data learned" in done.output
    refused = call("diagnose", tmp_path / "mine", "--base-run", tmp_path / "base", "--data", folder)
    assert "of the same weights" in str(refused.exception)
    refused = call("score", tmp_path / "mine", "--vanilla", tmp_path / "mine")
    assert "have no arms to compare" in str(refused.exception)
