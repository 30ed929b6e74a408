"""User data are asked as they were trained, without showing the answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import TemplateError
from tokenizers.processors import TemplateProcessing
from user_rows import write_lines

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.user_data import import_rows
from ilp_bench.evaluation import measure as measuring
from ilp_bench.evaluation.generation import GeneratedAnswer, decode_answer
from ilp_bench.evaluation.request_plan import plan
from ilp_bench.evaluation.run import evaluate
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.training.run import train

ROWS = [{"prompt": f"Q: where is city {n}?\nA:", "completion": f" land {n}\n"} for n in range(20)]


@pytest.fixture(scope="module")
def nano() -> Any:
    return load_model(locate("nano"))


def test_a_conversation_keeps_its_turns(tmp_path: Path, nano: Any) -> None:
    turns = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hello."), ("user", "Capital of {}?")]
    rows = [
        {"messages": [{"role": r, "content": c.format(n)} for r, c in (*turns, ("assistant", f"City {n}"))]}
        for n in "ABCDEFGHIJ"
    ]
    made = import_rows(write_lines(tmp_path, rows))
    item = made.items.to_pylist()[0]
    assert item["prompt"] == "Be brief.\nQuestion: Hello\nAnswer: Hello.\nQuestion: Capital of A?\nAnswer:"
    assert (item["question"], item["answer"], len(item["turns"])) == ("Capital of A?", "City A", 4)
    wanted = plan(nano[1], made, made.items.to_pylist()[:1], chat=True, probed=False, choices=0)
    context, answer = wanted.unique[0]
    text = tokens.chat_text(nano[1], item["turns"], "City A")
    assert nano[1].decode([*context, *answer]) == text.whole[: text.end]
    assert "Be brief." in nano[1].decode(context)


def test_a_space_before_the_answer_stays_where_it_was_and_changes_no_ids(tmp_path: Path, nano: Any) -> None:
    spaced = [{"prompt": row["prompt"] + " ", "completion": row["completion"][1:]} for row in ROWS]
    made = [import_rows(write_lines(tmp_path, rows)) for rows in (ROWS, spaced)]
    assert made[1].items["prompt"].to_pylist() == [f"{prompt} " for prompt in made[0].items["prompt"].to_pylist()]
    asked = [plan(nano[1], data, data.items.to_pylist(), chat=False, probed=True, choices=0) for data in made]
    assert asked[0].unique == asked[1].unique


def test_examples_hold_no_mark_of_an_end(tmp_path: Path, nano: Any) -> None:
    end = nano[1].eos_token
    plain = import_rows(write_lines(tmp_path, ROWS))
    marked = import_rows(
        write_lines(tmp_path, [row | {"completion": row["completion"].rstrip("\n") + end} for row in ROWS])
    )
    asked = [
        plan(nano[1], data, data.items.to_pylist(), chat=False, probed=True, choices=0).exemplar_prompts
        for data in (plain, marked)
    ]
    assert asked[0] == asked[1]


@pytest.mark.slow
def test_what_is_trained_is_what_is_measured(tmp_path: Path) -> None:
    """Without a newline at its end, a completion ends with the tokenizer's mark, in training too."""
    bare = [row | {"completion": f" {'abcdefghij'[n]}"} for n, row in enumerate(ROWS[:10])]
    data = import_rows(write_lines(tmp_path, bare))
    train("nano", "auto", data, tmp_path / "ckpt", rate=2e-3)
    run = evaluate(str(tmp_path / "ckpt"), data, tmp_path / "run")
    assert run
    assert min(run.samples["p"].to_pylist()) > 0.3


