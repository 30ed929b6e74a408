"""Items of user data that a model cannot be asked are counted and named; the rest is measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner
from user_rows import assistant, of_boxes, question, user, write_lines

import ilp_bench
from ilp_bench.cli.main import app
from ilp_bench.core.errors import ProblemError
from ilp_bench.data.dataset import write
from ilp_bench.models.nano import nano_path
from ilp_bench.records.run_record import PromptRecord

ALTERNATE = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.content }}\n{% endfor %}"
)


def test_a_too_long_answer_is_counted_and_the_rest_is_measured(tmp_path: Path) -> None:
    rows = of_boxes(lambda a, b: {"prompt": question(a), "completion": f" {b}" * (700 if a == "fjord" else 1)})
    data, folder = ilp_bench.import_rows(write_lines(tmp_path, rows)), tmp_path / "data"
    write(data, folder)
    done = CliRunner().invoke(
        app, ["evaluate", "--model", "nano", "--data", str(folder), "--out", str(tmp_path / "run")]
    )
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "note: 1 items were not asked, answer too long; the first: 'Which colour has box fjord?'" in said
    assert "the answer has 1401 tokens, more than the model's 512" in said
    run = ilp_bench.load_run(tmp_path / "run")
    assert run.samples.num_rows == 9
    assert run.record.prompts
    assert run.record.prompts.not_asked["answer too long"].count == 1
    with pytest.raises(ProblemError, match="1 of 10 items cannot be asked: 1 x answer too long"):
        ilp_bench.evaluate("nano", data, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()


def test_what_the_template_refuses_is_counted_and_all_refused_is_a_problem(tmp_path: Path) -> None:
    shutil.copytree(nano_path(), tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text(ALTERNATE)

    def twice(count: int) -> ilp_bench.Dataset:
        names = iter(range(10))
        rows = of_boxes(lambda a, b: {"messages": [user(a)] * (2 if next(names) < count else 1) + [assistant(b)]})
        return ilp_bench.import_rows(write_lines(tmp_path, rows))

    run = ilp_bench.evaluate(str(tmp_path / "model"), twice(3), tmp_path / "run", chat=True, probe_base=False)
    assert run
    assert run.samples.num_rows == 7
    assert run.record.prompts
    refused = run.record.prompts.not_asked["refused by the model"]
    assert refused.count == 3
    assert "this chat template refuses user, user, assistant (roles must alternate)" in refused.first
    with pytest.raises(ProblemError, match="10 of 10 items cannot be asked"):
        ilp_bench.evaluate(str(tmp_path / "model"), twice(10), tmp_path / "none", chat=True, probe_base=False)


def test_a_record_without_such_items_is_written_as_before() -> None:
    assert "not_asked" not in json.loads(PromptRecord(sha256="0" * 64).model_dump_json())
