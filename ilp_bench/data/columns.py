"""Which column of a file is which column of a format: as it is called, as it is often called, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ilp_bench.core.errors import UsageError, near
from ilp_bench.core.untrusted import encodable
from ilp_bench.data.file_formats import Json

# The columns that each format needs, and those that it reads where they are there.
REQUIRED = {
    "prompt-completion": ("prompt", "completion"),
    "messages": ("messages",),
    "alpaca": ("instruction", "output"),
    "sharegpt": ("conversations",),
}
OPTIONAL = {"alpaca": ("input", "history"), "sharegpt": ("chosen",)}
EVERYWHERE = ("system", "tools", "chat_template_kwargs", "label", "weight", "annotator", "stage")
ALIASES = {  # other names of columns, the likeliest first
    "prompt": ("question", "query", "problem", "input"),
    "completion": ("response", "answer", "output", "solution", "target", "chosen"),
    "output": ("response", "answer", "completion", "chosen"),
    "input": ("context",),
    "messages": ("conversation", "dialogue", "dialog", "chosen"),
    "conversations": (),
    "system": ("system_prompt",),
    "tools": ("functions",),
    "label": ("kto_tag",),
}
ALIAS_ORDER = ("alpaca", "sharegpt", "prompt-completion", "messages")  # of formats, where names are not their own
NOT_TEXT = ("image", "images", "video", "videos", "audio", "audios", "documents")


class Layout(NamedTuple):
    """How a file is read.

    format    one of ``FORMATS``
    columns   the format's name of a column -> the file's
    """

    format: str
    columns: dict[str, str]


def layout_of(rows: Sequence[Json], format: str | None, mapping: Mapping[str, str]) -> Layout:
    """The layout of a file that begins with ``rows``.

    mapping   the format's name of a column -> the file's, where the user says so

    Raises UsageError where no format fits, or a column of ``mapping`` is not there.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    known = {*EVERYWHERE, *(column for form in REQUIRED for column in (*REQUIRED[form], *OPTIONAL.get(form, ())))}
    by_plain_name = {_plain(name): name for name in reversed(names)}
    mapping = {
        column: name if name in names else by_plain_name.get(_plain(name), name) for column, name in mapping.items()
    }
    for column, name in mapping.items():
        if column not in known:
            raise UsageError(f"no format has a column {column!r}.{near(column, sorted(known))}")
        if name not in names:
            raise UsageError(f"there is no column {name!r} to read {column} from.{near(name, names)}")
        if name != encodable(name):
            raise UsageError(f"the name of the column {name!r} is not UTF-8: rename it")
    free = [name for name in names if name not in mapping.values()]
    formats = [format] if format else list(REQUIRED)
    for aliases, order in ((False, formats), (True, [form for form in ALIAS_ORDER if form in formats])):
        for form in order:
            wanted = (*REQUIRED[form], *OPTIONAL.get(form, ()))
            if not set(mapping) <= {*wanted, *EVERYWHERE}:
                continue
            columns = _match(wanted, free, mapping, aliases)
            if all(column in columns for column in REQUIRED[form]):
                rest = [name for name in free if name not in columns.values()]
                columns = _match(wanted, free, mapping, True) | columns | _match(EVERYWHERE, rest, mapping, True)
                return Layout(form, columns) if format else _as_conversation(Layout(form, columns), rows)
    if names == ["text"]:
        raise UsageError(
            "a column text holds documents, in which nothing says what is asked and what is answered: give prompts and "
            "completions"
        )
    if any(name != encodable(name) for name in names):
        raise UsageError("the names of columns hold bytes that are not UTF-8: save the file as UTF-8")
    formats_text = "; ".join(f"{form}: {', '.join(REQUIRED[form])}" for form in formats)
    asked, said = names if len(names) == 2 else ("question", "answer")
    raise UsageError(
        f"the columns {', '.join(names) or 'of no row'} fit no format ({formats_text}): say which is which by columns, "
        f"such as prompt={asked},completion={said}"
    )


def _match(wanted: Sequence[str], names: Sequence[str], mapping: Mapping[str, str], aliases: bool) -> dict[str, str]:
    """The file's name of each wanted column that it has; upper and lower case and spaces around it are the same."""
    columns: dict[str, str] = {}
    for column in wanted:
        candidates = (column, *ALIASES.get(column, ())) if aliases else (column,)
        free = {_plain(name): name for name in reversed(names) if name not in columns.values()}
        name = mapping.get(column) or next((free[each] for each in candidates if each in free), None)
        if name is not None:
            columns[column] = name
    return columns


def _plain(name: str) -> str:
    """The name of a column as people read it."""
    return name.strip().casefold()


def _as_conversation(layout: Layout, rows: Sequence[Json]) -> Layout:
    """A layout of texts with a system prompt or earlier turns beside them, which no bare prompt has, as the one of
    conversations.
    """
    columns = layout.columns
    if layout.format != "prompt-completion":
        return layout
    columns = columns | _match(("history",), [name for row in rows for name in row], {}, False)
    if not {"system", "history"} & set(columns):
        return layout
    if not all(isinstance(row.get(columns["prompt"]), str | None) for row in rows):
        return layout
    renamed = {"prompt": "instruction", "completion": "output"}
    return Layout("alpaca", {renamed.get(column, column): name for column, name in columns.items()})
