"""What is wrong with a text that should be JSON, in words for people who do not know Python's."""

from __future__ import annotations

from json import JSONDecodeError

# How Python's message begins -> what it means; the last versions say some of them more exactly
MEANINGS = {
    "Expecting value": "a value is missing",
    "Expecting ',' delimiter": "a comma or the closing bracket is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting property name": "a name in double quotes or the closing brace is missing",
    "Illegal trailing comma": "there is a comma before the closing bracket",
    "Extra data": "something follows after the end",
    "Unterminated string": "a string is not closed",
    "Invalid control character": "a line end or tab stands inside a string",
    "Invalid \\": "a backslash stands before a character that it cannot stand before",
}


def json_problem(error: ValueError | RecursionError) -> str:
    """What is wrong, and where, from the error that reading raised."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8: save it as UTF-8"
    if not isinstance(error, JSONDecodeError):
        return str(error)
    meaning = next((words for begin, words in MEANINGS.items() if error.msg.startswith(begin)), error.msg)
    line = f"line {error.lineno}, " if error.lineno > 1 else ""
    return f"{meaning} at {line}column {error.colno}"
