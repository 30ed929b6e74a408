import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ilp_bench.core.distributed import Processes
from ilp_bench.core.errors import UsageError
from ilp_bench.detectors.beliefs import Answer
from ilp_bench.training.saved_answers import BLOCK, SavedAnswers
from ilp_bench.training.training_state import TrainingState

PROMPTS = [f"{'long ' * (number % 7)}question {number}" for number in range(2 * BLOCK + 5)]


class Model:
    """Answers with the prompt's last word, and remembers what it was asked; is killed before the block ``dies``."""

    def __init__(self, dies: int | None = None) -> None:
        self.asked: list[list[str]] = []
        self._dies = dies

    def __call__(self, prompts: Sequence[str]) -> list[Answer]:
        if len(self.asked) == self._dies:
            raise KeyboardInterrupt
        self.asked.append(list(prompts))
        return [Answer(prompt.split()[-1], 1 / 3) for prompt in prompts]


def test_every_prompt_is_asked_once_and_answered_in_its_place(tmp_path: Path) -> None:
    model, told = Model(), list[tuple[int, int]]()
    ask = SavedAnswers(tmp_path, Processes(), model, lambda *far: told.append(far))
    twice = [*PROMPTS, PROMPTS[3]]
    assert ask(twice) == [Answer(prompt.split()[-1], 1 / 3) for prompt in twice]
    assert sorted(prompt for block in model.asked for prompt in block) == sorted(PROMPTS)
    assert told == [(BLOCK, len(PROMPTS)), (2 * BLOCK, len(PROMPTS)), (len(PROMPTS), len(PROMPTS))]


@pytest.mark.parametrize("cut", [0, 20], ids=["whole", "cut off"])
def test_killed_it_asks_only_the_rest(cut: int, tmp_path: Path) -> None:
    """In the blocks in which it would have been asked; a line that was cut off is asked again."""
    file, unbroken = tmp_path / "answers-0.jsonl", Model()
    (tmp_path / "unbroken").mkdir()
    expected = SavedAnswers(tmp_path / "unbroken", Processes(), unbroken)(PROMPTS)
    with pytest.raises(KeyboardInterrupt):
        SavedAnswers(tmp_path, Processes(), Model(dies=2))(PROMPTS)
    file.write_bytes(file.read_bytes()[: -cut or None])
    rest = Model()
    assert SavedAnswers(tmp_path, Processes(), rest)(PROMPTS) == expected
    assert rest.asked == unbroken.asked[1 if cut else 2 :]
    assert SavedAnswers(tmp_path, Processes(), Model(dies=0))(PROMPTS) == expected, "all are saved"
    assert SavedAnswers(tmp_path, Processes(3), Model(dies=0))(PROMPTS) == expected, "and read by every process"


def test_processes_share_the_blocks_and_have_the_same_answers(tmp_path: Path) -> None:
    """Also where their machines compute otherwise: recipes decide by these answers, and must decide alike."""
    together = threading.Barrier(2)

    class Two(Processes):
        def wait(self) -> None:
            together.wait(timeout=60)

    class Other(Model):
        def __call__(self, prompts: Sequence[str]) -> list[Answer]:
            return [answer._replace(confidence=0.5) for answer in super().__call__(prompts)]

    models = Model(), Other()
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(SavedAnswers(tmp_path, Two(rank, 2), model), PROMPTS) for rank, model in enumerate(models)]
        first, second = (call.result() for call in calls)
    assert first == second
    assert {answer.confidence for answer in first} == {1 / 3, 0.5}
    assert [list(map(len, model.asked)) for model in models] == [[BLOCK, 5], [BLOCK]]


def stopped(out: Path, about: dict[str, str], model: Model, *, trains: bool) -> None:
    """A training that is stopped once its base model was asked, or after that."""
    with TrainingState(out, about) as state:
        SavedAnswers(state.folder, Processes(), model)(PROMPTS)
        if trains:
            state.trainer(0).mkdir()
        raise KeyboardInterrupt


def test_they_serve_another_training_of_the_same_base_model(tmp_path: Path) -> None:
    """Stopped while the base model was asked, nothing is lost, and nothing stands in the way of another recipe."""
    out, begun = tmp_path / "out", {"base": "a", "recipe": "knowledge_cpt"}
    with pytest.raises(KeyboardInterrupt):
        stopped(out, begun, Model(), trains=False)
    with pytest.raises(UsageError, match="unfinished training with another base"):
        stopped(out, begun | {"base": "b"}, Model(), trains=False)
    with pytest.raises(KeyboardInterrupt):
        stopped(out, begun | {"recipe": "auto"}, Model(dies=0), trains=True)
    with pytest.raises(UsageError, match="unfinished training with another recipe"):
        stopped(out, begun, Model(dies=0), trains=False)
