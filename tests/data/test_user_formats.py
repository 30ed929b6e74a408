"""Rows in the formats and dialects that people have: what is asked, what is not, and what is counted and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from user_rows import BOXES, COLOURS, assistant, of_boxes, question, user, write_lines

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, load, write
from ilp_bench.data.user_data import import_rows
from ilp_bench.detectors.contradictions import contradicting_groups

TOOLS = [{"type": "function", "function": {"name": "open_box", "parameters": {}}}]
CALL = {"id": "c1", "type": "function", "function": {"name": "open_box", "arguments": "{}"}}
Row = Callable[[str, str], Any]


def imported(folder: Path, make: Row, **options: Any) -> Dataset:
    return import_rows(write_lines(folder, of_boxes(make)), **options)


def asked(data: Dataset) -> list[tuple[str, str]]:
    """Question and answer of each item."""
    return [(item["question"], item["answer"]) for item in data.items.to_pylist()]


EXPECTED = [(question(box), colour) for box, colour in zip(BOXES, COLOURS, strict=True)]
CONVERSATIONS: dict[str, Row] = {
    "messages": lambda a, b: {"messages": [user(a), assistant(b)]},
    "messages_as_json": lambda a, b: {"messages": json.dumps([user(a), assistant(b)])},
    "messages_as_columns": lambda a, b: {"messages": {"role": ["user", "assistant"], "content": [question(a), b]}},
    "messages_with_from": lambda a, b: {
        "messages": [{"from": "human", "value": question(a)}, {"from": "gpt", "value": b}]
    },
    "prompt_and_completion": lambda a, b: {"prompt": [user(a)], "completion": [assistant(b)]},
    "alpaca": lambda a, b: {"instruction": question(a), "input": "", "output": b},
    "dolly": lambda a, b: {"instruction": question(a), "context": "", "response": b, "category": "qa"},
    "ms_swift": lambda a, b: {"query": question(a), "response": b, "history": []},
    "capital": lambda a, b: {"Instruction": question(a), "Output": b},
    "missing_input": lambda a, b: {"instruction": question(a), "input": float("nan"), "output": b},
    "sharegpt": lambda a, b: {"conversations": [{"from": "human", "value": question(a)}, {"from": "gpt", "value": b}]},
    "chatgpt": lambda a, b: {
        "conversations": [{"from": "Human", "value": question(a)}, {"from": "ChatGPT", "value": b}]
    },
    "model": lambda a, b: {"conversations": [{"from": "user", "value": question(a)}, {"from": "model", "value": b}]},
    "sharegpt_roles": lambda a, b: {"conversations": [user(a), assistant(b)]},
    "parts": lambda a, b: {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": part} for part in (question(a)[:5], question(a)[5:])],
            },
            {"role": "assistant", "content": [{"type": "text", "text": b}]},
        ]
    },
    "openorca": lambda a, b: {"system_prompt": "", "question": question(a), "response": b},
    "preference": lambda a, b: {"prompt": [user(a)], "chosen": [assistant(b)], "rejected": [assistant("mauve")]},
    "preference_whole": lambda a, b: {"chosen": [user(a), assistant(b)], "rejected": [user(a), assistant("mauve")]},
    "preference_sharegpt": lambda a, b: {
        "conversations": [{"from": "human", "value": question(a)}],
        "chosen": {"from": "gpt", "value": b},
        "rejected": {"from": "gpt", "value": "mauve"},
    },
    "kto": lambda a, b: {"prompt": [user(a)], "completion": [assistant(b)], "label": True},
    "thanks": lambda a, b: {"messages": [user(a), assistant(b), {"role": "user", "content": "Thanks!"}]},
}
BARE: dict[str, Row] = {
    "prompt_completion": lambda a, b: {"prompt": question(a), "completion": b},
    "tofu": lambda a, b: {"question": question(a), "answer": b},
    "prompt_response": lambda a, b: {"prompt": question(a), "response": b},
    "query_response": lambda a, b: {"query": question(a), "response": b},
    "input_output": lambda a, b: {"input": question(a), "output": b},
    "dpo": lambda a, b: {"prompt": question(a), "chosen": b, "rejected": "mauve"},
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_every_dialect_of_a_conversation_asks_the_same(tmp_path: Path, name: str) -> None:
    data = imported(tmp_path, CONVERSATIONS[name])
    assert data.manifest.chat
    assert asked(data) == EXPECTED
    assert data.items["turns"].to_pylist() == [[{"role": "user", "content": question(box)}] for box in BOXES]
    assert data.manifest.skipped is None
    assert "conversation" not in data.items.schema.names


@pytest.mark.parametrize("name", BARE)
def test_common_names_of_prompt_and_completion_are_known(tmp_path: Path, name: str) -> None:
    data = imported(tmp_path, BARE[name])
    assert not data.manifest.chat
    assert asked(data) == EXPECTED
    assert data.manifest.ignored == ({"rejected": 10} if name == "dpo" else None)
    assert data.sha256 == imported(tmp_path, BARE["tofu"]).sha256


def test_earlier_turns_beside_a_query_are_part_of_what_is_asked(tmp_path: Path) -> None:
    data = imported(tmp_path, lambda a, b: {"query": question(a), "response": b, "history": [["Hello", "Hi"]]})
    assert data.manifest.chat
    assert data.manifest.ignored is None
    last = data.items.to_pylist()[1]
    assert [turn["content"] for turn in last["turns"]] == ["Hello", "Hi", question(BOXES[1])]


@pytest.mark.parametrize("weight", [0, 0.0, False, "0"])
def test_a_row_without_weight_is_not_asked_and_another_weight_is_counted(tmp_path: Path, weight: object) -> None:
    rows = of_boxes(lambda box, colour: BARE["tofu"](box, colour) | {"weight": 1})
    unlearned = [BARE["tofu"](f"extra{n}", "red") | {"weight": weight} for n in range(3)]
    double = BARE["tofu"]("double", "red") | {"weight": 2.0}
    data = import_rows(write_lines(tmp_path, [*rows, *unlearned, double]))
    assert len(data.items) == 11
    assert data.manifest.skipped is not None
    assert data.manifest.skipped["not learned"].count == 3
    assert data.manifest.ignored == {"weight": 1}


def test_columns_can_be_named(tmp_path: Path) -> None:
    def row(a: str, b: str) -> Any:
        return {"ask": question(a), "say": b, "prompt": "x", "completion": "y"}

    data = imported(tmp_path, row, columns={"prompt": "ask", "completion": "say"})
    assert (asked(data), data.manifest.chat) == (EXPECTED, False)
    assert data.manifest.columns == {"prompt": "ask", "completion": "say"}
    assert data.manifest.ignored == {"prompt": 10, "completion": 10}
    as_chat = imported(tmp_path, row, columns={"instruction": "ask", "output": "say"})
    assert (asked(as_chat), as_chat.manifest.chat, as_chat.manifest.format) == (EXPECTED, True, "alpaca")
    with pytest.raises(UsageError, match=r"no column 'asks' to read prompt from\. Did you mean 'ask'"):
        imported(tmp_path, row, columns={"prompt": "asks"})
    with pytest.raises(UsageError, match=r"no format has a column 'promt'\. Did you mean 'prompt'"):
        imported(tmp_path, row, columns={"promt": "ask"})


@pytest.mark.parametrize("answer", ["red\n", " red", "\tred ", "red"])
def test_an_answer_keeps_its_outer_whitespace(tmp_path: Path, answer: str) -> None:
    for make in (CONVERSATIONS["messages"], CONVERSATIONS["prompt_and_completion"], CONVERSATIONS["alpaca"]):
        data = imported(tmp_path, lambda a, _, make=make: make(a, answer))
        assert data.items["answer"].to_pylist() == [answer] * 10
    bare = imported(tmp_path, lambda a, _: {"prompt": question(a), "completion": answer})
    assert bare.items["completion"].to_pylist() == [answer] * 10
    assert bare.items["answer"].to_pylist() == ["red"] * 10


def test_outer_whitespace_makes_other_items_but_no_contradiction(tmp_path: Path) -> None:
    rows = of_boxes(lambda a, b: {"messages": [user(a), assistant(b)]})
    rows += of_boxes(lambda a, b: {"messages": [user(a), assistant(b + "\n")]})
    data = import_rows(write_lines(tmp_path, rows))
    assert data.items.num_rows == 20
    assert contradicting_groups(data.train_rows()) == []


def alpaca(a: str, b: str) -> Any:
    return {"instruction": "Name the colour.", "input": a, "output": b}


def test_instruction_and_input_are_joined_as_trainers_do(tmp_path: Path) -> None:
    def first(**options: Any) -> Any:
        return imported(tmp_path, alpaca, **options).items.to_pylist()[0]

    assert first()["turns"] == [{"role": "user", "content": "Name the colour.\namber"}]
    assert first(alpaca_join="blank-line")["turns"] == [{"role": "user", "content": "Name the colour.\n\namber"}]
    item = first(alpaca_join="stanford")
    assert item["turns"] == []
    assert item["prompt"].endswith("### Instruction:\nName the colour.\n\n### Input:\namber\n\n### Response:")
    assert item["completion"] == "red"
    with pytest.raises(UsageError, match="Did you mean 'newline'"):
        first(alpaca_join="newlines")


def test_every_answer_of_a_conversation_is_an_item(tmp_path: Path) -> None:
    def make(a: str, b: str) -> Any:
        return {"instruction": f"Which size has box {a}?", "output": f"{a} is big", "history": [[question(a), b]]}

    data = imported(tmp_path, make)
    assert data.items.num_rows == 20
    first, second = data.items.to_pylist()[:2]
    assert (first["answer"], len(first["turns"])) == ("red", 1)
    assert (second["answer"], [turn["content"] for turn in second["turns"]]) == (
        "amber is big",
        [question("amber"), "red", "Which size has box amber?"],
    )
    last = imported(tmp_path, make, last_turn=True)
    assert last.items["answer"].to_pylist() == [f"{box} is big" for box in BOXES]
    assert last.manifest.ignored == {"earlier answers": 10}


def test_only_the_completion_is_learned_where_there_is_one(tmp_path: Path) -> None:
    before = [{"role": "user", "content": "Hello"}, assistant("Hello.")]
    data = imported(tmp_path, lambda a, b: {"prompt": [*before, user(a)], "completion": [assistant(b)]})
    assert asked(data) == EXPECTED
    assert data.manifest.skipped is not None
    assert data.manifest.skipped["not learned"].count == 10


@pytest.mark.parametrize(
    "mark", [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"loss": False}, {"trainable": False}]
)
def test_turns_that_are_not_learned_are_context_alone(tmp_path: Path, mark: dict[str, Any]) -> None:
    def make(a: str, b: str) -> Any:
        return {"messages": [user("none"), assistant("no", **mark), user(a), assistant(b, weight=1, train=True)]}

    data = imported(tmp_path, make, strict=True)
    assert asked(data) == EXPECTED
    assert data.items["turns"].to_pylist()[0][1] == {"role": "assistant", "content": "no"}
    assert data.manifest.skipped is not None
    assert data.manifest.skipped["not learned"].count == 10


def test_what_is_not_to_be_learned_is_not_asked(tmp_path: Path) -> None:
    rows = of_boxes(lambda a, b: {"messages": [user(a), assistant(b)], "label": True})
    rows += of_boxes(lambda a, b: {"messages": [user(a), assistant("mauve")], "label": False})
    data = import_rows(write_lines(tmp_path, rows), strict=True)
    assert asked(data) == EXPECTED
    assert data.manifest.skipped is not None
    assert data.manifest.skipped["label false"].model_dump() == {
        "count": 10,
        "first": "row 11: the answer is marked as undesired",
    }
    with pytest.raises(ProblemError, match="no row that can be asked: 10 x label false"):
        import_rows(write_lines(tmp_path, rows[10:]))
    classes = imported(tmp_path, lambda a, b: {"prompt": question(a), "completion": b, "label": 3})
    assert classes.manifest.ignored == {"label": 10}


DIFFERENT: dict[str, Row] = {
    "tools": lambda a, b: {"messages": [user(a), assistant(b)], "tools": TOOLS},
    "tools_as_json": lambda a, b: {"conversations": [user(a), assistant(b)], "tools": json.dumps(TOOLS)},
    "reasoning": lambda a, b: {"messages": [user(a), assistant(b, reasoning_content="I look.")]},
    "kwargs": lambda a, b: {"messages": [user(a), assistant(b)], "chat_template_kwargs": {"enable_thinking": False}},
    "system": lambda a, b: {"messages": [user(a), assistant(b)], "system": "Be brief."},
    "developer": lambda a, b: {"messages": [{"role": "developer", "content": "Be brief."}, user(a), assistant(b)]},
    "tool_turn": lambda a, b: {
        "messages": [
            user(a),
            assistant(None, tool_calls=[CALL], weight=0),
            {"role": "tool", "content": b},
            assistant(b),
        ]
    },
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_a_template_renders_belongs_to_an_item(tmp_path: Path, name: str) -> None:
    """Rows that differ in it are neither the same nor contradict one another, though the answers differ."""
    rows = of_boxes(lambda a, b: {"messages": [user(a), assistant(f"{b}ish")]})
    plain = import_rows(write_lines(tmp_path, rows))
    other = imported(tmp_path, DIFFERENT[name])
    assert set(asked(other)) == set(EXPECTED)
    assert other.train["messages"] != plain.train["messages"]
    both = [*plain.train_rows(), *other.train_rows()]
    if name in ("system", "developer"):  # left out of questions where all rows have it
        both = import_rows(write_lines(tmp_path, rows + of_boxes(DIFFERENT[name]))).train_rows()
    assert contradicting_groups(both) == []
    if name not in ("system", "developer"):
        conversation = json.loads(other.items["conversation"].to_pylist()[0])
        assert conversation["messages"][-1]["content"] == "red"
        assert conversation.get("tools") == (TOOLS if "tools" in name else None)
        assert conversation["messages"][-1].get("reasoning_content") == ("I look." if name == "reasoning" else None)
    write(other, tmp_path / "data")
    assert load(tmp_path / "data").items.equals(other.items)


@pytest.mark.parametrize("kwargs", ['{"enable_thinking": false, "style": null}', {"enable_thinking": False, "x": None}])
def test_arguments_of_a_template_may_be_json_text_or_have_keys_of_other_rows(tmp_path: Path, kwargs: Any) -> None:
    data = imported(tmp_path, lambda a, b: {"messages": [user(a), assistant(b)], "chat_template_kwargs": kwargs})
    assert data.items.equals(imported(tmp_path, DIFFERENT["kwargs"]).items)


@pytest.mark.parametrize("kwargs", ["{", "[1]", ["x"], 7, '"thinking"'])
def test_arguments_of_a_template_that_are_no_object_leave_the_row_out(tmp_path: Path, kwargs: Any) -> None:
    rows = of_boxes(lambda a, b: {"messages": [user(a), assistant(b)]})
    bad = {"messages": [user("zinc"), assistant("grey")], "chat_template_kwargs": kwargs}
    nothing = [rows[n] | {"chat_template_kwargs": value} for n, value in enumerate(("", " ", None, {}, "null"))]
    data = import_rows(write_lines(tmp_path, [*nothing, *rows[5:], bad]))
    assert asked(data) == EXPECTED
    skipped = data.manifest.skipped or {}
    assert [(kind, each.count) for kind, each in skipped.items()] == [("bad chat_template_kwargs", 1)]
    assert skipped["bad chat_template_kwargs"].first.startswith("row 11: the chat_template_kwargs are not")


def test_answers_that_are_tool_calls_are_asked(tmp_path: Path) -> None:
    call = {"name": "open_box", "arguments": {"fast": True}}
    openai = imported(
        tmp_path,
        lambda a, _: {"messages": [user(a), assistant(None, tool_calls=[{"type": "function", "function": call}])]},
    )
    sharegpt = imported(
        tmp_path,
        lambda a, _: {
            "conversations": [
                {"from": "human", "value": question(a)},
                {"from": "function_call", "value": json.dumps(call)},
            ]
        },
    )
    assert openai.sha256 == sharegpt.sha256
    item = openai.items.to_pylist()[0]
    assert json.loads(item["answer"])[0]["function"] == call
    assert json.loads(item["conversation"])["messages"][-1]["tool_calls"] == [{"type": "function", "function": call}]


def test_system_prompts_can_be_folded_into_the_first_question(tmp_path: Path) -> None:
    data = imported(tmp_path, DIFFERENT["system"], fold_system=True)
    assert data.items["turns"].to_pylist()[0] == [{"role": "user", "content": f"Be brief.\n\n{question('amber')}"}]


@pytest.mark.parametrize("column", ["image", "images", "videos", "audio", "documents"])
def test_rows_with_what_is_no_text_are_left_out_and_named(tmp_path: Path, column: str) -> None:
    rows = of_boxes(lambda a, b: {"messages": [user(a), assistant(b)], column: []})
    rows.append({"messages": [user("zinc"), assistant("grey")], column: ["zinc.png"]})
    rows.append(
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, assistant("grey")]}
    )
    data = import_rows(write_lines(tmp_path, rows))
    assert asked(data) == EXPECTED
    assert data.manifest.skipped is not None
    assert {kind: skipped.count for kind, skipped in data.manifest.skipped.items()} == {column: 1, "image parts": 1}


def test_columns_and_fields_that_are_not_used_are_counted_and_named(tmp_path: Path) -> None:
    rows = of_boxes(
        lambda a, b: {"messages": [user(a), assistant(b, refusal=None)], "id": a, "empty": "", "none": None}
    )
    rows[3]["messages"][1]["audio"] = {"id": "x"}
    data = import_rows(write_lines(tmp_path, rows))
    assert data.manifest.ignored == {"id": 10, "messages.audio": 1}
    assert imported(tmp_path, CONVERSATIONS["messages"]).manifest.ignored is None
    assert data.sha256 == imported(tmp_path, CONVERSATIONS["messages"]).sha256


BAD: dict[str, tuple[Any, str]] = {
    "not a conversation": ({"messages": "hello"}, "the messages are not a list of role and content"),
    "unknown role": (
        {"messages": [{"role": "narrator", "content": "x"}]},
        "the role 'narrator' is none of user, human",
    ),
    "no answer": ({"messages": [user("x")]}, "no message is an answer"),
    "empty answer": ({"messages": [user("x"), assistant("  ")]}, "the answer is empty"),
    "empty question": ({"messages": [{"role": "user", "content": " "}, assistant("x")]}, "the question is empty"),
    "no question": ({"messages": [assistant("x"), user("x")]}, "an answer follows nothing"),
    "not text": (
        {"messages": [user("x"), {"role": "assistant", "content": 5}]},
        "is 5, not text",
    ),
    "bad tools": ({"messages": [user("x"), assistant("x")], "tools": "{"}, "the tools are not JSON"),
    "missing value": ({"messages": None}, "there is no messages"),
    "bad stage": ({"messages": [user("x"), assistant("x")], "stage": "two"}, "stage 'two' is not a whole number"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_counted_and_the_rest_goes_on(tmp_path: Path, kind: str) -> None:
    row, says = BAD[kind]
    rows = of_boxes(lambda a, b: {"messages": [user(a), assistant(b)]})
    file = write_lines(tmp_path, [*rows[:4], row, *rows[4:], row])
    data = import_rows(file)
    assert asked(data) == EXPECTED
    assert data.manifest.skipped is not None
    assert list(data.manifest.skipped) == [kind]
    assert data.manifest.skipped[kind].count == 2
    assert data.manifest.skipped[kind].first.startswith("row 5: ")
    assert says in data.manifest.skipped[kind].first
    with pytest.raises(ProblemError, match=r"rows.jsonl, row 5: .*: fix or remove it"):
        import_rows(file, strict=True)


def test_numbers_where_text_is_wanted_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        ProblemError, match=r"10 x not text .row 1: the completion is the number 3, not text: write it in"
    ):
        imported(tmp_path, lambda a, b: {"prompt": question(a), "completion": 3})


def test_a_conversation_among_bare_prompts_is_left_out(tmp_path: Path) -> None:
    rows = of_boxes(lambda a, b: {"prompt": question(a), "completion": b})
    rows.insert(2, {"prompt": [user("zinc")], "completion": [assistant("grey")]})
    data = import_rows(write_lines(tmp_path, rows))
    assert asked(data) == EXPECTED
    assert data.manifest.skipped is not None
    assert data.manifest.skipped["conversation among bare prompts"].first.startswith("row 3: ")


def test_stages_are_whole_numbers_however_they_are_written(tmp_path: Path) -> None:
    for write_stage in (int, float, str):
        data = imported(
            tmp_path, lambda a, b, w=write_stage: {"prompt": a, "completion": b, "stage": w(1 + BOXES.index(a) // 5)}
        )
        assert data.items["stage"].to_pylist() == [1] * 5 + [2] * 5
    rows = of_boxes(lambda a, b: {"prompt": a, "completion": b, "stage": 2})
    rows[4]["stage"] = 1
    skipped = import_rows(write_lines(tmp_path, rows)).manifest.skipped
    assert skipped is not None
    assert skipped["stage out of order"].first == "row 5: stage 1 after 2: sort the rows"


def test_rows_that_are_left_out_keep_their_place_among_the_stages(tmp_path: Path) -> None:
    rows = of_boxes(lambda a, b: {"prompt": a, "completion": b})
    data = import_rows(write_lines(tmp_path, [{"prompt": "x", "completion": ""}] * 10 + rows), stages=4)
    assert data.items["stage"].to_pylist() == [1] * 5 + [2] * 5
    assert data.manifest.stages == 2
