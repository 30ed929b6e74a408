"""Answers that a model cannot be asked are left out of an import that names the model, and counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner
from user_rows import assistant, of_boxes, question, user, write_lines

import ilp_bench
from ilp_bench.cli.main import app
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.models.nano import nano_path

ALTERNATE = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.content }}\n{% endfor %}"
)


def test_answers_beyond_the_context_are_left_out(tmp_path: Path) -> None:
    rows = of_boxes(lambda a, b: {"prompt": question(a), "completion": f" {b}" * (700 if a == "fjord" else 1)})
    data = ilp_bench.import_rows(write_lines(tmp_path, rows), model="nano")
    assert data.items.num_rows == 9
    assert data.manifest.skipped is not None
    first = data.manifest.skipped["answer too long"].first
    assert first == "row 6: the answer has 1401 tokens, more than the model's 512"
    assert ilp_bench.evaluate("nano", data, tmp_path / "run", probe_base=False)
    with pytest.raises(ProblemError, match="row 6: the answer has 1401 tokens"):
        ilp_bench.import_rows(tmp_path / "rows.jsonl", model="nano", strict=True)


def test_conversations_that_the_template_refuses_are_left_out(tmp_path: Path) -> None:
    shutil.copytree(nano_path(), tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text(ALTERNATE)
    rows = of_boxes(lambda a, b: {"messages": [user(a)] * (2 if a == "iris" else 1) + [assistant(b)]})
    file = write_lines(tmp_path, rows)
    done = CliRunner().invoke(
        app, ["import", str(file), "--out", str(tmp_path / "data"), "--model", str(tmp_path / "model")]
    )
    assert done.exit_code == 0, done.output
    assert "9 items" in done.output
    assert (
        "left out: 1 x refused by the model (first: row 9: this chat template refuses user, user, assistant"
        in done.output
    )
    with pytest.raises(UsageError, match="no model"):
        ilp_bench.import_rows(file, model="nan")


def test_a_model_without_a_chat_template_is_told_where_to_put_one(tmp_path: Path) -> None:
    shutil.copytree(nano_path(), tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").unlink()
    file = write_lines(tmp_path, of_boxes(lambda a, b: {"messages": [user(a), assistant(b)]}))
    with pytest.raises(ProblemError, match=r"no chat template; put that of the training .* as chat_template\.jinja"):
        ilp_bench.import_rows(file, model=str(tmp_path / "model"))


def test_an_answer_of_which_the_template_shows_nothing_is_left_out(tmp_path: Path) -> None:
    """nano's template shows roles and texts: a call of a tool would be asked as an answer of no token."""
    call = {"type": "function", "function": {"name": "open_box", "arguments": "{}"}}
    rows = of_boxes(
        lambda a, b: {
            "messages": [
                user(a),
                assistant(None, tool_calls=[call]),
                {"role": "tool", "content": b},
                assistant(f"It is {b}."),
            ]
        }
    )
    file = write_lines(tmp_path, rows)
    data = ilp_bench.import_rows(file, model="nano")
    assert data.items.num_rows == 10
    assert data.manifest.skipped is not None
    skipped = data.manifest.skipped["refused by the model"]
    assert (skipped.count, skipped.first) == (10, "row 1: this chat template shows nothing of tool calls")
    shutil.copytree(nano_path(), tmp_path / "model")
    template = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ m.tool_calls or '' }}<|end|>\n{% endfor %}"
    (tmp_path / "model" / "chat_template.jinja").write_text(template)
    assert ilp_bench.import_rows(file, model=str(tmp_path / "model")).items.num_rows == 20
