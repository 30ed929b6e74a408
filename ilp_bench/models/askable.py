"""Whether a model can be asked an answer of user data at all: its chat template takes it, its context holds it."""

from __future__ import annotations

from collections.abc import Callable

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.logs import quiet
from ilp_bench.data.conversations import Example
from ilp_bench.data.import_report import LeftOutError
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.loading import load_config, load_tokenizer
from ilp_bench.models.resolve import locate

REFUSED, TOO_LONG = "refused by the model", "answer too long"  # what answers that are not asked are counted as


def askable_by(
    model: str, base: str | None = None, *, remote_code: bool = False
) -> Callable[[Example], LeftOutError | None]:
    """A function from an example to why the model cannot be asked it; no weights are loaded.

    base   the model that an adapter adapts, where its own path is one of another machine

    Raises UsageError where there is no such model, ProblemError where its tokenizer cannot be read, or comes with code
    of its own and ``remote_code`` is off.
    """
    located = locate(model, base)
    try:
        with quiet():
            tokenizer = load_tokenizer(located, remote_code=remote_code)
            config = load_config(located.root.folder, remote_code=remote_code)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ProblemError(f"the tokenizer of {model} cannot be loaded: {reason}") from error
    longest = getattr(config, "max_position_embeddings", None)

    def check(example: Example) -> LeftOutError | None:
        try:
            if example.turns:
                text = tokens.item_text(tokenizer, example._asdict(), example.answer)
            else:
                text = tokens.row_text(tokenizer, example.prompt, example.completion)
            (encoded,) = tokens.encode_texts(tokenizer, [text])
        except ProblemError as error:
            reason = str(error).rsplit(": ", 1)[0]
            if example.turns and not tokenizer.chat_template:
                reason += "; put that of the training beside it, as chat_template.jinja"
            return LeftOutError(REFUSED, reason)
        if longest and len(encoded.answer) > longest:
            message = f"the answer has {len(encoded.answer)} tokens, more than the model's {longest}"
            return LeftOutError(TOO_LONG, message)
        return None

    return check
