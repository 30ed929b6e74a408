"""Text, numbers and files from strangers: what is refused wherever it stands, and how text leaves again."""

from __future__ import annotations

import math
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_DEPTH = 16  # dictionaries and lists inside one another
MAX_NODES = 200_000  # values in one JSON document, dictionaries and lists among them
MAX_TEXT = 2000  # characters of one text
MOST_PROBLEMS = 1000  # of one JSON document, after which nothing more is looked at
MAX_NUMBER = 2**53  # of a JSON number; beyond, neighbouring whole numbers are one to those who read them as floats
# Other, and the separators that end a line where none is seen; a tab and a newline are text.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "FULLWIDTH", "MATHEMATICAL")
# ASCII characters that can be taken for one another in a name.
LOOKALIKE = str.maketrans("01358", "oless")


def value_problems(value: Any) -> Iterator[str]:
    """What is wrong anywhere in a JSON value: hidden or mixed-up characters, -0.0, too deep, too long, too many values.

    Nothing is looked at inside a value that holds more than ``MAX_NODES`` others.
    """
    if _is_plain_throughout(value):  # as nearly all are, which takes a fraction of the time to see
        return
    if _holds_more_than(MAX_NODES, value):
        yield f"more than {MAX_NODES} values: leave some out"
    else:
        problems: list[str] = []
        _collect(value, "", 0, problems)
        yield from problems


def _is_plain_throughout(value: Any) -> bool:
    """Whether a JSON value has no problem, judged level by level; False also where it has none but is not ASCII."""
    level, count = [value], 1
    for _ in range(MAX_DEPTH + 1):
        texts: list[str] = []
        inner: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is str:
                texts.append(each)
            elif kind is dict:
                texts += each
                inner += each.values()
            elif kind is list:
                inner += each
            elif (kind is float or kind is int) and not (_is_plain(each) or (each == 0 and math.copysign(1, each) > 0)):
                return False
        count += len(inner)
        text = "".join(texts)
        longest = max(map(len, texts), default=0)
        if not (text.isascii() and text.isprintable() and longest <= MAX_TEXT and count <= MAX_NODES):
            return False
        if not inner:
            return True
        level = inner
    return False


def _holds_more_than(limit: int, value: Any) -> bool:
    """Whether a JSON value, and what is in it, are more than ``limit`` values."""
    count, waiting = 1, [value]
    while waiting and count <= limit:
        holder = waiting.pop()
        members = holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
        count += len(members)
        waiting += [member for member in members if isinstance(member, (dict, list))]
    return count > limit


def _collect(value: Any, where: str, depth: int, problems: list[str]) -> None:
    """Add the problems of a value, and of all that is in it, to ``problems``: ``MOST_PROBLEMS`` or few more."""
    if isinstance(value, str):
        problems += [f"{where}: {problem}" for problem in text_problems(value)]
    elif isinstance(value, float) and (not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0)):
        problems.append(f"{where}: {value} is refused: write a plain number")
    elif isinstance(value, (int, float)) and abs(value) > MAX_NUMBER:
        problems.append(f"{where}: a number beyond 2^53 is refused: write a smaller one")
    if not isinstance(value, (dict, list)):
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(key, str) and not _is_plain(key):
            problems += [f"{where or 'a key'}: {problem}" for problem in text_problems(key)]
        if depth == MAX_DEPTH:
            problems.append(f"{where}.{key}: nested deeper than {MAX_DEPTH}: leave it out")
        elif not _is_plain(inner):  # nearly all values are, and need no name
            _collect(inner, f"{where}.{key}" if where else str(key), depth + 1, problems)
        if len(problems) >= MOST_PROBLEMS:
            return


def _is_plain(value: Any) -> bool:
    """Whether a value is short printable ASCII or an ordinary number, so that nothing can be wrong with it."""
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and value.isascii() and value.isprintable()
    return isinstance(value, (int, float)) and (0 < value <= MAX_NUMBER or 0 > value >= -MAX_NUMBER)


def text_problems(text: str) -> Iterator[str]:
    """Hidden characters, a form that is not composed, alphabets mixed in one word, too much of it."""
    if len(text) > MAX_TEXT:
        yield f"a text of {len(text)} characters, at most {MAX_TEXT} are shown: shorten it"
    if text.isascii() and text.isprintable():
        return
    hidden = [char for char in text if unicodedata.category(char) in HIDDEN and char not in "\n\t"]
    if hidden:
        yield f"holds the hidden character U+{ord(hidden[0]):04X}: remove it"
        return
    if not unicodedata.is_normalized("NFC", text):
        yield "its characters are not composed (Unicode NFC): normalise it"
    for word in re.split(r"[\W\d_]+", text):
        scripts = {unicodedata.name(char, "?").split()[0] for char in word}
        if len(scripts & set(SCRIPTS)) > 1:
            yield f"mixes {' and '.join(sorted(scripts & set(SCRIPTS)))} letters in one word: use one alphabet"
            return


def skeleton(name: str) -> str:
    """What is left of a name when all that looks alike is taken for the same: names that share it can be confused."""
    plain = name.casefold().translate(LOOKALIKE).replace("rn", "m").replace("vv", "w").replace("cl", "d")
    return "".join("l" if char in "i|" else char for char in plain if char.isalnum())


def file_problem(path: Path) -> str | None:
    """Why a path is not read: it is a link, or no plain file; None where it is one."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    if stat.S_ISLNK(mode):
        return f"{path} is a symbolic link: put the file itself there"
    return None if stat.S_ISREG(mode) else f"{path} is not a plain file: put one there"


def printable(text: str) -> str:
    """A text for a terminal or a log: what is not printable is escaped, line ends and escape codes among it."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )


def encodable(text: str) -> str:
    """A text that UTF-8 can hold: a lone surrogate, which may stand for a byte that is not UTF-8, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def csv_text(value: object) -> str:
    """A cell for CSV: a text that a spreadsheet would take for a formula is quoted by a leading apostrophe."""
    text = "" if value is None else str(value)
    risky = isinstance(value, str) and text.lstrip().startswith(
        ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
    )
    return "'" + text if risky else text


def markdown_text(value: object) -> str:
    """A cell for a Markdown table: markup and line ends lose their meaning."""
    text = " ".join(str(value).split())
    return "".join(
        "\\" + char
        if char in r"\`*_{}[]()#+!|~"
        else {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;"}.get(char, char)
        for char in text
    )
