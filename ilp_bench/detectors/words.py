"""The words of a question in any script: what separates them, and what stands for words where nothing does.

Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan put no spaces between words; there each character, with its
marks, counts as a word. Text that is the same to a reader is the same here: NFC, without marks of direction.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

# What ends a sentence or opens a question: Latin, Spanish, Armenian, Arabic, Urdu, Hindi, Ethiopic, Burmese,
# Khmer, Tibetan, Chinese and Japanese. A Latin exclamation mark is a part of its word, as is a point before a digit.
SENTENCE_MARKS = (
    "?.¿¡\u055e\u0589\u061f\u06d4\u0964\u0965\u1362\u1367\u104a\u104b\u17d4\u17d5\u0f0d\u0f0e\u2e2e、。｡？．！"
)
INVISIBLE = re.compile("[\u00ad\u061c\u0640\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
GREEK_QUESTION_MARK = re.compile("(?<=[\u0370-\u03ff\u1f00-\u1fff]);")  # as it is typed, and in NFC
UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Tibetan, Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
ASCII_LETTERS = re.compile("[A-Za-z]+|[0-9]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")
# A name of code: a dot, colons or an arrow between its parts, an underscore, a call, or camel case.
IDENTIFIER = re.compile(
    r"[^\W_]{2}\.[^\W_]|[^\W_]\.[^\W_]{2}|\w(?:::|->)\w|_|[^\W_]\(|[^\W\d_A-Z][A-Z]|[A-Z]{2}[^\W\d_A-Z]"
)

OBJECT = re.compile(r":\s|：|\n")  # what follows is the text that is asked about
QUESTION_WORDS = frozenset("what which who whose whom where when why how".split())
OPENING = frozenset(  # first words of other questions, and of requests
    "is are was were do does did has have had can could would will should name state give tell say find please".split()
)


def before_object(text: str) -> tuple[str, str]:
    """What asks in English, up to the first colon or line end, and the text behind it; all of a text that asks nothing.

    As in "What is in French: the cat". Articles and small verbs may say nothing in the former; in the latter they do.
    """
    found = OBJECT.search(text)
    asking = text[: found.end()] if found else text
    said = [word.casefold().removesuffix("'s").removesuffix("’s") for word in words(asking)]
    if not OPENING.isdisjoint(said[:1]) or not QUESTION_WORDS.isdisjoint(said) or asking.endswith("?"):
        return asking, text[len(asking) :]
    return "", text


def normalised(text: str) -> str:
    """The text as a reader sees it: one form of each character, no marks of direction, no stretching of words."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text.replace("\u037e", "?"))
    return INVISIBLE.sub("", GREEK_QUESTION_MARK.sub("?", text))


def words(text: str) -> list[str]:
    """What stands between spaces and the marks that end sentences; characters where a script has no spaces."""
    text = normalised(text)
    spaced = _word_pattern().findall(text)
    return spaced if text.isascii() else _split(spaced)


def folded(text: str) -> str:
    """A text without its capital letters, but for those in names of code: ``calendar.Calendar`` is a class there."""
    return re.sub(r"\S+", lambda found: found[0] if IDENTIFIER.search(found[0]) else found[0].casefold(), text)


def letters_and_numbers(text: str) -> list[str]:
    """Runs of letters, with their marks, and runs of digits; characters where a script has no spaces."""
    text = normalised(text)
    return ASCII_LETTERS.findall(text) if text.isascii() else _split(_letter_pattern().findall(text))


def similarity_terms(text: str) -> list[str]:
    """The words in lower case, and the pairs of neighbours among characters that stand for words."""
    terms = [word.lower() for word in words(text)]
    return terms + [pair for pair in character_pairs(terms) if pair]


def character_pairs(tokens: Sequence[str]) -> list[str | None]:
    """Each two neighbours among words, one fewer than these; None where not both are characters without spaces."""
    if not has_characters(tokens):
        return [None] * (len(tokens) - 1)
    single = [_UNSPACED.match(token) is not None for token in tokens]
    return [a + b if single[n] and single[n + 1] else None for n, (a, b) in enumerate(pairwise(tokens))]


def has_characters(tokens: Sequence[str]) -> bool:
    """Whether characters stand for words among these."""
    text = "".join(tokens)
    return not text.isascii() and _UNSPACED.search(text) is not None


def needs_terms(text: str) -> bool:
    """Whether a pattern of word characters alone tears the words of a text apart, or does not separate them."""
    text = normalised(text)
    return not text.isascii() and any(_UNSPACED.match(letter) or _is_mark(letter) for letter in text)


def _split(spaced: list[str]) -> list[str]:
    """Words, or their parts: characters of scripts without spaces, with their marks, and what stands between them."""
    return [part for word in spaced for part in (_part_pattern().findall(word) if _UNSPACED.search(word) else (word,))]


@lru_cache
def _word_pattern() -> re.Pattern[str]:
    return re.compile(rf"(?:[^\s{re.escape(SENTENCE_MARKS)}]|\.(?=\d))+")


@lru_cache
def _letter_pattern() -> re.Pattern[str]:
    return re.compile(rf"[^\W\d_](?:[^\W\d_]|[{_marks()}])*|\d+")


@lru_cache
def _part_pattern() -> re.Pattern[str]:
    return re.compile(rf"[{UNSPACED}][{_marks()}]*|[^{UNSPACED}]+")


@lru_cache
def _marks() -> str:
    """The combining marks of all scripts and the joiners of letters, as ranges for a regular expression."""
    codes = [code for code in (*range(0x300, 0x10000), *range(0x10A00, 0x11F60)) if _is_mark(chr(code))]
    starts = [code for code in codes if not _is_mark(chr(code - 1))]
    ends = [code for code in codes if not _is_mark(chr(code + 1))]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or character in "\u200c\u200d"
