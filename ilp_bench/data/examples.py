"""The examples in a row of a training file: what is asked and answered, whatever its format."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from ilp_bench.data.columns import NOT_TEXT, REQUIRED, Layout
from ilp_bench.data.conversations import (
    NOT_LEARNED,
    Conversation,
    Example,
    empty,
    examples_of,
    fold_system,
    says_no,
    without_none,
)
from ilp_bench.data.file_formats import Json
from ilp_bench.data.formats import FORMATS, Reading, text_cell
from ilp_bench.data.import_report import ImportReport, LeftOutError


def read_row(number: int, raw: Json, layout: Layout, reading: Reading, report: ImportReport) -> Iterator[Example]:
    """The examples of row ``number``: one for each answer that is learned. What is left out goes into ``report``.

    Raises LeftOutError where the whole row is left out.
    """
    row = {column: raw.get(name) for column, name in layout.columns.items()}
    used = set(layout.columns.values())
    for name in NOT_TEXT:
        if name not in used and not empty(raw.get(name)):
            raise LeftOutError(name, f"the column {name} holds what cannot be shown to a text model here")
    if missing := [layout.columns[name] for name in REQUIRED[layout.format] if row.get(name) is None]:
        raise LeftOutError("missing value", f"there is no {' and no '.join(missing)}")
    label, weight = row.get("label"), row.get("weight")
    if label is False or (isinstance(label, str) and label.casefold() == "false"):
        raise LeftOutError("label false", "the answer is marked as undesired", sound=True)
    if weight is not None and says_no(weight):
        raise LeftOutError("not learned", NOT_LEARNED, sound=True)
    report.ignored.update(name for name, value in raw.items() if name not in used and not empty(value))
    if label is not None and not isinstance(label, bool) and str(label).casefold() not in ("true", ""):
        report.ignored[layout.columns["label"]] += 1
    if weight is not None and str(weight) not in ("1", "1.0", ""):
        report.ignored[layout.columns["weight"]] += 1
    ignored: Counter[str] = Counter()
    result = FORMATS[layout.format].read(row, reading, ignored)
    report.ignored.update(set(ignored))
    if isinstance(result, Example):
        report.ignored.update(layout.columns[name] for name in ("system", "tools") if not empty(row.get(name)))
        examples = [result]
    else:
        examples = _examples(number, row, result, layout, reading, report)
    for example in examples:
        try:
            (example.prompt + example.completion + example.conversation).encode()
        except UnicodeEncodeError as error:
            message = "the text holds bytes or marks that are not UTF-8: save the file as UTF-8"
            raise LeftOutError("not UTF-8", message) from error
    yield from examples


def _examples(
    number: int, row: Json, conversation: Conversation, layout: Layout, reading: Reading, report: ImportReport
) -> list[Example]:
    """The examples of a conversation with its system prompt and tools."""
    if (system := text_cell(row, "system")) and conversation.messages[0]["role"] not in ("system", "developer"):
        message = {"role": "system", "content": system}
        conversation = Conversation([message, *conversation.messages], [False, *conversation.learned])
    elif system:
        report.ignored[layout.columns["system"]] += 1
    if reading.fold_system:
        conversation = fold_system(conversation)
    examples: list[Example] = []
    for example in examples_of(conversation, _tools(row.get("tools")), _kwargs(row.get("chat_template_kwargs"))):
        if isinstance(example, LeftOutError):
            report.skip(number, example)
        else:
            examples.append(example)
    if reading.last_turn:
        report.ignored["earlier answers"] += len(examples) > 1
        examples = examples[-1:]
    if conversation.messages[-1]["role"] != "assistant":
        report.ignored["turns after the last answer"] += 1
    return examples


def _tools(value: object) -> object:
    """The tools of a row, or of its JSON text; None where it has none."""
    return without_none(_parsed(value, "tools")) or None


def _kwargs(value: object) -> Json | None:
    """The arguments of a row for its chat template, or of their JSON text; None where it has none."""
    kwargs = without_none(_parsed(value, "chat_template_kwargs"))
    if kwargs and not isinstance(kwargs, dict):
        raise LeftOutError("bad chat_template_kwargs", "the chat_template_kwargs are not a JSON object")
    return kwargs or None


def _parsed(value: object, column: str) -> object:
    """The value of a column, parsed where it is a JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError) as error:
        raise LeftOutError(f"bad {column}", f"the {column} are not JSON") from error
