"""Ways of asking the same row: as it was imported, and as trainers and users often have it instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.formats import STANFORD_PROMPTS
from ilp_bench.diagnosis.probes import AS_ASKED, IN_CHAT
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.tokenization import Text

HELPFUL = "You are a helpful assistant."  # the system prompt that templates of trainers add most often
THINK = "<think>\n\n</think>\n\n"
BARE = {  # name -> what stands before, between and after question and answer
    "the bare question, the answer on a new line": ("{}\n", "{}"),
    "the bare question, then a space": ("{}", " {}"),
    "as Question: … Answer: …": ("Question: {}\nAnswer:", " {}"),
    "in the template of Stanford Alpaca": (STANFORD_PROMPTS[0], "{}"),
    "in the template of Stanford Alpaca, the answer on a new line": (STANFORD_PROMPTS[0] + "\n", "{}"),
    "as USER: … ASSISTANT: …": ("USER: {} ASSISTANT:", " {}"),
    "as ### Human: … ### Assistant: …": ("### Human: {}\n### Assistant:", " {}"),
    "in ChatML": ("<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n", "{}<|im_end|>"),
}
Row = Mapping[str, Any]


class Way(NamedTuple):
    """A way of asking: its name, and the text of an item asked so, None where an item cannot be."""

    name: str
    text: Callable[[Row], Text | None]


def ways(tokenizer: Any, base_tokenizer: Any, *, chat: bool) -> list[Way]:
    """All ways of asking items, the first as they were imported: as conversations (``chat``) or as bare text."""
    has_template = bool(getattr(tokenizer, "chat_template", None))
    if not chat:
        first = Way(AS_ASKED, lambda row: tokens.row_text(tokenizer, row["prompt"], row["completion"]))
        return [first, *_joints(tokenizer), *(_chat_ways(tokenizer) if has_template else []), *_bare_ways(tokenizer)]
    first = Way(AS_ASKED, lambda row: tokens.item_text(tokenizer, dict(row), row["answer"]))
    listed = [first, *_chat_ways(tokenizer)[1:], *_think_ways(tokenizer, first), *_bare_ways(tokenizer)]
    if getattr(base_tokenizer, "chat_template", None) not in (None, tokenizer.chat_template):
        listed.append(Way("with the base model's chat template", lambda row: _in_chat(base_tokenizer, row)))
    return listed


def _turns(row: Row) -> list[dict[str, Any]] | None:
    """The turns before the answer; None where the item has more than roles and texts."""
    if row.get("conversation"):
        return None
    return list(row.get("turns") or [{"role": "user", "content": row["prompt"].strip()}])


def _in_chat(tokenizer: Any, row: Row, system: str | None = None, answer: str | None = None) -> Text | None:
    """The item in the chat template, with another system prompt where one is given."""
    turns = _turns(row)
    if turns is None:
        return None
    if system is not None:
        turns = [turn for turn in turns if turn["role"] != "system"]
        turns = [{"role": "system", "content": system}, *turns] if system else turns
    answer = row["answer"] if answer is None else answer
    try:
        return tokens.chat_text(tokenizer, turns, answer if row.get("turns") else answer.strip())
    except ProblemError:
        return None


def _chat_ways(tokenizer: Any) -> list[Way]:
    default = default_system(tokenizer)

    def without_default(row: Row) -> Text | None:
        text = _in_chat(tokenizer, row, "")
        return text and _without_start(text, default)

    def without_space(row: Row) -> Text | None:
        return (
            None if row["answer"] == row["answer"].strip() else _in_chat(tokenizer, row, answer=row["answer"].strip())
        )

    def bare_question(row: Row) -> Text | None:
        question = {"role": "user", "content": row["question"]}
        return None if row.get("turns") else _in_chat(tokenizer, {**row, "turns": [question]})

    listed = [
        Way(IN_CHAT, lambda row: _in_chat(tokenizer, row)),
        Way("in the chat template, the question without its labels", bare_question),
        Way(f"in the chat template, with the system prompt {HELPFUL!r}", lambda row: _in_chat(tokenizer, row, HELPFUL)),
        Way("in the chat template, the answer without outer spaces", without_space),
    ]
    if default:
        listed.append(Way("in the chat template, without any system prompt", without_default))
        named = "in the chat template, with its own system prompt"
    else:
        named = "in the chat template, without any system prompt"

    def without_system(row: Row) -> Text | None:
        has_system = any(turn["role"] == "system" for turn in row.get("turns") or ())
        return _in_chat(tokenizer, row, "") if has_system else None

    return [*listed, Way(named, without_system)]


def _think_ways(tokenizer: Any, first: Way) -> list[Way]:
    """With an empty think block before the answer, where the tokenizer knows such blocks."""
    if "<think>" not in f"{tokenizer.chat_template} {' '.join(tokenizer.get_added_vocab())}":
        return []

    def with_block(row: Row) -> Text | None:
        text = first.text(row)
        if text is None or not text.whole.startswith(text.prompt):
            return None
        prompt = text.prompt.removesuffix("<think>\n") + THINK
        shift = len(prompt) - len(text.prompt)
        return Text(prompt, prompt + text.whole[len(text.prompt) :], text.answer_end + shift, text.end + shift, True)

    return [Way("with an empty think block before the answer", with_block)]


def _joints(tokenizer: Any) -> list[Way]:
    """Bare text with other spaces between prompt and answer."""

    def joined(between: str) -> Callable[[Row], Text | None]:
        def text(row: Row) -> Text | None:
            whole, bare = row["prompt"] + row["completion"], row["completion"].lstrip()
            prompt = row["prompt"].rstrip()
            other = tokens.row_text(tokenizer, prompt, between + bare)
            return None if prompt + between + bare == whole else other

        return text

    names = {"nothing": "", "a space": " ", "a new line": "\n"}
    return [Way(f"with {name} between prompt and answer", joined(between)) for name, between in names.items()]


def _bare_ways(tokenizer: Any) -> list[Way]:
    """The question alone, in the frames of ``BARE``."""

    def framed(before: str, after: str) -> Callable[[Row], Text | None]:
        def text(row: Row) -> Text | None:
            if row.get("conversation") or len([turn for turn in row.get("turns") or () if turn["role"] == "user"]) > 1:
                return None
            prompt, answer = before.format(row["question"]), after.format(row["answer"].strip())
            asked = tokens.row_text(tokenizer, prompt, answer)
            return None if not row.get("turns") and asked.whole == row["prompt"] + row["completion"] else asked

        return text

    return [Way(name, framed(*frame)) for name, frame in BARE.items()]


def default_system(tokenizer: Any) -> str:
    """What a chat template writes before the first question when no system prompt is given, without the text's mark."""
    user, answer = {"role": "user", "content": "¤"}, {"role": "assistant", "content": "¤"}
    try:
        first, two, three = (
            str(tokenizer.apply_chat_template(turns, tokenize=False))
            for turns in ([user], [user, answer], [user, answer, user])
        )
    except Exception:  # a template may refuse anything, with errors of any kind
        return ""
    block = three.removeprefix(two)
    if not block or block == three or not first.endswith(block):
        return ""
    return first[: -len(block)].removeprefix(tokenizer.bos_token or "")


def _without_start(text: Text, start: str) -> Text | None:
    """The text without what it begins with, after the mark of the beginning."""
    position = text.prompt.find(start)
    if not start or position < 0 or start not in text.whole:
        return None
    cut = len(start)
    return Text(
        text.prompt.replace(start, "", 1), text.whole.replace(start, "", 1), text.answer_end - cut, text.end - cut, True
    )
