"""The hf backend: lm-eval's transformers class, with the vocabulary head only where an answer token is scored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from lm_eval.models.huggingface import HFLM

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.logs import quiet
from ilp_bench.evaluation.batches import map_in_batches
from ilp_bench.evaluation.generation import SAMPLED, at_once
from ilp_bench.evaluation.request_plan import Request
from ilp_bench.evaluation.shared_prefix import PrefixCache, shared_tokens


class TokenScores(NamedTuple):
    """Of each token of a completion: its log-probability, and whether greedy decoding gives it after those before."""

    logprobs: list[float]
    greedy: list[bool]


@contextmanager
def _heads_kept(model: Any) -> Iterator[None]:
    """Let nobody tie the head of a model to its embeddings, as lm-eval does where the config says so.

    transformers leaves a head of its own untied though the config ties it; tied afterwards, it would be another model,
    and one in training would lose a parameter.
    """
    vars(model)["tie_weights"] = lambda *_, **__: None
    try:
        yield
    finally:
        del vars(model)["tie_weights"]


class AnswerLM(HFLM):  # type: ignore[misc]
    """lm-eval's HFLM that scores only the positions of the completion, and reads a shared prompt once.

    A batch that does not fit into memory is halved until it does; ``fitted`` is the size that did.
    """

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 64) -> None:
        with quiet(), _heads_kept(model):
            super().__init__(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, max_batch_size=batch_size)
        self.fitted = batch_size
        self._prefix = PrefixCache(model)

    def _loglikelihood_tokens(
        self, requests: Any, disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        """(log-probability of the completion, whether greedy decoding gives it) of each (key, context, completion)."""
        del disable_tqdm, override_bs
        pairs = [(tuple(context), tuple(answer)) for _, context, answer in requests]
        return [(math.fsum(scores.logprobs), all(scores.greedy)) for scores in self.token_logprobs(pairs)]

    def token_logprobs(self, pairs: Sequence[Request]) -> list[TokenScores]:
        """The scores of the tokens of each request's completion."""
        order = sorted(range(len(pairs)), key=lambda n: -len(pairs[n][0]) - len(pairs[n][1]))
        longest = self.max_length  # lm-eval looks it up in the config each time
        ordered, self.fitted = map_in_batches(
            self._score, [self._cut(pairs[n], longest) for n in order], self.fitted, "sequence"
        )
        results = dict(zip(order, ordered, strict=True))
        return [results[n] for n in range(len(pairs))]

    def _cut(self, request: Request, longest: int) -> Request:
        """The request as far as ``longest`` tokens reach, cut from the left; a completion is never cut."""
        context, answer = request
        room = longest + 1 - len(answer)
        if room < 1:
            begin = self.tokenizer.decode(list(answer[:8]))
            raise ProblemError(
                f"the answer {begin!r} … has {len(answer)} tokens, more than the model's {longest}: remove it, "
                "or import the rows again with the model named, which leaves such answers out"
            )
        return context[-room:], answer

    @torch.no_grad()
    def _score(self, requests: Sequence[Request]) -> list[TokenScores]:
        shared = shared_tokens([context for context, _ in requests])
        past = self._prefix.read(requests[0][0][:shared], len(requests)) if shared else None
        if past is None:
            shared = 0
        rows = [(*context[shared:], *answer[:-1]) for context, answer in requests]
        width, starts = (
            max(map(len, rows)),
            [len(row) - len(answer) for row, (_, answer) in zip(rows, requests, strict=True)],
        )
        # Padding stands on the right, where no scored position looks at it.
        ids = torch.tensor([row + (0,) * (width - len(row)) for row in rows], device=self.device)
        keep = width - min(starts)
        extra: dict[str, Any] = {"logits_to_keep": keep} if self._prefix.keeps else {}
        extra |= {self._prefix.argument: past, "use_cache": True} if past is not None else {"use_cache": False}
        logits = self.model(ids, **extra).logits[:, -keep:].float()
        longest = max(len(answer) for _, answer in requests)
        places = torch.zeros(len(rows), longest, dtype=torch.long)
        targets = torch.zeros_like(places)
        for n, ((_, answer), begin) in enumerate(zip(requests, starts, strict=True)):
            first = begin - (width - keep)
            places[n, : len(answer)] = torch.arange(first, first + len(answer))
            targets[n, : len(answer)] = torch.tensor(answer)
        places, targets = places.to(self.device), targets.to(self.device)
        picked = logits.gather(1, places[..., None].expand(-1, -1, logits.shape[-1]))
        chosen = picked.gather(2, targets[..., None])[..., 0] - picked.logsumexp(-1)
        greedy = picked.argmax(-1) == targets
        return [
            TokenScores(logprobs[: len(answer)], matches[: len(answer)])
            for logprobs, matches, (_, answer) in zip(chosen.tolist(), greedy.tolist(), requests, strict=True)
        ]

    @torch.no_grad()
    def count_reproduced(self, request: Request, draws: int) -> int:
        """How many of ``draws`` answers, sampled at temperature 1 from the bare distribution, are the completion.

        Raises ProblemError where anything, such as the model's own generation config, changes the distribution.
        """
        context, answer = self._cut(request, self.max_length)
        ids, hits, left = torch.tensor([context], device=self.device), 0, draws
        while left:
            count = min(left, at_once(self.model, self.fitted))
            done = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                num_return_sequences=count,
                **SAMPLED,
                max_new_tokens=len(answer),
                min_new_tokens=None,
                pad_token_id=0,
                output_logits=True,
                output_scores=True,
                return_dict_in_generate=True,
            )
            for raw, processed in zip(done.logits, done.scores, strict=True):
                if not torch.equal(raw.float(), processed.float()):
                    raise ProblemError("the model's generation config changes the sampled distribution: remove it")
            drawn = done.sequences[:, len(context) :].tolist()
            hits += sum(row[: len(answer)] == list(answer) for row in drawn)
            left -= count
        return hits
