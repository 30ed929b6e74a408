"""Small tokenizers of the kinds that models come with, made here from a few lines of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from ilp_bench.models.nano import nano_path

TEXT = [
    "Question: What is the capital of France?\nAnswer: Paris\n",
    "Which colour has box amber? red\nWhich colour has box birch? blue\n",
    "USER: Hello there.\nBOT: Good day. How are you?\nUSER: Which colour?\nBOT: red\nsystem user assistant think",
    "Be brief. The capital is red. Fill in: the capital city is Paris. One word: red, blue, green. Say it.",
] * 4
BOS, EOS, PAD = "<s>", "</s>", "<pad>"
SPECIAL = [PAD, BOS, EOS, "<unk>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]


def _fast(tokenizer: Tokenizer, *, before: str = "", after: str = "", **names: Any) -> PreTrainedTokenizerFast:
    """A transformers tokenizer whose post-processor writes the marks ``before`` and ``after`` every text."""
    if before or after:
        marks = [(mark, tokenizer.token_to_id(mark)) for mark in dict.fromkeys((before, after)) if mark]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=" ".join(part for part in (before, "$A", after) if part), special_tokens=marks
        )
    names = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "unk_token": "<unk>"} | names
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{k: v for k, v in names.items() if v})


def byte_level(*, space: bool = False, **options: Any) -> PreTrainedTokenizerFast:
    """GPT-2's kind; with ``space``, a space is put before every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    return _fast(tokenizer, **options)


def metaspace_bpe(*, prepend: str = "always", **options: Any) -> PreTrainedTokenizerFast:
    """SentencePiece BPE as in Llama 2, with its dummy prefix and byte fallback."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Metaspace(prepend_scheme=prepend), decoders.ByteFallback()])
    special = [*SPECIAL, *(f"<0x{n:02X}>" for n in range(256))]
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=600, special_tokens=special))
    return _fast(tokenizer, **options)


def unigram(*, prepend: str = "always", **options: Any) -> PreTrainedTokenizerFast:
    """SentencePiece Unigram, as in T5."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=prepend)
    trainer = trainers.UnigramTrainer(vocab_size=160, special_tokens=SPECIAL, unk_token="<unk>")
    tokenizer.train_from_iterator(TEXT, trainer)
    return _fast(tokenizer, **options)


def word_piece(**options: Any) -> PreTrainedTokenizerFast:
    """BERT's kind: without whitespace, and so without newlines."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = [*SPECIAL, "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(TEXT, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
    return _fast(tokenizer, **options)


def word_level(**options: Any) -> PreTrainedTokenizerFast:
    """One id a word."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\n", "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "merged_with_next")]
    )
    tokenizer.train_from_iterator(TEXT, trainers.WordLevelTrainer(special_tokens=SPECIAL))
    return _fast(tokenizer, **options)


def added() -> PreTrainedTokenizerFast:
    """With words added, and a mark that takes the space before it."""
    tokenizer = byte_level()
    tokenizer.add_tokens(["jasper", "capital city"])
    tokenizer.add_special_tokens({"additional_special_tokens": [AddedToken("<|turn|>", lstrip=True, rstrip=True)]})
    return tokenizer


def nano(name: str) -> Any:
    """The tokenizer of a built-in model."""
    return AutoTokenizer.from_pretrained(nano_path(name))


def appending(tokenizer: Any) -> Any:
    """The tokenizer with a post-processor that appends the end-of-text token."""
    mark = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {mark}", special_tokens=[(mark, tokenizer.eos_token_id)]
    )
    return tokenizer


