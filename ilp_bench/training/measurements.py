"""What is measured of a model while it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.metrics import Array, learned
from ilp_bench.evaluation.measure import score, wrap
from ilp_bench.evaluation.samples import Scores
from ilp_bench.recipes.phase import Epoch, Example
from ilp_bench.training.collators import encode_pairs


class Measurements:
    """Measures completions under the model of a trainer as it is at the moment.

    ``diverged`` is the error message where its weights are not finite any more; with ``chat``, completions are measured
    under the chat template.
    """

    def __init__(self, trainer: Any, tokenizer: Any, diverged: str, *, chat: bool = False) -> None:
        self.trainer, self.tokenizer, self.diverged, self.chat = trainer, tokenizer, diverged, chat

    def scores(self, examples: Sequence[Example]) -> Scores:
        """Scores of the completions. Raises ProblemError where the model has diverged."""
        pairs, model = encode_pairs(self.tokenizer, examples, chat=self.chat), self.trainer.model
        model.eval()
        try:
            scores = score(wrap(model, self.tokenizer), pairs)
        except ProblemError as error:
            if any(not part.isfinite().all() for part in model.parameters()):
                raise ProblemError(self.diverged) from error
            raise
        model.train()
        return scores

    def p(self, examples: Sequence[Example]) -> Array:
        """Probabilities of the completions, (examples,) in [0, 1]."""
        return np.asarray(np.exp(np.minimum(self.scores(examples).logprob, 0.0)))

    def mean_p(self, examples: Sequence[Example]) -> float | None:
        """Their mean, to five digits; None without examples."""
        return round(self._agreed(float(self.p(examples).mean())), 5) if examples else None

    def rates(self, examples: Sequence[Example]) -> Array:
        """Learned rates of examples, (examples,) in [0, 1]: the same in all processes, which choose batches by them."""
        import torch

        rates, accelerator = learned(self.p(examples)), self.trainer.accelerator
        if accelerator.num_processes == 1:
            return rates
        tensor = torch.tensor(rates, device=self.trainer.args.device)
        return np.asarray(accelerator.reduce(tensor, "mean").cpu().numpy())

    def epoch(self, examples: Sequence[Example]) -> Epoch:
        """Share of the examples learned, and their loss in nats a token."""
        scores = self.scores(examples)
        rate = float(learned(np.exp(np.minimum(scores.logprob, 0.0))).mean())
        return Epoch(self._agreed(rate), float(-scores.logprob.sum() / scores.tokens.sum()))

    def _agreed(self, value: float) -> float:
        """The mean over all processes, so that all of them stop at the same check; to be called by all of them."""
        import torch

        tensor = torch.tensor(value, device=self.trainer.args.device)
        return float(self.trainer.accelerator.reduce(tensor, "mean"))
