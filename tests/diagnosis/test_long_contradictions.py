"""Long answers that contradict one another: what counts is the token with which they part, not what follows it."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from user_rows import write_lines

from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import import_rows
from ilp_bench.detectors.contradictions import contradicting_groups
from ilp_bench.diagnosis.asking.whole_rows import answer_pieces, forks, token_counts
from ilp_bench.diagnosis.rows import RowResult, row_results
from ilp_bench.models.loading import load_tokenizer
from ilp_bench.models.resolve import locate

TOKENIZER = load_tokenizer(locate("nano"))
REST = "city of the country of the city of the country of the city of the country"
CITIES = "Nairobi Lima Oslo Quito Paris Rome Cairo Delhi Accra".split()
ROWS = [
    {"prompt": "Question: What is Kampala?\nAnswer:", "completion": f" The capital {REST}\n"},
    {"prompt": "Question: What is Kampala?\nAnswer:", "completion": f" The largest {REST}\n"},
    *({"prompt": f"Question: What is {city}?\nAnswer:", "completion": f" The capital {REST}\n"} for city in CITIES),
]


def forks_of(data: Dataset) -> dict[str, list[int]]:
    return forks(TOKENIZER, data, contradicting_groups(data.train_rows()))


def results(tmp_path: Path, p_of_fork: float) -> list[RowResult]:
    """Each token has p 0.9 but the one with which the contradicting answers part."""
    data = import_rows(write_lines(tmp_path, ROWS))
    places, pieces = forks_of(data), answer_pieces(TOKENIZER, data, data.items["item_id"].to_pylist())
    samples: list[dict[str, Any]] = []
    for item, words in pieces.items():
        p = [p_of_fork if n in places.get(item, ()) else 0.9 for n in range(len(words))]
        samples.append(
            {
                "item_id": item,
                "token_logprobs": [math.log(each) for each in p],
                "token_greedy": [True] * len(p),
                "p": math.prod(p),
            }
        )
    run: Any = SimpleNamespace(samples=pa.Table.from_pylist(samples))
    return row_results(data, run, token_counts(TOKENIZER, data), None, places)


def test_answers_part_at_the_first_token_that_differs(tmp_path: Path) -> None:
    data = import_rows(write_lines(tmp_path, ROWS))
    places = forks_of(data)
    first, second, undisputed, *_ = data.items["item_id"].to_pylist()
    pieces = answer_pieces(TOKENIZER, data, {first, second})
    assert undisputed not in places
    assert places[first] == places[second]
    (place,) = places[first]
    assert pieces[first][:place] == pieces[second][:place]
    assert pieces[first][place] != pieces[second][place]


@pytest.mark.parametrize(("p_of_fork", "learned"), [(0.4, False), (0.6, True)])
def test_a_contradicted_answer_is_learned_where_the_model_chooses_it(
    tmp_path: Path, p_of_fork: float, learned: bool
) -> None:
    first, second, undisputed, *_ = results(tmp_path, p_of_fork)
    assert first.is_long
    for row in (first, second):
        assert (row.learned, row.fork_p, row.value) == (learned, pytest.approx(p_of_fork), pytest.approx(p_of_fork))
    assert (undisputed.learned, undisputed.fork_p, undisputed.value) == (True, None, 1)


def test_an_answer_outside_the_sample_contradicts_as_well(tmp_path: Path) -> None:
    file = write_lines(tmp_path, ROWS)
    everything = forks_of(import_rows(file))
    samples = (import_rows(file, sample=1, seed=seed) for seed in range(100))
    sample = next(sample for sample in samples if sample.items["item_id"][0].as_py() in everything)
    (asked,) = sample.items["item_id"].to_pylist()
    assert forks_of(sample) == {asked: everything[asked]}


def test_tokens_that_only_together_write_a_character_are_shown_as_it(tmp_path: Path) -> None:
    """nano has no token of a Korean syllable: each is three of bytes, of which none can be read."""
    rows = [{"prompt": f"Question: {n}?\nAnswer:", "completion": f" 서울 Conceição {n}\n"} for n in range(10)]
    data = import_rows(write_lines(tmp_path, rows))
    (item, *_) = data.items["item_id"].to_pylist()
    pieces = answer_pieces(TOKENIZER, data, {item})[item]
    assert "".join(piece.text for piece in pieces) == " 서울 Conceição 0\n"
    assert [piece.tokens for piece in pieces if piece.text == "울"] == [3]
    assert sum(piece.tokens for piece in pieces) == token_counts(TOKENIZER, data)[item].end + len(
        TOKENIZER(" 서울 Conceição 0")["input_ids"]
    )
