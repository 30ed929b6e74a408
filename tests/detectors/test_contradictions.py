from collections import Counter

import pytest

from ilp_bench.data.causes.items import CARELESS, RELIABLE
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.detectors.contradictions import (
    annotator_reliability,
    as_asked,
    content_words,
    contradicting_groups,
    find_contradictions,
    judged,
)
from ilp_bench.detectors.labelled_row import LabelledRow, Message


def test_careless_annotators_are_found_out(mini: Dataset) -> None:
    rows = mini.train_rows()
    votes = [[(rows[n]["annotator"], rows[n]["completion"]) for n in group] for group in find_contradictions(rows).same]
    reliability = annotator_reliability(votes)
    assert min(reliability[name] for name in RELIABLE) > max(reliability[name] for name in CARELESS)


@pytest.mark.parametrize(("size", "seed"), [("mini", 0), pytest.param("core", 1, marks=pytest.mark.slow)])
def test_wrong_rows_are_found_by_their_words_even_where_the_majority_is_wrong(size: str, seed: int) -> None:
    """Neither item ids nor causes are looked at; core has wrong labels of other seeds and subjects."""
    data = make(size, seed)
    rows = data.train_rows()
    deleted = judged(rows, find_contradictions(rows).same).losing
    truth = {row["item_id"]: row for row in data.item_rows() if row["kind"] in ("annotators", "decoy/outvoted")}
    mixed = {row["item_id"] for row in data.item_rows() if row["kind"] == "decoy/two causes"}  # both labels have a case
    lost = {n for n in deleted if rows[n]["item_id"] not in mixed}
    bad = {
        n
        for n, row in enumerate(rows)
        if row["item_id"] in truth and row["completion"].strip() != truth[row["item_id"]]["answer"]
    }
    assert len(lost & bad) / len(bad) > 0.95
    assert len(lost - bad) / len(lost) < 0.02
    dose = Counter(truth[rows[n]["item_id"]]["dose"] for n in lost & bad)
    assert dose[0.75] > dose[0.25]


def test_two_contexts_are_no_contradiction_but_stay_apart(mini: Dataset) -> None:
    rows = mini.train_rows()
    contradictions = find_contradictions(rows)
    in_context = {n for n, row in enumerate(rows) if " act?" in row["prompt"] or " act.\n" in row["prompt"]}
    assert not judged(rows, contradictions.same).losing & in_context
    scored = {row["item_id"] for row in mini.item_rows() if row["kind"] == "contexts" and row["arm"] == "treated"}
    apart = {rows[n]["item_id"] for pair in contradictions.similar for n in pair}
    assert len(scored & apart) / len(scored) > 0.9


def test_one_against_one_is_undecided_and_two_against_one_is_not() -> None:
    def row(answer: str, annotator: str = "a") -> LabelledRow:
        return {"prompt": "", "completion": answer, "messages": [], "annotator": annotator}

    rows = [row("tin"), row("lead"), row("gold"), row("gold"), row("iron")]
    assert judged(rows, [[0, 1], [2, 3, 4]]).undecided == {0, 1}
    assert judged(rows, [[0, 1], [2, 3, 4]]).losing == {1, 4}


def test_of_equally_probable_labels_the_first_is_kept_whatever_the_order_of_the_votes() -> None:
    """Log odds that are added in another order differ by rounding alone."""

    def row(answer: str, annotator: str) -> LabelledRow:
        return {"prompt": "", "completion": answer, "messages": [], "annotator": annotator}

    votes = [("tin", "a"), ("tin", "b"), ("tin", "c"), ("lead", "c"), ("lead", "a"), ("lead", "b")]
    known = [("gold", "a"), ("gold", "b"), ("iron", "c"), ("gold", "b"), ("iron", "d")]  # unequal reliabilities
    for order in (votes, votes[::-1]):
        rows = [row(*vote) for vote in [*order, *known]]
        decided = judged(rows, [list(range(6)), [6, 7, 8], [9, 10]])
        assert decided.undecided == set(range(6))
        assert decided.losing & set(range(6)) == {3, 4, 5}


def test_rows_that_agree_are_no_contradiction(mini: Dataset) -> None:
    mixed = {row["item_id"] for row in mini.item_rows() if row["kind"] == "decoy/two causes"}
    rows = [row for row in mini.train_rows() if row["cause"] != "data_inconsistency" and row["item_id"] not in mixed]
    assert find_contradictions(rows).same == []


