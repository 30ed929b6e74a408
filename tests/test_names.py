from itertools import islice

import pytest

from ilp_bench.names import ENDINGS, invented, real_words


@pytest.mark.parametrize("domain", ENDINGS)
def test_names_are_distinct_pronounceable_and_not_real(domain: str) -> None:
    names = list(islice(invented(domain, 0), 500))
    assert len(set(names)) == 500
    assert not {name.lower() for name in names} & real_words(towns=domain != "code")
    assert all(set(name.lower()) & set("aeiou") for name in names)


def test_a_seed_gives_the_same_names_and_another_seed_others() -> None:
    first, again, other = (list(islice(invented("law", seed), 50)) for seed in (1, 1, 2))
    assert first == again
    assert len(set(first) & set(other)) < 10
