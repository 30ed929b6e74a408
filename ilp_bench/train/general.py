"""General text for continued pre-training: a file of the user's, or texts of known facts."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from ilp_bench.corpus import documents
from ilp_bench.errors import UsageError


def general_texts(general: Path | None) -> Callable[[int], list[str]] | None:
    """Lines of a text file, again and again until there are enough characters; raises UsageError for a bad file."""
    if general is None:
        return None
    try:
        lines = [line for line in general.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--general {general} cannot be read as text: {error}") from error
    if not lines:
        raise UsageError(f"--general {general} holds no text: give one text a line")

    def some(characters: int) -> list[str]:
        found: list[str] = []
        while characters > 0:
            for line in lines:
                if characters > 0:
                    found.append(line)
                    characters -= len(line)
        return found

    return some


def known_texts(rng: random.Random) -> Callable[[int], list[str]]:
    """Texts of known facts, in random order, again and again until there are enough characters."""

    def some(characters: int) -> list[str]:
        found: list[str] = []
        while characters > 0:
            texts = list(documents(rng))
            rng.shuffle(texts)
            for text in texts:
                if characters > 0:
                    found.append(text)
                    characters -= len(text)
        return found

    return some