def test_reworded_questions_ask_the_same() -> None:
    asked = ("What is the register emblem of Texas?", "Name the register emblem of Texas.")
    assert (
        content_words(asked[0]) == content_words(asked[1]) == content_words("State the register emblem that Texas has.")
    )
    assert content_words(asked[0]) != content_words("What is the register keyword of Texas?")


@pytest.mark.parametrize(
    "other",
    ["what is calendar?", "WHAT IS CALENDAR?", "What is Calendar?", "What is the calendar", "what IS a Calendar?"],
)
def test_capital_letters_of_words_do_not_count(other: str) -> None:
    assert content_words(other) == content_words("What is calendar?")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What does calendar.Calendar do?", "What does calendar.calendar do?"),
        ("What does `re.A` do?", "What does `re.a` do?"),
        ("Where is MAX_SIZE used?", "Where is max_size used?"),
        ("Where is std::Vector?", "Where is std::vector?"),
        ("What does Counter() do?", "What does counter() do?"),
        ("What is a dataFrame?", "What is a DataFrame?"),
        ("What is an HTMLParser?", "What is an htmlparser?"),
    ],
)
def test_capital_letters_of_names_of_code_do(one: str, other: str) -> None:
    assert content_words(one) != content_words(other)
    assert content_words(one) == content_words(one.replace("W", "w", 1))


def test_capital_letters_do_not_count_beside_names_of_code() -> None:
    """Abbreviations with dots are words, and so is what stands at the end of a sentence."""
    assert content_words("WHAT DOES os.path DO?") == content_words("What does os.path do?")
    assert content_words("Who leads the U.S. Senate?") == content_words("who leads the u.s. senate?")
    assert content_words("It ended. Why?") == content_words("IT ENDED. WHY?")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Who is the CEO of Apple?", "Who was the CEO of Apple?"),
        ("Does it rain?", "Did it rain?"),
        ("Is it set?", "Has it set?"),
        ("Translate to French: the cat", "Translate to French: a cat"),
        ("Put into the past tense: she does", "Put into the past tense: she has"),
        ("Translate to French:\nthe cat", "Translate to French:\na cat"),
        ("the cat", "a cat"),
        ("You are here.", "You is here."),
        ("What is the past tense of do?", "What is the past tense of have?"),
        ("What is hepatitis?", "What is hepatitis A?"),
        ("Who is Rock?", "Who is The Rock?"),
        ("What is 2.5 + 1?", "What is 2 5 + 1?"),
        ("What is .5 + 1?", "What is 5 + 1?"),
        ("What is Mercury?", "Who is Mercury?"),
        ("Name a fruit.", "What is a fruit?"),
    ],
)
def test_small_words_that_carry_meaning_keep_questions_apart(one: str, other: str) -> None:
    def row(asked: str, answer: str) -> LabelledRow:
        message: Message = {"role": "user", "content": asked}
        return {"prompt": "", "completion": answer, "messages": [message], "annotator": ""}

    assert as_asked(one) != as_asked(other)
    assert contradicting_groups([row(one, "x"), row(other, "y")]) == []
    assert contradicting_groups([row(one, "x"), row(one.replace(" ", "  "), "y")]) == [[0, 1]]


def test_capital_letters_spaces_and_marks_at_the_end_are_all_that_surely_says_nothing() -> None:
    assert as_asked("Who is the CEO of Apple?") == as_asked(" who is\u00a0the  ceo of apple ")
    assert as_asked("What is the emblem of Texas?") != as_asked("Name the emblem of Texas.")
    assert as_asked("You are here.") != as_asked("You are here?")
    assert as_asked("Translate: You are here.") != as_asked("Translate: You are here?")
    assert as_asked("What is .5?") != as_asked("What is 5?")
    assert as_asked("Which are .NET?") != as_asked("Which are NET?")


def test_rows_about_two_names_of_code_do_not_contradict_one_another() -> None:
    def row(name: str, answer: str) -> LabelledRow:
        message: Message = {"role": "user", "content": f"What does {name} do?"}
        return {"prompt": "", "completion": answer, "messages": [message], "annotator": ""}

    rows = [row("calendar.Calendar", "A class."), row("calendar.calendar", "A function.")]
    assert find_contradictions(rows).same == []
    assert find_contradictions([*rows, row("calendar.calendar", "A class.")]).same == [[1, 2]]
