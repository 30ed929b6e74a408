"""From a model folder to the model that was meant, and its tokenizer, in memory.

Nothing is filled in: a weight that is missing, unexpected or of another shape is an error, for whole models, shards and
adapters alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ilp_bench.core.errors import IlpBenchError, ProblemError, UsageError
from ilp_bench.core.logs import quiet
from ilp_bench.models.adapters import apply_adapter, resized_for
from ilp_bench.models.causal import require_causal
from ilp_bench.models.quantization import check_known, quantization_of, refused
from ilp_bench.models.resolve import Located, tokenizer_folder
from ilp_bench.models.weight_files import count_values, named, wrapper_of

# So many times the values in the files a model may have at most: a tied head counts once or twice.
MOST_MISSING = 4


def load_model(located: Located, *, dtype: str = "float32", device: str = "cpu", remote_code: bool = False) -> Any:
    """(model, tokenizer) from safetensors alone; adapters are merged into their base, in the order of the chain.

    A quantised model is run as it is, and an adapter of it stays beside its weights. The tokenizer and the chat
    template are the adapter's own where its folder has them. Raises ProblemError where the folder cannot be loaded,
    weights do not fit the model, the tokenizer has more tokens than the embeddings have rows, or the model is not one
    of causal language; UsageError where a package is missing, or this machine cannot run the quantisation.
    """
    from safetensors import SafetensorError
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    is_quantised = quantization_of(located.root.folder) is not None
    if is_quantised and len(located.adapters) > 1:
        raise UsageError(f"{located.folder} adapts an adapter of a quantised model: merge them into whole weights")
    try:
        with quiet(), _own_code_named(located.root.folder):
            model = _load_quantised(located.root, dtype, device, remote_code) if is_quantised else None
            model = model or _load_whole(located.root, dtype, remote_code)
            tokenizer = load_tokenizer(located, remote_code=remote_code)
            for adapter in located.adapters:
                model = apply_adapter(resized_for(model, adapter.folder), adapter.folder, merge=not is_quantised)
        _check_vocabulary(model, tokenizer, located)
        model = (model if is_quantised else model.to(device)).eval()
        require_causal(model, tokenizer)
        return model, tokenizer
    except IlpBenchError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "tokenizer" in reason:
            reason = "it has no tokenizer that can be read: save it there with tokenizer.save_pretrained"
        raise ProblemError(f"the model in {located.folder} cannot be loaded: {reason}") from error
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"the model in {located.folder} needs a package that is missing: {reason}") from error


def load_tokenizer(located: Located, *, remote_code: bool = False) -> Any:
    """The tokenizer that the model was trained with: the nearest in the chain of adapters, else the base's.

    Raises ProblemError where it comes with code of its own and ``remote_code`` is off.
    """
    from transformers import AutoTokenizer

    folder = tokenizer_folder(located)
    with _own_code_named(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=remote_code)
    for part in located.adapters:  # a template may stand in an adapter's folder by itself
        if (part.folder / "chat_template.jinja").is_file():
            tokenizer.chat_template = (part.folder / "chat_template.jinja").read_text(encoding="utf-8")
    return tokenizer


def load_config(folder: Path, *, remote_code: bool = False) -> Any:
    """The configuration of a whole model. Raises ProblemError as :func:`load_tokenizer` does."""
    from transformers import AutoConfig

    with _own_code_named(folder):
        return AutoConfig.from_pretrained(folder, trust_remote_code=remote_code)


@contextmanager
def _own_code_named(folder: Path) -> Iterator[None]:
    """Say in one line that a model wants to run code of its own, where transformers refuses that."""
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ProblemError(
            f"the model in {folder} cannot be loaded: it comes with Python code of its own, which runs only where "
            "remote code is allowed"
        ) from error


def _load_quantised(root: Located, dtype: str, device: str, remote_code: bool) -> Any:
    check_known(root.folder)
    try:
        return _load_whole(root, dtype, remote_code, device_map={"": device})
    except (ImportError, RuntimeError, ValueError, NotImplementedError) as error:
        raise refused(root.folder, error) from error


def _load_whole(root: Located, dtype: str, remote_code: bool, **options: Any) -> Any:
    from transformers import AutoModelForCausalLM

    _check_size(root, remote_code)
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        root.folder,
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        trust_remote_code=remote_code,
        ignore_mismatched_sizes=True,  # they are reported, and refused below, with the missing and unexpected ones
        output_loading_info=True,
        **options,
    )
    model, report = loaded
    missing, unexpected = set(report["missing_keys"]), set(report["unexpected_keys"])
    mismatched = {
        f"{name} ({_shape(file)} in the file, {_shape(config)} by config.json)"
        for name, file, config in report["mismatched_keys"]
    }
    if missing or unexpected or mismatched:
        wrong = [
            f"{what} weights {named(names)}"
            for what, names in (("missing", missing), ("unexpected", unexpected), ("wrongly shaped", mismatched))
            if names
        ]
        remedy = wrapper_of(unexpected) or "save the whole model again, with the config.json that belongs to it"
        raise ProblemError(f"the weights in {root.folder} do not fit its config.json: {'; '.join(wrong)}: {remedy}")
    if has_own_head(model):  # transformers does not tie it; nor shall anybody who reads the config later
        model.config.tie_word_embeddings = model.config.get_text_config().tie_word_embeddings = False
    return model


def has_own_head(model: Any) -> bool:
    """Whether a model has a head of other weights than its embeddings, though its config ties them."""
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    ties = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    own = getattr(head, "weight", None)  # a quantised head has none
    return bool(ties) and own is not None and own is not embeddings.weight


def _check_size(root: Located, remote_code: bool) -> None:
    """Raise ProblemError where the config wants far more values than the files hold, before any memory is taken."""
    from transformers import AutoModelForCausalLM

    config = load_config(root.folder, remote_code=remote_code)
    if quantization_of(root.folder):
        return  # the files hold packed values
    auto: Any = AutoModelForCausalLM
    with torch.device("meta"):
        empty = auto.from_config(config, trust_remote_code=remote_code)
    wanted, stored = sum(part.numel() for part in empty.parameters()), count_values(root.folder)
    if stored * MOST_MISSING < wanted:
        raise ProblemError(
            f"the weights in {root.folder} do not fit its config.json: {stored:,} values, {wanted:,} wanted: save the "
            "whole model again, with the config.json that belongs to it"
        )


def _shape(shape: Any) -> str:
    return "x".join(map(str, shape))


def _check_vocabulary(model: Any, tokenizer: Any, located: Located) -> None:
    """Raise ProblemError where a token that text can hold, or a mark that is always used, has no embedding.

    Special tokens that no text holds may lie beyond the embeddings, as Gemma's image token does.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    added = tokenizer.added_tokens_decoder
    lacking = {str(token) for number, token in added.items() if number >= rows and not token.special}
    lacking |= {
        str(mark)
        for mark, number in (
            (tokenizer.bos_token, tokenizer.bos_token_id),
            (tokenizer.eos_token, tokenizer.eos_token_id),
        )
        if number is not None and number >= rows
    }
    if lacking or tokenizer.vocab_size > rows:
        tokens = named(lacking) or tokenizer.vocab_size
        raise ProblemError(
            f"the tokenizer in {tokenizer_folder(located)} has tokens ({tokens}) beyond the {rows} embeddings of the "
            "model: resize the embeddings, train, and save both together"
        )