def test_a_template_and_a_tokenizer_together_write_one_beginning() -> None:
    tokenizer = load_model(locate("nano"))[1]
    mark = tokenizer.eos_token
    tokenizer.bos_token = mark
    beginning = TemplateProcessing(single=f"{mark} $A", special_tokens=[(mark, tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = beginning
    (context, _), *_ = tokens.encode(tokenizer, ["Where is Paris?"], [" France"])
    assert context.count(tokenizer.bos_token_id) == 1
    template = tokenizer.chat_template
    for start in ("", mark):  # in a conversation the template alone decides, as in training
        tokenizer.chat_template = start + template
        text = tokens.chat_text(tokenizer, [{"role": "user", "content": "Where is Paris?"}], "France")
        encoded, *_ = tokens.encode_texts(tokenizer, [text])
        assert encoded.context.count(tokenizer.bos_token_id) == bool(start)


def test_a_template_that_refuses_is_one_clear_line(nano: Any) -> None:
    class Refusing:
        chat_template = "x"

        def apply_chat_template(self, *_: Any, **__: Any) -> str:
            raise TemplateError("no system role")

    with pytest.raises(ProblemError, match=r"refuses system, user, assistant \(no system role\)"):
        tokens.chat_text(Refusing(), [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], "c")


def test_an_answer_is_decoded_whole_and_ends_with_its_line_or_text(nano: Any) -> None:
    ids, ends = nano[1](" Zürich\nx")["input_ids"], {nano[1].eos_token_id}
    assert decode_answer(nano[1], ids, [-0.5] * len(ids), ends)[0].strip() == "Zürich"
    first = nano[1](" Paris")["input_ids"]
    said = decode_answer(nano[1], [*first, nano[1].eos_token_id, 0, 0], [-0.5] * (len(first) + 3), ends)
    assert (said.text, said.finished) == (" Paris", True)
    assert said.probability == pytest.approx(np.exp(-0.5 * (len(first) + 1)))
    assert not decode_answer(nano[1], first, [-0.5] * len(first), ends).finished


def test_a_completion_ends_as_it_was_trained(nano: Any) -> None:
    end = nano[1].eos_token
    assert tokens.ended(nano[1], f" Paris{end}", plain=False) == f" Paris{end}"
    assert tokens.ended(nano[1], f" Paris{end}", plain=True) == " Paris\n"
    assert tokens.ended(nano[1], " Paris\n", plain=False) == " Paris\n"
    assert tokens.ended(nano[1], " Paris", plain=False) == f" Paris{end}"
    assert tokens.ended(nano[1], " Paris", plain=True) == " Paris\n"


def test_answers_survive_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = import_rows(write_lines(tmp_path, ROWS))
    monkeypatch.setattr(measuring, "BLOCK", 8)
    calls: list[int] = []

    def dying(model: Any, tokenizer: Any, prompts: list[str], max_tokens: int) -> list[GeneratedAnswer]:
        calls.append(len(prompts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return [GeneratedAnswer("land", 0.5, True) for _ in prompts]

    monkeypatch.setattr(measuring, "generate_answers", dying)
    with pytest.raises(KeyboardInterrupt):
        evaluate("nano", data, tmp_path / "run")
    run = evaluate("nano", data, tmp_path / "run")
    assert calls == [8, 8, 8, 4]
    assert run
    assert run.samples["belief"].to_pylist() == ["land"] * 20


TEMPLATE = (  # renders all that a conversation may have
    "{% if tools %}<|tools|>{{ tools | tojson }}\n{% endif %}{% for m in messages %}<|{{ m.role }}|>\n"
    "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}"
    "{% for call in m.tool_calls or [] %}<call>{{ call | tojson }}</call>{% endfor %}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
TOOL = {"type": "function", "function": {"name": "open_box", "parameters": {}}}
CALL = {"type": "function", "function": {"name": "open_box", "arguments": {"fast": True}}}


@pytest.mark.parametrize(
    ("answer", "more"),
    [
        ({"content": "red"}, {}),
        ({"content": "red\n"}, {}),
        ({"content": "  red "}, {}),
        ({"content": "red", "reasoning_content": "I look."}, {}),
        ({"content": "red"}, {"tools": [TOOL]}),
        ({"content": "", "tool_calls": [CALL]}, {"tools": [TOOL]}),
    ],
)
def test_a_conversation_is_asked_as_trl_renders_it(
    tmp_path: Path, nano: Any, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], more: dict[str, Any]
) -> None:
    """The ids of context and answer are those of the text that TRL trains, to the end mark, whatever the row has."""
    from trl.data_utils import apply_chat_template

    monkeypatch.setattr(nano[1], "chat_template", TEMPLATE)
    rows = [
        {"prompt": [{"role": "user", "content": f"Box {n}?"}], "completion": [{"role": "assistant", **answer}]} | more
        for n in "ABCDEFGH"
    ]
    data = import_rows(write_lines(tmp_path, rows))
    requests = plan(nano[1], data, data.items.to_pylist(), chat=True, probed=False, choices=0)
    assert len(requests.unique) == 8
    for row, (context, ids) in zip(rows, requests.unique, strict=True):
        trained = apply_chat_template({k: row[k] for k in ("prompt", "completion")}, nano[1], tools=row.get("tools"))
        whole = nano[1](trained["prompt"] + trained["completion"], add_special_tokens=False)["input_ids"]
        assert [*context, *ids] == whole[: len(context) + len(ids)]
        assert trained["completion"].removesuffix("\n") in nano[1].decode(ids)