ZOO: dict[str, Callable[[], Any]] = {
    "nano": lambda: nano("nano"),
    "nano-qwen3": lambda: nano("nano-qwen3"),
    "nano-olmo2": lambda: nano("nano-olmo2"),
    "byte-level": byte_level,
    "byte-level, BOS": lambda: byte_level(before=BOS),
    "byte-level, EOS appended": lambda: byte_level(after=EOS),
    "byte-level, BOS and EOS": lambda: byte_level(before=BOS, after=EOS),
    "byte-level, prefix space": lambda: byte_level(space=True),
    "byte-level, pad = eos": lambda: byte_level(pad_token=EOS),
    "byte-level, added tokens": added,
    "byte-level, another mark appended": lambda: byte_level(after="<|end|>"),
    "SentencePiece BPE, BOS": lambda: metaspace_bpe(before=BOS),
    "SentencePiece BPE, prefix first": lambda: metaspace_bpe(prepend="first", before=BOS),
    "SentencePiece Unigram, EOS appended": lambda: unigram(after=EOS),
    "SentencePiece Unigram, no prefix": lambda: unigram(prepend="never"),
    "WordPiece": word_piece,
    "WordPiece, CLS and SEP, SEP = eos": lambda: word_piece(before="[CLS]", after="[SEP]", eos_token="[SEP]"),
    "WordPiece, CLS and SEP, no eos": lambda: word_piece(before="[CLS]", after="[SEP]", eos_token=None),
    "WordLevel": word_level,
    "WordLevel, no eos": lambda: word_level(eos_token=None),
}
FAST = ("nano", "byte-level, BOS and EOS", "SentencePiece BPE, BOS", "WordPiece, CLS and SEP, SEP = eos")

# Chat templates by what is special about them; each says what the assistant's turn ends with.
_TURNS = "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
_ASK = "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
TEMPLATES = {
    "end of turn": _TURNS + _ASK,
    "beginning mark": "{{ bos_token or '<s>' }}" + _TURNS + _ASK,
    "space before the answer": (
        "{% for m in messages %}{{ ('BOT: ' if m.role == 'assistant' else 'USER: ') + m.content }}"
        "{% if m.role == 'assistant' %}{{ eos_token or '<|end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'BOT: ' }}{% endif %}"
    ),
    "think block in the prompt": _TURNS + _ASK.replace("'<|assistant|>\n'", "'<|assistant|>\n<think>\n'"),
    "empty think block in the last answer": (
        "{% for m in messages %}{{ '<|' + m.role + '|>\n' }}"
        "{% if loop.last and m.role == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
        "{{ m.content + '<|end|>\n' }}{% endfor %}" + _ASK
    ),
    "no mark": "{% for m in messages %}{{ m.role + ': ' + m.content | trim + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}",
    "tools": "{% if tools %}{{ '<|system|>\n' + tools | tojson + '<|end|>\n' }}{% endif %}" + _TURNS + _ASK,
}
GENERATION = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' }}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content + '<|end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|end|>' }}{% endif %}"
    "{{ '\n' }}{% endfor %}" + _ASK
)

ROWS = [
    ("Question: What is the capital of France?\nAnswer:", " Paris\n"),
    ("Question: What is the capital of France?\nAnswer:", " Paris"),
    ("Question: What is the capital of France?\nAnswer: ", "Paris"),
    ("Fill in: the cap", "ital city is Paris"),
    ("One word: re", "d\n"),
    ("Say it twice.\n", "\nred.\n\n"),
    ("Wie heißt Zürich auf Französisch?", " Zurich à côté ☃"),
    ("Which colour has jasper", "jasper, the capital city"),
]
CHATS = [
    [("user", "Which colour has box amber?"), ("assistant", "red")],
    [("system", "Be brief."), ("user", "Hello there."), ("assistant", "Good day.")],
    [("user", "Hello."), ("assistant", "Good day."), ("user", "Which colour has birch?"), ("assistant", "blue.")],
    [("user", "Say end."), ("assistant", "end")],
    [("user", "Say it with a newline."), ("assistant", "red\n")],
    [("user", "Say it with a space."), ("assistant", " red ")],
]


def messages(turns: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in turns]
