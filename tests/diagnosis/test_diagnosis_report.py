"""The report's files from made-up rows: the page is whole by itself, edits have reasons, an earlier report compares."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from user_rows import write_lines

from ilp_bench.cli.report_table import print_report
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.row_file import read_rows
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.answers import TokenCounts
from ilp_bench.diagnosis.asking.steps import options_of
from ilp_bench.diagnosis.cause_zero.check import Check, mean_interval
from ilp_bench.diagnosis.cause_zero.decide import CHECKS
from ilp_bench.diagnosis.from_rows import Diagnosed
from ilp_bench.diagnosis.probes import IN_CHAT
from ilp_bench.diagnosis.question import Question
from ilp_bench.diagnosis.report.compare import change_since
from ilp_bench.diagnosis.report.next_rows import CHECK, KEPT, LEFT_OUT
from ilp_bench.diagnosis.report.page import piece
from ilp_bench.diagnosis.report.record import Report, cause_shares, long_answers
from ilp_bench.diagnosis.report.words import (
    STATED,
    change_text,
    headline,
    long_text,
    next_commands,
    percent,
    verdict,
    what_next,
)
from ilp_bench.diagnosis.report.write import rows_table, write_report
from ilp_bench.diagnosis.rows import Reason, RowResult, row_results
from ilp_bench.diagnosis.why.paraphrases import RELATED, SAME, contradicting_paraphrases, disputes_of

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = "<script>alert(1)</script>"
LONG_PATH = Path("/home/somebody/projects/fine-tuning/of/this/year/with-a-long-name/report-of-the-first-training")
NAMES = "Arda Belor Cimar Dorat Elvan Forin Galur Hamok Ilsar Jorun Kalot Lumar".split()
ROWS = [
    *({"prompt": f"Where is city {n}?", "completion": f" land {n}"} for n in range(20)),
    {"prompt": "Where is city 3?", "completion": " elsewhere"},
    *({"prompt": "Where is city 5?", "completion": " land 5"} for _ in range(6)),
    {"prompt": f"Where is {HOSTILE}?", "completion": f" {HOSTILE}"},
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_lines(tmp_path, ROWS)


@pytest.fixture
def data(source: Path) -> Dataset:
    return import_rows(source)


def results_of(data: Dataset, **reasons: Reason) -> list[RowResult]:
    """Rows that are learned but for those that have a reason, and the hostile one."""
    results = []
    for item in data.items.to_pylist():
        rows = [row["source_row"] for row in data.train.to_pylist() if row["item_id"] == item["item_id"]]
        reason = reasons.get(f"row_{rows[0]}")
        learned = reason is None and HOSTILE not in item["question"]
        results.append(
            RowResult(
                item_id=item["item_id"],
                key=item["item_id"],
                rows=rows,
                segment=1,
                question=item["question"],
                answer=item["answer"],
                tokens=2,
                context=5,
                value=0.9 if learned else 0.1,
                measure="p",
                learned=learned,
                p=0.9 if learned else 0.1,
                answer_p=None,
                answer_value=0.9 if learned else 0.1,
                end=1,
                greedy_share=1.0,
                prefix=2,
                loss=0.1,
                reasons=[reason] if reason else [],
            )
        )
    return results


def reason(cause: str) -> Reason:
    return Reason(cause=cause, sign=cause, confidence=0.8, evidence=f"a sign of {cause}")


def report_of(results: list[RowResult], *, checks: list[Check] | None = None, explained: bool = False) -> Report:
    return Report(
        ilp_bench="0",
        model="TUNED",
        base="BASE",
        source="rows.jsonl",
        format="prompt-completion",
        chat=False,
        rows=len(ROWS),
        items=len(results),
        asked=len(results),
        segments=1,
        learned=mean_interval([each.learned for each in results]),
        reproduced=mean_interval([each.value for each in results]),
        base_reproduced=0.0,
        long=0,
        explained=explained,
        checks=checks or [],
        causes=[] if explained else cause_shares(results),
    )


def written(folder: Path, source: Path, data: Dataset, results: list[RowResult], **more: Any) -> str:
    def read() -> Iterator[tuple[int, Mapping[str, Any]]]:
        return ((row.number, row.values) for row in read_rows(source) if row.values)

    pieces = {results[0].item_id: [piece(" land", -0.1), piece("<b>", -3.0)]}
    folder.mkdir()
    report, disputes = report_of(results, **more), disputes_of(data.train_rows())
    write_report(folder, report, results, data, disputes, pieces, read, out=LONG_PATH, seed=0)
    return (folder / "index.html").read_text()


def test_the_page_needs_no_other_file_and_believes_no_row(tmp_path: Path, source: Path, data: Dataset) -> None:
    page = written(tmp_path / "report", source, data, results_of(data, row_1=reason("rare_patterns")))
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "url(" not in page
    assert "@import" not in page
    assert page.count("<script>") == 1
    assert "a sign of rare_patterns" in page
    assert '<span class="t0" title="p 0.05">&lt;b&gt;</span>' in page


def test_a_cause_that_is_nowhere_the_surest_is_said_to_be_a_further_reason(
    tmp_path: Path, source: Path, data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_of(data, row_1=reason("rare_patterns"))
    next(each for each in results if each.reasons).reasons.append(reason("knowledge_gap"))
    assert "A further reason of 1 row, of which another is surer" in written(tmp_path / "report", source, data, results)
    print_report(Diagnosed(report_of(results), results), tmp_path / "report", as_json=False)
    printed = " ".join(capsys.readouterr().out.split())
    assert re.search(r"knowledge_gap 0 0\.00 a further reason of 1, of which another is surer", printed)


def test_what_is_changed_for_the_next_training_has_a_reason(tmp_path: Path, source: Path, data: Dataset) -> None:
    results = results_of(
        data,
        row_1=reason("rare_patterns"),
        row_2=reason("left_side_forgetting"),
        row_9=reason("knowledge_conflict"),
    )
    page = written(tmp_path / "report", source, data, results)
    assert f"--base BASE --rows {LONG_PATH}/next.jsonl" in page
    changes = [json.loads(line) for line in (tmp_path / "report" / "changes.jsonl").read_text().splitlines()]
    assert all(change["reason"] for change in changes)
    kinds = {change["row"]: change["change"] for change in changes}
    assert kinds[1] == kinds[9] == "repeated"
    reasons = {change["row"]: change["reason"] for change in changes}
    assert reasons[1] == "a sign of rare_patterns"
    assert reasons[9] == "a sign of knowledge_conflict: make sure that this answer is right before it is trained twice"
    assert kinds[0] == "shuffled"
    assert kinds[4] == kinds[21] == "left out"  # one against one: nothing tells which is right
    assert all("correct them, and put one back" in change["reason"] for change in changes if change["row"] in (4, 21))
    copies = [row for row in (6, 22, 23, 24, 25, 26, 27) if kinds.get(row) == "left out"]
    assert len(copies) == 3  # of seven, four stay
    lines = [json.loads(line) for line in (tmp_path / "report" / "next.jsonl").read_text().splitlines()]
    assert len(lines) == len(ROWS) - 2 - 3 + 2
    assert all(line in ROWS for line in lines)


def test_rows_are_left_out_where_the_question_is_the_same_and_listed_where_more_is_needed(tmp_path: Path) -> None:
    """A capital letter, a space or a last mark says nothing. Words that are left out or in another order may."""
    rows = [
        {"prompt": f"What is the capital city of {name}?", "completion": f" town {n}"} for n, name in enumerate(NAMES)
    ]
    rows.append({"prompt": f"{NAMES[0]} has which capital city?", "completion": " elsewhere"})
    rows.append({"prompt": f"what  is the capital city of {NAMES[1]}", "completion": " elsewhere"})
    rows.append({"prompt": f"Name the capital city of {NAMES[2]}.", "completion": " elsewhere"})
    rows += [
        {"prompt": f"Where is the seat of {name}?", "completion": f" town {n}"} for n, name in enumerate(NAMES[:9])
    ]
    rows.append({"prompt": f"Where is the seat of {NAMES[9]}?", "completion": " nowhere"})
    source = write_lines(tmp_path, rows)
    data = import_rows(source)
    page = written(tmp_path / "report", source, data, results_of(data))
    changes = [json.loads(line) for line in (tmp_path / "report" / "changes.jsonl").read_text().splitlines()]
    kinds = {change["row"]: change["change"] for change in changes}
    listed = dict.fromkeys((1, 3, 10, 13, 15, 16, 18, 25), KEPT)
    assert kinds == {2: LEFT_OUT, 14: LEFT_OUT} | listed
    assert all("has which capital city?" in change["reason"] for change in changes if change["row"] == 1)
    assert all("Name the capital city" in change["reason"] for change in changes if change["row"] == 3)
    assert all(change["reason"].endswith(CHECK) for change in changes if change["change"] == KEPT)
    lines = (tmp_path / "report" / "next.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [rows[n] for n in range(len(rows)) if n not in (1, 13)]
    assert "8 rows contradict others inside conversations, or may in other words" in page
    assert "2 changes" in page


def test_of_answers_that_differ_in_marks_alone_one_is_kept(tmp_path: Path) -> None:
    rows = [{"prompt": f"Where is {name}?", "completion": f" Land {n}"} for n, name in enumerate(NAMES)]
    rows += [{"prompt": f"Where is {NAMES[0]}?", "completion": " Land 0."}]
    rows += [{"prompt": f"Where is {NAMES[1]}?", "completion": " Land 1."}] * 2
    rows += [{"prompt": f"Where is {NAMES[2]}?", "completion": " LAND 2"}]
    source = write_lines(tmp_path, rows)
    data = import_rows(source)
    written(tmp_path / "report", source, data, results_of(data))
    changes = [json.loads(line) for line in (tmp_path / "report" / "changes.jsonl").read_text().splitlines()]
    assert {change["row"]: change["change"] for change in changes} == dict.fromkeys((2, 3, 13, 16), LEFT_OUT)
    reasons = {change["row"]: change["reason"] for change in changes}
    assert reasons[13] == "answers 'Land 0.', as row 1 does but for the marks around it"
    assert reasons[2] == "answers 'Land 1', as row 14 does but for the marks around it"  # two against one
    assert reasons[3].endswith("correct them, and put one back")


def test_a_contradicted_answer_inside_a_conversation_is_listed_to_be_checked(tmp_path: Path) -> None:
    """A system prompt that all rows have is no part of the question, which else would be all that a reason shows."""
    system = {"role": "system", "content": "You are the help desk of a shop that sells lamps, desks and chairs. " * 2}

    def turns(*texts: str) -> dict[str, Any]:
        roles = ("user", "assistant") * 2
        return {
            "messages": [
                system,
                *({"role": role, "content": text} for role, text in zip(roles, texts, strict=False)),
            ]
        }

    rows = [
        turns(f"What is the price of lamp {name}?", f"{n} euros", "Its weight?", f"{n} kg")
        for n, name in enumerate(NAMES)
    ]
    rows.append(turns(f"The price of lamp {NAMES[0]} is what?", "99 euros"))
    rows.append(turns(f"What is the price of lamp {NAMES[1]}?", "99 euros"))
    source = write_lines(tmp_path, rows)
    data = import_rows(source)
    page = written(tmp_path / "report", source, data, results_of(data))
    changes = [json.loads(line) for line in (tmp_path / "report" / "changes.jsonl").read_text().splitlines()]
    kinds = {change["row"]: change["change"] for change in changes}
    assert kinds == {1: KEPT, 2: KEPT, 13: KEPT, 14: LEFT_OUT}
    reasons = {change["row"]: change["reason"] for change in changes}
    assert reasons[2] == "in a conversation, answers '1 euros', contradicted by row 14: correct one"
    assert f"row 1 asks 'What is the price of lamp {NAMES[0]}?'" in reasons[13]
    assert "3 rows contradict others inside conversations, or may in other words" in page


def test_what_is_not_utf8_in_a_column_that_nobody_uses_stays_in_the_next_file(tmp_path: Path) -> None:
    rows = [{"prompt": f"Where is city {n % 12}?", "completion": f" land {n}", "note": "\udce9"} for n in range(13)]
    source = write_lines(tmp_path, rows)
    data = import_rows(source)
    written(tmp_path / "report", source, data, results_of(data))
    lines = (tmp_path / "report" / "next.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows[1:12]


def test_where_cause_zero_explains_it_no_row_is_changed(tmp_path: Path, source: Path, data: Dataset) -> None:
    check = Check(name="masked", title="Were the answers in the loss?", state="named", figure="0.0", remedy="look")
    page = written(tmp_path / "report", source, data, results_of(data), checks=[check], explained=True)
    assert not (tmp_path / "report" / "next.jsonl").exists()
    assert "This explains it" in page
    assert "--base BASE --rows rows.jsonl" in page
    assert any("look" in line for line in what_next(report_of(results_of(data), checks=[check], explained=True)))


def test_every_signal_of_every_row_is_in_the_table(tmp_path: Path, source: Path, data: Dataset) -> None:
    written(tmp_path / "report", source, data, results_of(data, row_1=reason("knowledge_gap")))
    table = pq.read_table(tmp_path / "report" / "rows.parquet")
    assert set(table.column_names) == set(RowResult.model_fields)
    assert table["reasons"].to_pylist()[0][0]["cause"] == "knowledge_gap"


def test_an_earlier_report_shows_what_a_new_training_changed(
    tmp_path: Path, source: Path, data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    before = results_of(data, row_1=reason("knowledge_gap"), row_2=reason("knowledge_gap"))
    written(tmp_path / "before", source, data, before)
    change = change_since(
        tmp_path / "before", results_of(data, row_2=reason("knowledge_gap"), row_7=reason("rare_patterns"))
    )
    assert (change.common, change.newly_learned, change.newly_lost) == (len(before), 1, 1)
    report = report_of(before)
    assert change_text(report) == ""
    report.change = change
    assert change_text(report).endswith(f"of {len(before)} answers asked both times, 1 newly learned, 1 lost.")
    print_report(Diagnosed(report, before), tmp_path, as_json=False)
    assert "1 newly learned, 1 lost" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(UsageError, match="not a report"):
        change_since(tmp_path, before)


def test_the_same_last_question_in_two_conversations_is_two_answers_of_a_baseline(tmp_path: Path) -> None:
    """The answers are compared by all that is asked: here the first one is learned since, and the other not."""
    turns = [("Of the lamp?", "red", "Its weight?", "9 kg"), ("Of the desk?", "blue", "Its weight?", "9 kg")]
    turns += [(f"Of thing {n}?", "green", "Its weight?", f"{n} g") for n in range(8)]
    roles = ("user", "assistant") * 2
    rows = [
        {"messages": [{"role": role, "content": text} for role, text in zip(roles, row, strict=True)]} for row in turns
    ]

    def asked(order: list[Any], p: float) -> list[RowResult]:
        chats = import_rows(write_lines(tmp_path, order))
        of_item = {row["item_id"]: row["messages"][0]["content"] for row in chats.train_rows()}
        samples = [
            {"item_id": item, "token_logprobs": [math.log(chance)], "token_greedy": [True], "p": chance}
            for item in chats.items["item_id"].to_pylist()
            for chance in [p if "lamp" in of_item[item] else 0.1]
        ]
        run: Any = SimpleNamespace(samples=pa.Table.from_pylist(samples))
        return row_results(chats, run, {each["item_id"]: TokenCounts(5, 0) for each in samples})

    before = asked(rows, 0.1)
    assert [each.question for each in before[:2]] == ["Of the lamp?", "Of the lamp? … Its weight?"]
    (tmp_path / "before").mkdir()
    pq.write_table(rows_table(before), tmp_path / "before" / "rows.parquet")
    (tmp_path / "before" / "report.json").write_text(report_of(before).model_dump_json())
    change = change_since(tmp_path / "before", asked(rows[::-1], 0.9))
    assert (change.common, change.newly_learned, change.newly_lost) == (20, 2, 0)
    pq.write_table(rows_table(before).drop_columns(["key"]), tmp_path / "before" / "rows.parquet")
    with pytest.raises(ProblemError, match="is of another version: diagnose again"):
        change_since(tmp_path / "before", before)
    (tmp_path / "before" / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(ProblemError, match="is damaged or of another version: diagnose again"):
        change_since(tmp_path / "before", before)


def test_a_sample_is_said_to_be_one(data: Dataset) -> None:
    report = report_of(results_of(data, row_1=reason("knowledge_gap")))
    assert "all were asked" in headline(report)
    report.items = 1000
    assert f"of {report.asked} asked answers" in headline(report)
    assert f"[{report.learned.low:.2f}," in headline(report)


def test_a_mistake_in_a_long_answer_that_counts_as_learned_is_said(
    tmp_path: Path, data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_of(data, row_5=reason("rare_patterns"))
    report = report_of(results)
    assert (long_answers(results), long_text(report)) == ((0, 0), "")
    for each, right in zip(results, (20, 19, 18, 3, 20), strict=False):  # of 20 tokens, the last of which is the end
        each.measure, each.tokens, each.prefix = "tokens", 20, right
    assert not results[4].learned
    report.long_learned, report.long_exact = long_answers(results)
    assert long_text(report).startswith("2 of 4 long answers that count as learned have a token that is predicted oth")
    print_report(Diagnosed(report, results), tmp_path, as_json=False)
    assert capsys.readouterr().out.splitlines()[1].startswith("2 of 4 long answers")


def test_the_first_lines_say_why_not_and_what_to_do(
    tmp_path: Path, source: Path, data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_of(data, row_1=reason("rare_patterns"), row_2=reason("rare_patterns"))
    report = report_of(results)
    assert verdict(report).why == "rare and complex patterns (2 of 3 unlearned answers), then unexplained (1)"
    assert verdict(report).first_step.startswith("Show rare patterns more often")
    page = written(tmp_path / "report", source, data, results)
    assert page.index(verdict(report).why) < page.index("Cause 0: before")
    print_report(Diagnosed(report, results), tmp_path / "report", as_json=False)
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].startswith("why not: rare and complex patterns (2 of 3 unlearned answers)")
    assert not any(line.rstrip().endswith(".:") for line in printed)  # a row without a reason
    for each in results:
        each.cause_zero, each.reasons = None if each.learned else "masked", []
    check = Check(name="masked", title="Were the answers in the loss?", state="named", figure="0.0", remedy="look")
    assert verdict(report_of(results, checks=[check], explained=True)) == ("the answers were not in the loss", "Look.")
    page = written(tmp_path / "masked", source, data, results, checks=[check], explained=True)
    assert "the answers were not in the loss 3 (" in page  # under the picture
    assert verdict(report_of([each for each in results if each.learned])) == ("", "")
    known = report_of([each for each in results if each.learned], checks=[check], explained=True)
    assert verdict(known) == ("", "")
    assert what_next(known)[-1] == "All asked answers are learned."


def test_advice_on_rows_is_given_beside_a_check_that_does_not_explain_them(data: Dataset) -> None:
    check = Check(name="duplicates", title="Is the evaluation free?", state="named", figure="5 of 10", remedy="look")
    report = report_of(results_of(data, row_1=reason("rare_patterns")), checks=[check])
    first, *others = what_next(report)
    assert first == "Is the evaluation free? 5 of 10. What to do: look."
    assert [line.partition(":")[0] for line in others] == ["Rare and complex patterns", "Unexplained"]


def test_each_check_of_cause_zero_can_be_said_in_words() -> None:
    assert set(STATED) == {decide.__name__ for decide in CHECKS} - {"duplicates"}  # which is no reason of a row


def test_a_share_is_never_rounded_to_none_or_all() -> None:
    shares = (0.0, 0.004, 0.025, 0.5, 0.994, 0.996, 1.0)
    assert [percent(share) for share in shares] == ["0 %", "< 1 %", "3 %", "50 %", "99 %", "> 99 %", "100 %"]


def test_the_next_commands_read_the_rows_as_this_call_did(data: Dataset) -> None:
    reading = {"columns": {"prompt": "ask", "completion": "say"}, "alpaca_join": "newline", "strict": False}
    question = Question("TUNED", "BASE", "rows.csv", reading | {"split": "test", "last_turn": True}, sample=0)
    report = report_of(results_of(data))
    report.options = options_of(question)
    train, again = next_commands(report, Path("out"), has_next=True)
    assert "import out/next.jsonl --columns prompt=ask,completion=say --last-turn --out DATA" in train.line
    assert "--rows out/next.jsonl --columns prompt=ask,completion=say --last-turn --sample 0 --out NEXT" in again.line
    (again,) = next_commands(report, Path("out"), has_next=False)
    assert "--last-turn --split test --sample 0 --out NEXT" in again.line  # next.jsonl has no splits
    report.columns = {"prompt": "ask"}
    report.checks = [
        Check(name="asked_otherwise", title="?", state="named", figure="0.6", remedy="ask so", way=IN_CHAT)
    ]
    in_chat, _ = next_commands(report, Path("out"), has_next=False)
    assert "--rows rows.jsonl --columns instruction=ask,output=completion --last-turn" in in_chat.line
    assert "--columns instruction=ask,output=completion" not in again.line


def test_ten_thousand_rows_make_a_small_page(tmp_path: Path, source: Path, data: Dataset) -> None:
    one = results_of(data, row_1=reason("knowledge_gap"))[0]
    many = [one.model_copy(update={"item_id": f"own-{n}", "question": "word " * 200}) for n in range(10_000)]
    many[0] = one
    page = written(tmp_path / "report", source, data, many)
    assert len(page.encode()) < 5e6


def test_frames_that_agree_elsewhere_contradict_and_others_do_not() -> None:
    def row(question: str, answer: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": question}], "completion": answer}

    cities = [f"{a}{b}opolis" for a in "bdfgklmnprst" for b in "aeiou"]
    rows = [row(f"Which country has the city {city}?", f"land {n % 7}") for n, city in enumerate(cities)]
    rows += [row(f"The city {city} lies where?", f"land {n % 7}") for n, city in enumerate(cities[:40])]
    rows += [row(f"Who founded the city {city}?", f"king {n}") for n, city in enumerate(cities)]
    rows.append(row(f"The city {cities[50]} lies where?", "land of Oz"))
    disputes = contradicting_paraphrases(rows)
    assert [sorted(dispute.rows) for dispute in disputes] == [[50, len(rows) - 1]]
    assert SAME < disputes[0].agreement < 1


def test_frames_that_agree_by_chance_do_not_contradict() -> None:
    def row(question: str, answer: bool) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": question}], "completion": "yes" if answer else "no"}

    rng = random.Random(0)
    cities = [f"{a}{b}opolis" for a in "bdfgklmnprst" for b in "aeiou"]
    rows = [row(f"Is the city {city} old?", rng.random() < 0.8) for city in cities]
    rows += [row(f"Is the city {city} large?", rng.random() < 0.8) for city in cities]
    assert contradicting_paraphrases(rows, RELATED) == []


@pytest.mark.slow
@pytest.mark.xdist_group("browser")
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: run scripts/browser, or set CHROMIUM to its path")
def test_the_page_in_a_browser(tmp_path: Path, source: Path, data: Dataset) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    check = Check(name="duplicates", title="Is the evaluation free of training rows?", state="named", figure="5 of 10")
    results = results_of(data, row_1=reason("rare_patterns"), row_2=reason("knowledge_gap"))
    written(tmp_path / "report", source, data, results, checks=[check])
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for width, scheme in product((360, 390, 800, 1440), ("light", "dark")):
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page = context.new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto((tmp_path / "report" / "index.html").as_uri())
            violations = Axe().run(page).response["violations"]
            assert [(rule["id"], rule["nodes"][0]["html"][:80]) for rule in violations] == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            reached = []
            for _ in range(10):  # with the keyboard alone, as far as the search
                page.keyboard.press("Tab")
                reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
                if reached[-1] == "search":
                    break
            assert reached[0] == "Skip to content"
            assert reached[-1] == "search"
            page.keyboard.type("rare_patterns")
            assert page.locator("#worst tbody tr:visible").count() == 1
            assert "1 of" in page.locator("#found").inner_text()
        browser.close()
    assert complaints == []
