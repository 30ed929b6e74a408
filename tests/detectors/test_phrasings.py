"""What differs between two questions, and what may differ where they ask the same."""

import pytest

from ilp_bench.detectors.phrasings import difference, phrasings
from ilp_bench.detectors.similarity import MOST, sharing_rare_terms

# Elsewhere these words stand in the middle of questions, so that it shows which of them are names.
ELSEWHERE = ["Who likes Peru and Chile?", "Is there French or English in Ada or Zed?", "What is Mercury?"]


def between(one: str, other: str, rare: tuple[str, ...] = ("peru", "mercury")) -> object:
    """What differs; None where it cannot be phrasing alone."""
    found = difference(*phrasings([one, other, *ELSEWHERE])[:2], set(rare))
    return None if found is None else tuple(sorted(found.terms))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital city of Peru?", "Which city is the capital of Peru?"),
        ("What is the capital of Peru?", "what's Peru's capital?"),
        ("What are the capitals of Peru?", "Please tell me the capital of Peru."),
        ("Peru has which capital?", "Could you name the capital of Peru?"),
        ("Consider Peru. What is its capital?", "consider Peru. It has what capital"),
    ],
)
def test_order_and_words_that_say_nothing_do_not_count(one: str, other: str) -> None:
    assert between(one, other) in (((), ()), ((), ("what's",)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of Peru?", "What is the capital of Chile?"),
        ("What is 7 times 8?", "What is 7 times 9?"),
        ("What is 7 minus 8?", "What is 8 minus 7?"),
        ("Who won the cup of 1990?", "Who won the cup of 1991?"),
        ("Is Mercury a planet?", "Is Mercury not a planet?"),
        ("Which planet does orbit Mercury?", "Which planet doesn't orbit Mercury?"),
        ("Is Ada older than Zed?", "Is Zed older than Ada?"),
        ("Does mercury react with peru?", "Does peru react with mercury?"),
        ("Translate it from French into English", "Translate it from English into French"),
        ("What lies to the north from the south of Peru?", "What lies from the north to the south of Peru?"),
        ("How many grams are in a pound?", "How many pounds are in a gram?"),
        ("What does calendar.Calendar do?", "What does calendar.calendar do?"),
        ("What does json.dump do?", "What does json.dumps do?"),
    ],
)
def test_names_numbers_negations_and_who_does_what_to_whom_do(one: str, other: str) -> None:
    assert between(one, other) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Who is the head of Peru?", "Who was the head of Peru?"),
        ("Does it rain in Peru?", "Did it rain in Peru?"),
        ("What is Mercury?", "Who is Mercury?"),
        ("What is Mercury?", "What is Mercury A?"),
        ("What is Mercury 2.5?", "What is Mercury 2 5?"),
        ("Translate into the French of Peru: a cat", "Translate into the French of Peru: the cat"),
        ("Translate into the French of Peru: a cat", "Translate into the French of Peru: a cats"),
        ("Say in the French of Peru:\ndog sees man", "Say in the French of Peru:\nman sees dog"),
    ],
)
def test_small_words_that_carry_meaning_are_no_phrasing(one: str, other: str) -> None:
    assert between(one, other) != ((), ())


def test_other_words_are_named_whichever_question_comes_first() -> None:
    asked = "What is the capital of Peru?", "Where is the seat of Peru's government?"
    differing = ("capital",), ("government", "seat", "where")
    assert between(*asked) == between(*asked[::-1]) == differing
    first, second = phrasings([*asked, *ELSEWHERE])[:2]
    turned = [found.turned for found in (difference(first, second, set()), difference(second, first, set())) if found]
    assert turned == [False, True]


def test_without_english_words_the_order_counts() -> None:
    assert between("Hauptstadt Land klein", "Land Hauptstadt klein") is None
    assert between("Hauptstadt Land klein", "Hauptstadt Land klein") == ((), ())


def test_texts_that_share_rare_terms_are_compared_and_others_are_not() -> None:
    texts = [["capital", f"name{n}"] for n in range(MOST + 1)]
    assert sharing_rare_terms(texts).pairs == []
    candidates = sharing_rare_terms([*texts, ["seat", "name3"], ["capital"]])
    assert candidates.pairs == [(3, MOST + 1)]
    assert candidates.times["name3"] == 2
    assert "capital" not in candidates.times
    assert sharing_rare_terms([]).pairs == []


def test_a_long_question_is_not_taken_apart() -> None:
    """What differs between two conversations may stand in any of their turns."""
    short, long = phrasings(["Who knows Ada? " * 20, "Who knows Ada? " * 50])
    assert short.terms
    assert not long.terms
