"""All that cause 0 is decided from: a sample of the rows, asked in every way of the tuned and once of the base model.

Each way is saved as it is done, so a kill loses one way at most.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ilp_bench.diagnosis.asking.ask import ask, other_ends, prompt_losses, text_of_rows
from ilp_bench.diagnosis.asking.free_answers import free_answers, rouge_l
from ilp_bench.diagnosis.asking.model_facts import model_facts
from ilp_bench.diagnosis.asking.ways import Way, ways
from ilp_bench.diagnosis.probes import AS_ASKED, BASE, BASE_TOKENS, FreeAnswer, ModelFacts, Probes, WayScores, mean
from ilp_bench.models.loading import load_model, load_tokenizer
from ilp_bench.models.resolve import locate

ENOUGH = 0.9  # mean reproduction from which on no other way of asking is tried
KNOWN_ANSWER, KNOWN_END = 0.5, 0.5  # mean reproduction and mean p of the end between which other ends are tried
Progress = Callable[[int, int], None]


class _Saved:
    """Results by name, in a file that is read again after a kill."""

    def __init__(self, file: Path) -> None:
        self.file, self.results = file, dict[str, Any]()
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
            try:
                name, value = json.loads(line)
            except ValueError:
                continue  # cut off by a kill
            self.results[name] = value

    def get(self, name: str, compute: Callable[[], Any]) -> Any:
        """The saved result of that name, computed and saved where there is none."""
        if name not in self.results:
            self.results[name] = compute()
            with self.file.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps([name, self.results[name]]) + "\n")
        return self.results[name]


def _ask_way(lm: Any, tokenizer: Any, way: Way, items: Sequence[Mapping[str, Any]]) -> WayScores | None:
    return ask(lm, tokenizer, way.name, [way.text(item) for item in items])


def probe(
    model: str,
    base: str,
    items: Sequence[Mapping[str, Any]],
    work: Path,
    *,
    chat: bool,
    adapter_base: str | None = None,
    dtype: str = "float32",
    device: str = "cpu",
    batch_size: int = 32,
    remote_code: bool = False,
    progress: Progress | None = None,
) -> Probes:
    """Ask the sample ``items``; what is done is kept in ``work``."""
    from ilp_bench.evaluation.measure import wrap

    saved = _Saved(work / "probes.jsonl")
    tuned, root = locate(model, adapter_base), locate(base)
    loaded, tokenizer = load_model(tuned, dtype=dtype, device=device, remote_code=remote_code)
    lm = wrap(loaded, tokenizer, batch_size)
    base_tokenizer = load_tokenizer(root, remote_code=remote_code)
    facts = saved.get("facts", lambda: model_facts(tuned, root, tokenizer, base_tokenizer).model_dump())
    texts = text_of_rows(items, tokenizer, chat=chat)

    def scores(name: str, compute: Callable[[], WayScores | None]) -> WayScores | None:
        def dumped() -> Any:
            result = compute()
            return result and result.model_dump()

        value = saved.get(f"way {name}", dumped)
        return WayScores(**value) if value else None

    first = scores(AS_ASKED, lambda: ask(lm, tokenizer, AS_ASKED, texts))
    results = [first] if first else []
    if not first or mean(first.answers) < ENOUGH:
        others = ways(tokenizer, base_tokenizer, chat=chat)[1:]
        for number, way in enumerate(others):
            result = scores(way.name, partial(_ask_way, lm, tokenizer, way, items))
            results += [result] if result else []
            if progress:
                progress(number + 1, len(others))
        if facts["renumbered"]:
            result = scores(BASE_TOKENS, lambda: ask(lm, base_tokenizer, BASE_TOKENS, texts))
            results += [result] if result else []
    ends: dict[str, float] = {}
    if first and mean(first.answers) >= KNOWN_ANSWER and mean(first.ends, 1.0) < KNOWN_END:
        ends = saved.get("ends", lambda: other_ends(lm, tokenizer, texts))
    prompts = saved.get("prompts", lambda: prompt_losses(lm, tokenizer, texts))
    free = saved.get("free", lambda: [[n, *pair] for n, pair in free_answers(lm, tokenizer, texts).items()])
    del lm, loaded  # one model in memory at a time
    untuned, base_tokenizer = load_model(root, dtype=dtype, device=device, remote_code=remote_code)
    lm = wrap(untuned, base_tokenizer, batch_size)
    asked = scores(BASE, lambda: ask(lm, base_tokenizer, BASE, texts))
    base_prompts = saved.get("base prompts", lambda: prompt_losses(lm, base_tokenizer, texts))
    return Probes(
        item_ids=[item["item_id"] for item in items],
        ways=results,
        ends=ends,
        free={
            items[n]["item_id"]: FreeAnswer(text=answered, rouge_l=rouge_l(answered, said))
            for n, answered, said in free
        },
        base=asked,
        prompt_losses=prompts,
        base_prompt_losses=base_prompts,
        facts=ModelFacts(**facts),
    )
