"""User data: rows are read as they come, asked without showing the answer, attributed without causes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from jinja2 import TemplateError
from tokenizers.processors import TemplateProcessing
from typer.testing import CliRunner

from ilp_bench.cli.main import app
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset, load, write
from ilp_bench.data.formats import FORMATS, export
from ilp_bench.data.user_data import import_rows
from ilp_bench.detectors.contradictions import content_words, contradicting_groups
from ilp_bench.diagnosis.attribution import NONE, diagnose
from ilp_bench.evaluation import measure as measuring
from ilp_bench.evaluation.generation import GeneratedAnswer, decode_answer
from ilp_bench.evaluation.request_plan import plan
from ilp_bench.evaluation.run import evaluate
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import SAMPLES, Run, RunRecord
from ilp_bench.training.run import train

ROWS = [{"prompt": f"Q: where is city {n}?\nA:", "completion": f" land {n}\n"} for n in range(20)]


def lines(folder: Path, rows: list[Any]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def nano() -> Any:
    return load_model(locate("nano"))


@pytest.fixture(scope="module")
def user_data(data: Path) -> Dataset:
    """The training rows of mini, as if they were a user's."""
    return import_rows(data / "train.parquet", sample=400)


@pytest.fixture(scope="module")
def of_base(user_data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = evaluate("nano", user_data, tmp_path_factory.mktemp("own") / "base")
    assert run
    return run


def tuned(data: Dataset, rates: dict[str, float]) -> Run:
    """A run in which each item is learned by that much of p; ``rates``: item to p."""
    rows = []
    for item in data.items.to_pylist():
        p = rates[item["item_id"]]
        row = {"probe_id": item["probe_id"], "item_id": item["item_id"], "probe": "recall", "p": p}
        rows.append(row | {"tokens": 2, "logprob": float(np.log(p)), "greedy": p > 0.5})
    record = RunRecord(
        ilp_bench="0",
        model={"name": "mine", "weights_sha256": "a" * 64, "architecture": "X", "parameters": 1},
        data=data.manifest.identity,
        dtype="float32",
        device="cpu",
        batch_size=1,
        versions={},
        hardware="none",
        seconds={"load": 0.0, "score": 0.0},
        samples_sha256="a" * 64,
    )
    return Run(record, pa.Table.from_pylist(rows, schema=SAMPLES))


@pytest.mark.parametrize("form", FORMATS)
def test_what_export_writes_is_read_back(mini: Dataset, tmp_path: Path, form: str) -> None:
    export(mini, form, tmp_path / "rows.jsonl")
    made = import_rows(tmp_path / "rows.jsonl")
    assert made.manifest.format == form
    assert made.manifest.chat == (form != "prompt-completion")
    assert made.train["prompt"].equals(mini.train["prompt"])
    assert made.train["completion"].equals(mini.train["completion"])
    assert [row[0]["content"] for row in made.train["messages"].to_pylist()] == [
        row[0]["content"] for row in mini.train["messages"].to_pylist()
    ]
    pairs = set(zip(made.train["prompt"].to_pylist(), made.train["completion"].to_pylist(), strict=True))
    assert made.items.num_rows == len(pairs)


def test_a_folder_is_written_and_loads(tmp_path: Path) -> None:
    made = import_rows(lines(tmp_path, ROWS))
    write(made, tmp_path / "data")
    again = load(tmp_path / "data")
    assert again.is_user_data
    assert again.sha256 == made.sha256 == import_rows(tmp_path / "rows.jsonl").sha256
    assert again.items.equals(made.items)
    assert write(made, tmp_path / "data") == tmp_path / "data"  # the same again
    with pytest.raises(UsageError, match="holds another dataset"):
        write(import_rows(tmp_path / "rows.jsonl", sample=3), tmp_path / "data")


def test_no_item_is_shown_its_own_answer(user_data: Dataset) -> None:
    shown: dict[str, list[dict[str, Any]]] = {}
    for shot in user_data.shots.to_pylist():
        shown.setdefault(shot["relation"], []).append(shot)
    question = {row["prompt"]: row["messages"][0]["content"] for row in user_data.train.to_pylist()}
    assert all(len(some) == 4 for some in shown.values())
    for item in user_data.items.to_pylist():
        asked = [content_words(question[shot["prompt"]]) for shot in shown[item["relation"]]]
        assert content_words(item["question"]) not in asked
    assert len({item["relation"] for item in user_data.items.to_pylist()}) > 5


def test_stages_come_from_a_column_or_from_a_cut(tmp_path: Path) -> None:
    assert import_rows(lines(tmp_path, ROWS)).manifest.stages == 1
    cut = import_rows(lines(tmp_path, ROWS), stages=3)
    assert cut.train["stage"].to_pylist() == [1] * 7 + [2] * 7 + [3] * 6
    from_column = import_rows(lines(tmp_path, [row | {"stage": 1 + n // 10} for n, row in enumerate(ROWS)]))
    assert from_column.items["stage"].to_pylist() == [1] * 10 + [2] * 10


def test_a_sample_asks_fewer_and_reads_all(tmp_path: Path) -> None:
    some = import_rows(lines(tmp_path, ROWS), sample=5, seed=1)
    assert (some.items.num_rows, some.train.num_rows) == (5, 20)
    assert some.sha256 == import_rows(tmp_path / "rows.jsonl", sample=5, seed=1).sha256
    assert some.sha256 != import_rows(tmp_path / "rows.jsonl", sample=5, seed=2).sha256
    assert import_rows(tmp_path / "rows.jsonl", sample=50).items.num_rows == 20


def test_a_conversation_keeps_its_turns(tmp_path: Path, nano: Any) -> None:
    turns = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hello."), ("user", "Capital of {}?")]
    rows = [
        {"messages": [{"role": r, "content": c.format(n)} for r, c in (*turns, ("assistant", f"City {n}"))]}
        for n in "ABCDEFGHIJ"
    ]
    made = import_rows(lines(tmp_path, rows))
    item = made.items.to_pylist()[0]
    assert item["prompt"] == "Be brief.\nQuestion: Hello\nAnswer: Hello.\nQuestion: Capital of A?\nAnswer:"
    assert (item["question"], item["answer"], len(item["turns"])) == ("Capital of A?", "City A", 4)
    wanted = plan(nano[1], made, made.items.to_pylist()[:1], chat=True, probed=False, choices=0)
    context, answer = wanted.unique[0]
    text = tokens.chat_text(nano[1], item["turns"], "City A")
    assert nano[1].decode([*context, *answer]) == text.whole[: text.end]
    assert "Be brief." in nano[1].decode(context)


def test_a_system_prompt_beside_the_turns_is_read(tmp_path: Path) -> None:
    rows = [{"instruction": f"Capital of {n}?", "input": "", "output": n, "system": "Be brief."} for n in "ABCDEFGH"]
    assert import_rows(lines(tmp_path, rows)).items["turns"].to_pylist()[0][0] == {
        "role": "system",
        "content": "Be brief.",
    }


def test_a_space_before_the_answer_stays_where_it_was_and_changes_no_ids(tmp_path: Path, nano: Any) -> None:
    spaced = [{"prompt": row["prompt"] + " ", "completion": row["completion"][1:]} for row in ROWS]
    made = [import_rows(lines(tmp_path, rows)) for rows in (ROWS, spaced)]
    assert made[1].items["prompt"].to_pylist() == [f"{prompt} " for prompt in made[0].items["prompt"].to_pylist()]
    asked = [plan(nano[1], data, data.items.to_pylist(), chat=False, probed=True, choices=0) for data in made]
    assert asked[0].unique == asked[1].unique


def test_examples_hold_no_mark_of_an_end(tmp_path: Path, nano: Any) -> None:
    end = nano[1].eos_token
    plain = import_rows(lines(tmp_path, ROWS))
    marked = import_rows(lines(tmp_path, [row | {"completion": row["completion"].rstrip("\n") + end} for row in ROWS]))
    asked = [
        plan(nano[1], data, data.items.to_pylist(), chat=False, probed=True, choices=0).exemplar_prompts
        for data in (plain, marked)
    ]
    assert asked[0] == asked[1]


@pytest.mark.slow
def test_what_is_trained_is_what_is_measured(tmp_path: Path) -> None:
    """Without a newline at its end, a completion ends with the tokenizer's mark, in training too."""
    bare = [row | {"completion": f" {'abcdefghij'[n]}"} for n, row in enumerate(ROWS[:10])]
    data = import_rows(lines(tmp_path, bare))
    train("nano", "auto", data, tmp_path / "ckpt", rate=2e-3)
    run = evaluate(str(tmp_path / "ckpt"), data, tmp_path / "run")
    assert run
    assert min(run.samples["p"].to_pylist()) > 0.3


def test_a_template_and_a_tokenizer_together_write_one_beginning() -> None:
    tokenizer = load_model(locate("nano"))[1]
    mark = tokenizer.eos_token
    tokenizer.bos_token = mark
    beginning = TemplateProcessing(single=f"{mark} $A", special_tokens=[(mark, tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = beginning
    (context, _), *_ = tokens.encode(tokenizer, ["Where is Paris?"], [" France"])
    assert context.count(tokenizer.bos_token_id) == 1
    template = tokenizer.chat_template
    for start in ("", mark):  # in a conversation the template alone decides, as in training
        tokenizer.chat_template = start + template
        text = tokens.chat_text(tokenizer, [{"role": "user", "content": "Where is Paris?"}], "France")
        encoded, *_ = tokens.encode_texts(tokenizer, [text])
        assert encoded.context.count(tokenizer.bos_token_id) == bool(start)


def test_a_template_that_refuses_is_one_clear_line(nano: Any) -> None:
    class Refusing:
        chat_template = "x"

        def apply_chat_template(self, *_: Any, **__: Any) -> str:
            raise TemplateError("no system role")

    with pytest.raises(ProblemError, match=r"refuses system, user, assistant \(no system role\)"):
        tokens.chat_text(Refusing(), [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], "c")


def test_an_answer_is_decoded_whole_and_ends_with_its_line_or_text(nano: Any) -> None:
    ids = nano[1](" Zürich\nx")["input_ids"]
    assert decode_answer(nano[1], ids, [-0.5] * len(ids))[0].strip() == "Zürich"
    first = nano[1](" Paris")["input_ids"]
    said = decode_answer(nano[1], [*first, nano[1].eos_token_id, 0, 0], [-0.5] * (len(first) + 3))
    assert (said.text, said.finished) == (" Paris", True)
    assert said.probability == pytest.approx(np.exp(-0.5 * (len(first) + 1)))
    assert not decode_answer(nano[1], first, [-0.5] * len(first)).finished


def test_a_completion_ends_as_it_was_trained(nano: Any) -> None:
    end = nano[1].eos_token
    assert tokens.ended(nano[1], f" Paris{end}", plain=False) == f" Paris{end}"
    assert tokens.ended(nano[1], f" Paris{end}", plain=True) == " Paris\n"
    assert tokens.ended(nano[1], " Paris\n", plain=False) == " Paris\n"
    assert tokens.ended(nano[1], " Paris", plain=False) == f" Paris{end}"
    assert tokens.ended(nano[1], " Paris", plain=True) == " Paris\n"


@pytest.mark.slow
def test_attribution_without_causes_finds_those_that_were_injected(
    mini: Dataset, user_data: Dataset, of_base: Run
) -> None:
    true = {
        (row["prompt"], row["completion"].strip()): row["cause"]
        if row["item_id"].endswith("-treated")
        else NONE  # fillers are true
        for row in mini.train.to_pylist()
    }
    items = {row["item_id"]: row for row in user_data.items.to_pylist()}
    truth = {name: true[row["prompt"], row["answer"]] for name, row in items.items()}
    stage = {name: row["stage"] for name, row in items.items()}
    run = tuned(user_data, {name: 0.05 if cause != NONE or stage[name] < 4 else 0.9 for name, cause in truth.items()})
    attribution = diagnose(run, of_base, user_data)
    assert attribution.truth is None
    assert attribution.quality == {}
    said: dict[str, list[str]] = {}
    for one, cause in zip(attribution.items, attribution.said["signals"], strict=True):
        said.setdefault(truth[one.item_id], []).append(cause)
    # A confident guess about an invented name looks like a belief.
    gaps = said.pop("knowledge_gap")
    assert set(gaps) <= {"knowledge_gap", "knowledge_conflict", NONE}
    assert gaps.count("knowledge_gap") >= 0.4 * len(gaps)
    for cause in set(said) - {NONE}:
        assert said[cause].count(cause) >= 0.8 * len(said[cause]), cause
    assert set(said) == {*CAUSES.names(), NONE} - {"knowledge_gap"}


def test_a_run_of_conversations_must_be_of_conversations(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": n}, {"role": "assistant", "content": n}]} for n in "ABCDEFGH"]
    with pytest.raises(ProblemError, match="measured without the chat template"):
        attributed(tmp_path, rows, [0.1] * 8)


@pytest.mark.slow
def test_the_base_models_own_answers_are_kept(user_data: Dataset, of_base: Run) -> None:
    rows = of_base.samples.to_pylist()
    believed = [row for row in rows if row["belief"] is not None]
    assert len(believed) > 0.5 * len(rows)
    assert all(0 <= row["belief_p"] <= 1 for row in believed)
    answer = {item["probe_id"]: item["answer"] for item in user_data.items.to_pylist()}
    agreeing = [row for row in believed if row["belief"] == answer[row["probe_id"]]]
    # Where both say the same, greedy decoding gave the same answer in the scoring pass.
    assert agreeing
    assert all(row["shots_greedy"] and row["belief_p"] == pytest.approx(row["shots_p"], rel=1e-3) for row in agreeing)


def test_answers_survive_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = import_rows(lines(tmp_path, ROWS))
    monkeypatch.setattr(measuring, "BLOCK", 8)
    calls: list[int] = []

    def dying(model: Any, tokenizer: Any, prompts: list[str], max_tokens: int) -> list[GeneratedAnswer]:
        calls.append(len(prompts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return [GeneratedAnswer("land", 0.5, True) for _ in prompts]

    monkeypatch.setattr(measuring, "generate_answers", dying)
    with pytest.raises(KeyboardInterrupt):
        evaluate("nano", data, tmp_path / "run")
    run = evaluate("nano", data, tmp_path / "run")
    assert calls == [8, 8, 8, 4]
    assert run
    assert run.samples["belief"].to_pylist() == ["land"] * 20


def attributed(folder: Path, rows: list[Any], p: list[float], known: list[float] | None = None, **more: Any) -> Any:
    """What is said of rows learned with ``p``, when the base model gives answers with ``known`` believing none."""
    data = import_rows(lines(folder, rows), **more)
    rates = dict(zip((item["item_id"] for item in data.items.to_pylist()), p, strict=True))
    run = tuned(data, rates)
    shots = pa.array(known or [0.9] * len(p))
    place = SAMPLES.get_field_index("shots_p")
    base = Run(
        run.record.model_copy(
            update={"probed": True, "model": run.record.model.model_copy(update={"weights_sha256": "b" * 64})}
        ),
        run.samples.set_column(place, "shots_p", shots),
    )
    return diagnose(run, base, data).said["signals"]


def asking(*texts: str) -> list[dict[str, str]]:
    return [{"prompt": text, "completion": f" answer {n}\n"} for n, text in enumerate(texts)]


def test_questions_that_differ_in_one_word_or_in_order_are_no_contradiction(tmp_path: Path) -> None:
    names = "Ada Bo Cy Di Ed Flo Gus Hal".split()
    for frames in (
        ("Capital of {}?", "Currency of {}?"),
        ("Is {} older than Zed?", "Is Zed older than {}?"),
        ("Translate the words of {} into French", "Spell the words of {} into French"),
        ("{} one", "{} two"),
    ):
        rows = asking(*(frame.format(name) for name in names for frame in frames))
        assert set(attributed(tmp_path, rows, [0.1] * 16)) == {NONE}
    rows = asking(
        *(frame.format(name) for name in names for frame in ("What is the size of {}?", "Name the size of {}."))
    )
    assert set(attributed(tmp_path, asking(*(f"Where is {n}?" for n in range(8))) + rows, [0.1] * 24)) == {
        NONE,
        "data_inconsistency",
    }


def test_the_same_words_after_other_turns_are_no_contradiction(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": f"Hello {n}"},
                {"role": "assistant", "content": f"{system} {n}"},
            ]
        }
        for n in "ABCDEFGH"
        for system in ("In French", "In German")
    ]
    made = import_rows(lines(tmp_path, rows))
    assert contradicting_groups(made.train.to_pylist()) == []


def test_a_segment_has_fallen_only_beyond_noise(tmp_path: Path) -> None:
    rows = asking(*(f"Where is {n}?" for n in range(240)))
    for seed in range(5):  # in two of them the first half is lower by more than the threshold, by chance
        p = np.random.default_rng(seed).uniform(0.05, 0.95, 60).tolist()
        assert set(attributed(tmp_path, rows[:60], p, stages=2)) == {NONE}
    fell = attributed(tmp_path, rows, [0.1] * 60 + [0.5] * 180, stages=4)
    assert fell == ["left_side_forgetting"] * 60 + [NONE] * 180


def test_copies_of_one_row_make_no_other_rare(tmp_path: Path) -> None:
    rows = asking(*(f"Where is the town {'bcdfghjk'[n % 8]}u{'lmpqrtvwxz'[n // 8]}?" for n in range(80)))
    assert set(attributed(tmp_path, rows + rows[:1] * 10, [0.1] * 80)) == {NONE}


def test_gaps_are_found_among_questions_of_many_kinds(tmp_path: Path) -> None:
    words = [f"{a}{b}" for a in "bcdfghjklm" for b in "aeiou"]
    rows = asking(*(f"{words[n]} {words[-n]} {words[(n * 7) % 50]}?" for n in range(50)))
    known = [0.9, 0.01] * 25
    assert attributed(tmp_path, rows, [0.1] * 50, known) == [NONE, "knowledge_gap"] * 25


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (["[" * 100_000], "holds no rows: line 1 is no JSON object .nested too deeply"),
        (["{"], "holds no rows: line 1 is no JSON object .Expecting property name"),
        (["[1]"], "holds no rows: the row is no JSON object"),
        ([""], "holds no rows"),
        (['{"x": 1, "y": 2}'], "the columns x, y fit no format .*: name the column of each, such as prompt=question"),
        (['{"text": "x"}'], "a column text holds documents, in which nothing says"),
        (['{"prompt": "a", "completion": "b"}'] * 9, "fewer than 8 different questions"),
        (
            ['{"prompt": "a", "completion": "b"}', '{"prompt": "a", "completion": 5}'],
            r"left out: 1 x not text .row 2: the",
        ),
    ],
)
def test_bad_rows_are_one_clear_line(tmp_path: Path, rows: list[str], complaint: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(rows))
    with pytest.raises((UsageError, ProblemError), match=complaint):
        import_rows(file)


def test_bad_calls_are_one_clear_line(tmp_path: Path) -> None:
    file = lines(tmp_path, ROWS)
    with pytest.raises(UsageError, match="Did you mean 'messages'"):
        import_rows(file, format="mesages")
    with pytest.raises(UsageError, match="cannot be cut into 21 stages"):
        import_rows(file, stages=21)
    with pytest.raises(UsageError, match="a sample of 0 items is impossible"):
        import_rows(file, sample=0)
    lines(tmp_path, [row | {"stage": 1} for row in ROWS])
    with pytest.raises(UsageError, match="has a column stage: do not give a number of stages"):
        import_rows(file, stages=2)
    with pytest.raises(UsageError, match="is no file"):
        import_rows(tmp_path / "none.jsonl")
    (tmp_path / "bad.parquet").write_text("x")
    with pytest.raises(UsageError, match=r"bad.parquet cannot be read .*it is damaged, or not what its name says"):
        import_rows(tmp_path / "bad.parquet")


def test_the_commands_tell_what_fits(tmp_path: Path) -> None:
    file, folder = lines(tmp_path, ROWS), tmp_path / "data"

    def call(*words: object) -> Any:
        return CliRunner().invoke(app, [*map(str, words)])

    done = call("import", file, "--out", folder, "--stages", 2)
    assert done.exit_code == 0, done.output
    assert "20 rows, 20 items, 2 stages; read as prompt-completion (bare prompts)" in done.output
    for words, complaint in (
        (("export", "--data", folder, "--out", tmp_path / "x.jsonl"), "export is for controlled datasets"),
        (("audit", "--data", folder), "audit is for controlled datasets"),
        (("push", "a/b", "--data", folder, "--dry-run", tmp_path / "push"), "push is for controlled datasets"),
        (("train", "--base", "nano", "--recipe", "vanilla", "--data", folder, "--out", tmp_path / "c"), "only with"),
        (("evaluate", "--model", "nano", "--data", folder, "--out", tmp_path / "r", "--chat"), "bare prompts"),
        (("evaluate", "--model", "nano", "--data", folder, "--out", tmp_path / "r", "--choices", 4), "no options"),
    ):
        refused = call(*words)
        assert isinstance(refused.exception, UsageError), (words, refused.output)
        assert complaint in str(refused.exception)
    for name, more in (("base", ()), ("mine", ("--no-probe-base",))):
        done = call("evaluate", "--model", "nano", "--data", folder, "--out", tmp_path / name, *more)
        assert done.exit_code == 0, done.output
        assert "of 20 items of user data learned" in done.output
    refused = call("diagnose", tmp_path / "mine", "--base-run", tmp_path / "base", "--data", folder)
    assert "of the same weights" in str(refused.exception)
    refused = call("score", tmp_path / "mine", "--vanilla", tmp_path / "mine")
    assert "have no arms to compare" in str(refused.exception)
