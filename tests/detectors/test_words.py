"""Detectors read questions in every script: their marks, languages without spaces, text from right to left."""

from __future__ import annotations

import random
import re
import unicodedata
from typing import Any

import pytest

from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.beliefs import with_exemplars
from ilp_bench.detectors.contradictions import content_words, contradicting_groups, find_contradictions
from ilp_bench.detectors.labelled_row import LabelledRow
from ilp_bench.detectors.rare_patterns import kinds_with_one_gap, repetitions
from ilp_bench.detectors.similarity import word_similarity
from ilp_bench.detectors.words import letters_and_numbers, needs_terms, similarity_terms, words

CAPITAL = {  # how the capital of {} is asked for
    "chinese": "{}的首都是哪里？",
    "japanese": "{}の首都はどこですか？",
    "thai": "เมืองหลวงของ{}คือที่ใด?",
    "arabic": "ما هي عاصمة {}؟",
    "hindi": "{} की राजधानी क्या है?",
    "french": "Quelle est la capitale de {} ?",
    "greek": "Ποια είναι η πρωτεύουσα της {}\u037e",
    "english": "What is the capital of {}?",
}
COUNTRIES = {
    "chinese": ("法国", "德国"),
    "japanese": ("フランス", "ドイツ"),
    "thai": ("ฝรั่งเศส", "เยอรมนี"),
    "arabic": ("فرنسا", "ألمانيا"),
    "hindi": ("फ़्रांस", "जर्मनी"),
    "french": ("l'Érythrée", "l'Égypte"),
    "greek": ("Γαλλίας", "Γερμανίας"),
    "english": ("France", "Germany"),
}
CURRENCY = {
    "chinese": "{}的货币是什么？",
    "japanese": "{}の通貨は何ですか？",
    "thai": "สกุลเงินของ{}คืออะไร?",
    "arabic": "ما هي عملة {}؟",
    "hindi": "{} की मुद्रा क्या है?",
    "french": "Quelle est la monnaie de {} ?",
    "greek": "Ποιο είναι το νόμισμα της {}\u037e",
    "english": "What is the currency of {}?",
}
LANGUAGES = list(CAPITAL)


def row(question: str, answer: str) -> LabelledRow:
    return {
        "prompt": question,
        "completion": f" {answer}\n",
        "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
        "annotator": "",
    }


def variants(text: str) -> list[str]:
    """The same question as people write it: other forms of its characters, no mark, marks of direction, spaces."""
    mark = text.rstrip()[-1]
    return [
        text,
        unicodedata.normalize("NFD", text),
        text.removesuffix(mark),
        "\u200f" + text + "\u200e",
        text.removesuffix(mark).rstrip() + "\u00a0" + mark + mark,
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_question_is_the_same_and_another_is_not(language: str) -> None:
    first, second = (CAPITAL[language].format(country) for country in COUNTRIES[language])
    assert len({content_words(text) for text in variants(first)}) == 1
    assert (
        len(
            {
                content_words(first),
                content_words(second),
                content_words(CURRENCY[language].format(COUNTRIES[language][0])),
            }
        )
        == 3
    )
    rows = [row(text, "A") for text in variants(first)] + [row(second, "B"), row(first, "C")]
    assert contradicting_groups(rows) == [[0, 1, 2, 3, 4, 6]]
    assert find_contradictions(rows).same == [[0, 1, 2, 3, 4, 6]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_answer_in_two_forms_is_no_contradiction(language: str) -> None:
    question, answer = CAPITAL[language].format("X"), COUNTRIES[language][0]
    forms = (answer, unicodedata.normalize("NFD", answer), f"\u200f{answer}")
    assert contradicting_groups([row(question, form) for form in forms]) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_nearly_the_same_question_is_found_in_every_script(language: str) -> None:
    """An added word is near, another country is not."""
    capital, (first, second) = CAPITAL[language], COUNTRIES[language]
    others = [CURRENCY[language].format(second)] * 6
    near = list(word_similarity([capital.format(first), f"{capital.format(first)} 1", *others, capital.format(second)]))
    assert (0, 1) in near
    assert not {(0, n) for n in range(2, 8)} & set(near)


def names(language: str, count: int) -> list[str]:
    """Invented names of three letters that the questions do not have, no two with more than chance in common."""
    letters = {
        "chinese": [chr(0x4E00 + 37 * n) for n in range(300)],
        "japanese": [chr(0x4E00 + 41 * n) for n in range(300)],
        "thai": "กขคฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬ",
        "arabic": "بتثجحخدذرزسشصضطظعغفقكلمنهوي",
        "hindi": [letter + "ि" for letter in "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह"],
    }.get(language, "bcdfghjklmnpqrstvwxz")
    taken = set(CAPITAL[language] + CURRENCY[language]) if needs_terms(CAPITAL[language]) else set()
    letters = [letter for letter in letters if letter[0] not in taken]
    rng = random.Random(0)
    return list({"".join(rng.choices(letters, k=3)): None for _ in range(2 * count)})[:count]


@pytest.mark.parametrize("language", LANGUAGES)
def test_kinds_of_questions_and_rare_patterns_are_found_in_every_script(language: str) -> None:
    """Two kinds of questions about 30 invented names; and 9 codes of one family beside one of another."""
    asked = [form[language].format(name) for name in names(language, 30) for form in (CAPITAL, CURRENCY)]
    kinds = kinds_with_one_gap(asked)
    assert set(kinds[::2]).isdisjoint(kinds[1::2])
    assert len(set(kinds)) == 2
    common, rare, *_ = names(language, 30)
    codes = [CAPITAL[language].format(f"{common} {n}") for n in range(9)] + [CAPITAL[language].format(f"{rare} 77")]
    assert repetitions(asked + codes) == [1] * (len(asked) + 9) + [9]


def test_words_of_mixed_scripts() -> None:
    assert words("Box amber是什么颜色？") == ["Box", "amber", "是", "什", "么", "颜", "色"]
    assert words("ที่ไหน?") == ["ที่", "ไ", "ห", "น"]
    assert letters_and_numbers("क्या है code 42?") == ["क्या", "है", "code", "42"]
    assert similarity_terms("Tokyo 東京都") == ["tokyo", "東", "京", "都", "東京", "京都"]
    assert content_words("2² is?") != content_words("22 is?")
    assert not needs_terms("São Tomé")


def test_exemplars_are_chosen_by_likeness_in_scripts_without_spaces() -> None:
    exemplars: list[Any] = [
        {"prompt": text + "\n", "completion": f" {n}\n"}
        for n, text in enumerate(
            [*(f"{name}在哪里？" for name in "甲乙丙丁"), *(f"{name}有多重？" for name in "甲乙丙丁")]
        )
    ]
    (shown,) = with_exemplars(exemplars, ["戊有多重？"])
    assert re.findall(r" (\d)\n", shown) == ["4", "5", "6", "7"]


def test_ascii_is_read_as_before(mini: Dataset) -> None:
    """On the controlled data the patterns are those that the paper's runs were made with."""
    asked = [row["messages"][0]["content"] for row in mini.train_rows()]
    assert [words(text) for text in asked] == [re.findall(r"[^\s?.]+", text) for text in asked]
    assert [letters_and_numbers(text) for text in asked] == [re.findall(r"[^\W\d_]+|\d+", text) for text in asked]
    assert [similarity_terms(text) for text in asked] == [re.findall(r"[^\s?.]+", text.lower()) for text in asked]
    assert not any(map(needs_terms, asked))
