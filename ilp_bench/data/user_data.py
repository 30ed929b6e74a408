"""A dataset folder from rows of one's own, on which ``evaluate`` and ``diagnose`` say what was not learned, and why.

An item is a distinct (context, answer) of the rows. It has no cause and no arm, so nothing is scored; all that is read
are the signals that anyone can log. Four other rows of the same kind of question are what a base model is shown
when it is asked what it knows.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ilp_bench.core.errors import ProblemError, UsageError, near
from ilp_bench.data.content_hash import content_sha256
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.manifest import USER_DATA, VERSION, Manifest, RowCounts
from ilp_bench.data.rows import row_id
from ilp_bench.data.schema import EXEMPLARS as SHOTS
from ilp_bench.data.schema import SCHEMAS, TABLES
from ilp_bench.data.schema import USER_ITEMS as ITEMS
from ilp_bench.data.templates import complete
from ilp_bench.detectors.contradictions import content as asked_of
from ilp_bench.detectors.contradictions import disputed
from ilp_bench.detectors.rare_patterns import shapes

ANY = "any"  # the kind of questions that have too few of their kind to show some
LEAST = 2 * SHOTS  # different questions without which some have no four others
ROLES = ("system", "user", "assistant")
MOST_STAGES = 10_000
Turn = dict[str, str]
Json = dict[str, Any]


class Spoken(NamedTuple):
    """One row: what is asked, as the turns of a conversation or as a bare prompt, and what is to be answered."""

    turns: list[Turn]
    prompt: str
    completion: str


def _conversation(turns: Any) -> Spoken:
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError("the messages are no list of role and content")
    said = [{"role": turn.get("role"), "content": turn.get("content")} for turn in turns]
    if not all(isinstance(value, str) for turn in said for value in turn.values()):
        raise ValueError("a message has no role, or a content that is no text")
    if unknown := [turn["role"] for turn in said if turn["role"] not in ROLES]:
        raise ValueError(f"the role {unknown[0]!r} is none of {', '.join(ROLES)}")
    if len(said) < 2 or said[-1]["role"] != "assistant" or said[-2]["role"] != "user":
        raise ValueError("the last two messages are not a question of the user and an answer of the assistant")
    if not said[-2]["content"].strip():
        raise ValueError("the question is empty")
    *before, last = said
    speech = {"user": "Question: {}\nAnswer:", "assistant": " {}\n"}
    prompt = "".join(speech.get(turn["role"], "{}\n").format(turn["content"]) for turn in before)
    return Spoken(before, prompt, complete(last["content"].strip()))


def _messages(row: Json) -> Spoken:
    return _conversation(row["messages"])


def _prompt_completion(row: Json) -> Spoken:
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, list) and isinstance(completion, list):
        return _conversation([*prompt, *completion])
    if not isinstance(prompt, str) or not isinstance(completion, str):
        raise ValueError("prompt or completion is no text")
    if not prompt.strip():
        raise ValueError("the prompt is empty")
    bare = prompt.rstrip(" ")  # a space before an answer is part of the answer's first token
    return Spoken([], bare, prompt[len(bare) :] + completion)


def _alpaca(row: Json) -> Spoken:
    if row.get("history"):
        raise ValueError("a history is not read: give messages")
    parts = [row[name] for name in ("instruction", "input") if row.get(name)]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("instruction or input is no text")
    asked = {"role": "user", "content": "\n\n".join(parts)}
    return _conversation([*_system(row), asked, {"role": "assistant", "content": row["output"]}])


def _sharegpt(row: Json) -> Spoken:
    roles = {"human": "user", "gpt": "assistant"}
    turns = row["conversations"]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) and "from" in turn for turn in turns):
        raise ValueError("the conversations are no list of from and value")
    said = [{"role": roles.get(turn["from"], turn["from"]), "content": turn.get("value")} for turn in turns]
    return _conversation([*_system(row), *said])


def _system(row: Json) -> list[Turn]:
    """The system prompt that stands beside the turns, where there is one."""
    return [{"role": "system", "content": row["system"]}] if row.get("system") else []


FORMATS: dict[str, tuple[tuple[str, ...], Callable[[Json], Spoken]]] = {
    "prompt-completion": (("prompt", "completion"), _prompt_completion),
    "messages": (("messages",), _messages),
    "alpaca": (("instruction", "output"), _alpaca),
    "sharegpt": (("conversations",), _sharegpt),
}


def own(
    source: Path, *, form: str | None = None, stages: int | None = None, sample: int | None = None, seed: int = 0
) -> Dataset:
    """Make a dataset of the rows of a ``.jsonl`` or ``.parquet`` file, in training order.

    form     one of ``FORMATS``; by default the first whose columns are there
    stages   cut the rows into so many consecutive parts; by default they are what a column ``stage`` says, or one
    sample   ask about so many items only, drawn with ``seed`` from each stage; all rows are read in any case

    A column ``annotator`` says who labelled a row. Raises UsageError where the file cannot be read as that,
    ProblemError naming the first bad row.
    """
    if sample is not None and sample < 1:
        raise UsageError(f"a sample of {sample} items is impossible: at least 1")
    raw = _read(source)
    if form is not None and form not in FORMATS:
        raise UsageError(f"unknown format {form!r}.{near(form, FORMATS)}")
    form = form or next((name for name, (columns, _) in FORMATS.items() if all(c in raw[0] for c in columns)), None)
    if form is None:
        known = "; ".join(f"{name}: {', '.join(columns)}" for name, (columns, _) in FORMATS.items())
        raise UsageError(f"{source} has the columns {', '.join(raw[0])}; wanted are those of a format: {known}")
    spoken = [_parsed(source, n, row, form) for n, row in enumerate(raw)]
    if len({bool(one.turns) for one in spoken}) > 1:
        raise ProblemError(f"{source} has both conversations and bare prompts: import them one by one")
    placed = _stages(source, raw, stages)
    questions = _questions(spoken)
    train = _train_rows(raw, spoken, questions, placed)
    shots, shown = _shots(train, shapes(questions), seed)
    if not shots:
        raise ProblemError(f"{source} has fewer than {LEAST} different questions: four examples are shown beside each")
    chosen = sorted({row["item_id"]: n for n, row in enumerate(train)}.values())  # where each is trained last
    if sample is not None and sample < len(chosen):
        chosen = _sampled(chosen, placed, sample, random.Random(seed))
    items = _item_rows(train, spoken, shown, chosen)
    rows = {"train": train, "items": items, "knowledge": [], "shots": shots}
    schemas = SCHEMAS | {"items": ITEMS}
    tables = {name: pa.Table.from_pylist(rows[name], schema=schemas[name]) for name in TABLES}
    manifest = Manifest(
        name=source.name,
        version=VERSION,
        size=USER_DATA,
        seed=seed,
        stages=len(set(placed)),
        rows=RowCounts(**{name: table.num_rows for name, table in tables.items()}),
        format=form,
        chat=bool(spoken[0].turns),
        content_sha256=content_sha256(tables.values()),
    )
    return Dataset(**tables, manifest=manifest)


def _train_rows(
    raw: Sequence[Json], spoken: Sequence[Spoken], questions: Sequence[str], placed: Sequence[int]
) -> list[Json]:
    """Rows of ``train``; those that train the same item have one ``item_id``."""
    rows, first = [], dict[tuple[str, str], str]()
    for n, (row, one, question, stage) in enumerate(zip(raw, spoken, questions, placed, strict=True)):
        item = first.setdefault((one.prompt, one.completion), f"own-{n:06d}")
        answer = one.completion.strip()
        said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        who = "" if row.get("annotator") is None else str(row["annotator"])
        row_of: Json = {"row_id": row_id(n), "item_id": item, "cause": None, "arm": None, "stage": stage}
        row_of |= {"prompt": one.prompt, "completion": one.completion, "messages": said}
        rows.append(row_of | {"annotator": who, "domain": None})
    return rows


def _item_rows(
    train: Sequence[Json], spoken: Sequence[Spoken], shown: Sequence[str], chosen: Sequence[int]
) -> list[Json]:
    """Rows of ``items``, one for each of the rows ``chosen``."""
    count = Counter(row["item_id"] for row in train)
    found = []
    for n in chosen:
        row, one = train[n], spoken[n]
        question = one.turns[-1]["content"] if one.turns else row["messages"][0]["content"]
        found.append(
            dict.fromkeys(ITEMS.names)
            | {"probe_id": f"{row['item_id']}/recall", "item_id": row["item_id"], "probe": "recall"}
            | {"stage": row["stage"], "frequency": count[row["item_id"]], "relation": shown[n], "question": question}
            | {"prompt": one.prompt, "answer": one.completion.strip()}
            | {"completion": one.completion, "turns": one.turns}
        )
    return found


def _read(source: Path) -> list[Json]:
    if not source.is_file():
        raise UsageError(f"{source} is no file: give a .jsonl or .parquet file with training rows")
    if source.suffix == ".parquet":
        try:
            found: list[Json] = pq.read_table(source).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{source} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    else:
        found = list(_lines(source))
    if not found:
        raise UsageError(f"{source} holds no rows")
    return found


def _lines(source: Path) -> Iterator[Json]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is no UTF-8 text: give a .jsonl or .parquet file") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{source}, line {number} is no JSON ({error}): one object a line is wanted") from error
        if not isinstance(row, dict):
            raise UsageError(f"{source}, line {number} is no JSON object: one object a line is wanted")
        yield row


def _parsed(source: Path, number: int, row: Json, form: str) -> Spoken:
    columns, parse = FORMATS[form]
    where = f"{source}, row {number + 1}"
    if lacking := [name for name in columns if row.get(name) is None]:
        raise ProblemError(f"{where} has no {' and no '.join(lacking)}: mend or remove it")
    try:
        one = parse(row)
        (one.prompt + one.completion).encode()
    except (TypeError, ValueError) as error:
        raise ProblemError(f"{where}: {error}: mend or remove it") from error
    if not one.completion.strip():
        raise ProblemError(f"{where} has an empty answer: mend or remove it")
    return one


def _stages(source: Path, raw: Sequence[Json], count: int | None) -> list[int]:
    told: list[Any] = [row.get("stage") for row in raw]
    if count is not None:
        if any(stage is not None for stage in told):
            raise UsageError(f"{source} has a column stage: do not give a number of stages, or remove the column")
        if not 1 <= count <= len(raw):
            raise UsageError(f"{len(raw)} rows cannot be cut into {count} stages: 1 to {len(raw)}")
        return [1 + n * count // len(raw) for n in range(len(raw))]
    if all(stage is None for stage in told):
        return [1] * len(raw)
    for number, stage in enumerate(told):
        if not isinstance(stage, int) or isinstance(stage, bool) or not 1 <= stage <= MOST_STAGES:
            raise ProblemError(
                f"{source}, row {number + 1}: stage {stage!r} is no whole number from 1 to {MOST_STAGES}"
            )
        if number and stage < told[number - 1]:
            raise ProblemError(f"{source}, row {number + 1}: stage {stage} after {told[number - 1]}: sort the rows")
    return [int(stage or 1) for stage in told]


def _questions(spoken: Sequence[Spoken]) -> list[str]:
    """What is asked: all turns; or the bare prompt, without labels (``Question: ``) that all have."""
    asked = ["\n".join(turn["content"] for turn in one.turns) if one.turns else one.prompt for one in spoken]
    if spoken[0].turns or len(set(asked)) == 1:
        return asked
    start = _common(asked)
    begin = max(start.rfind("\n") + 1, start.rfind(": ") + 2 if ": " in start else 0)
    rest = [text[begin:] for text in asked]
    end = _common([text[::-1] for text in rest])[::-1]
    cut = len(end) - end.find("\n") if "\n" in end else 0
    return [text[: len(text) - cut].strip() or whole for text, whole in zip(rest, asked, strict=True)]


def _sampled(items: Sequence[int], placed: Sequence[int], count: int, rng: random.Random) -> list[int]:
    """About ``count`` of the items, at least one of each stage, and of each as large a share."""
    found: list[int] = []
    for stage in sorted({placed[n] for n in items}):
        mine = [n for n in items if placed[n] == stage]
        found += rng.sample(mine, max(1, round(count * len(mine) / len(items))))
    return sorted(found)


def _common(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    low, high = min(texts), max(texts)
    return low[: next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]


def _shots(train: Sequence[Json], kind: Sequence[tuple[str, ...]], seed: int) -> tuple[list[Json], list[str]]:
    """Examples to show, four under each name; and for each row the name of four of its kind that ask something else.

    Examples are rows that no other row contradicts. Empty where there are too few.
    """
    content = [asked_of(row["messages"][0]["content"]) for row in train]
    doubtful = {n for group in disputed(train) for n in group}
    members: dict[tuple[str, ...], list[int]] = defaultdict(list)
    taken: set[tuple[str, ...]] = set()
    for n in random.Random(seed).sample(range(len(train)), len(train)):
        if n not in doubtful and content[n] not in taken:
            taken.add(content[n])
            members[kind[n]].append(n)
    pool = [n for mine in members.values() for n in mine]
    if len(pool) < LEAST:
        return [], []
    random.Random(seed).shuffle(pool)
    names = {one: f"kind-{n}" for n, one in enumerate(sorted(members)) if len(members[one]) >= LEAST}
    groups = {names[one]: members[one] for one in names} | {ANY: pool}
    examples: dict[str, list[int]] = {}
    for name, mine in groups.items():
        examples[name], examples[f"{name}-others"] = mine[:SHOTS], mine[SHOTS:LEAST]
    shown = []
    for n, one in enumerate(content):
        name = names.get(kind[n], ANY)
        shown.append(f"{name}-others" if one in {content[k] for k in examples[name]} else name)
    shots = [
        {"relation": name, "prompt": train[n]["prompt"], "completion": train[n]["completion"].rstrip("\n") + "\n"}
        for name, mine in examples.items()
        for n in mine
    ]
    return shots, shown
