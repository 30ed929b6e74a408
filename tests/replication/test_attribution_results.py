"""The committed figures on the diagnosis are what it says today, and the documentation shows them."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import make
from ilp_bench.diagnosis.why.attribution import NONE, Diagnosis, diagnose
from ilp_bench.records.run_record import Run
from ilp_bench.replication import attribution
from ilp_bench.replication.attribution import MAKER, attribution_results, attribution_table, read_results
from ilp_bench.replication.evidence import Evidence, read_evidence
from ilp_bench.replication.report import inserted
from ilp_bench.scoring.references import committed_references

ROOT = Path(__file__).parents[2]


def rounded(result: BaseModel) -> Any:
    """To six digits: sums differ in the last ones from machine to machine."""
    return json.loads(result.model_dump_json(), parse_float=lambda digits: round(float(digits), 6))


@pytest.fixture(scope="module")
def of_nano() -> dict[tuple[str, str], Evidence]:
    return read_evidence(ROOT / "submissions", [committed_references()["nano-mini-1x"]])


@pytest.fixture(scope="module")
def said(of_nano: dict[tuple[str, str], Evidence]) -> dict[str, Diagnosis]:
    """The diagnosis of each dataset, by its hash."""
    data = {each: each.vanillas[0].record.data for each in of_nano["nano", "mini"].comparisons}
    return {
        about.content_sha256: diagnose(each.vanillas[0], each.base, make("mini", about.seed))
        for each, about in data.items()
        if each.base
    }


def test_the_committed_figures_are_computed_from_committed_runs(
    of_nano: dict[tuple[str, str], Evidence], said: dict[str, Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution, "diagnose", lambda run, *_: said[run.record.data.content_sha256])
    computed, stored = attribution_results(of_nano), read_results()
    runs = [run for run in stored.runs if (run.base, run.division) == ("nano", "1x")]
    assert [rounded(run) for run in computed.runs] == [rounded(run) for run in runs]
    assert [rounded(each) for each in computed.named] == [rounded(each) for each in stored.named if each.base == "nano"]
    assert len(computed.named) == len(CAUSES)


def test_decoys_are_counted_where_an_entry_asked_them(
    of_nano: dict[tuple[str, str], Evidence], said: dict[str, Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution, "diagnose", lambda run, *_: said[run.record.data.content_sha256])
    runs = attribution_results(of_nano).runs
    assert [run.decoys > 0 for run in runs] == [False, False, False, True, True]  # a reference keeps none
    assert all(run.decoys_named["signals"] < run.decoys_named["rows"] / 2 for run in runs if run.decoys)


def test_wrong_names_have_no_advantage(
    of_nano: dict[tuple[str, str], Evidence], said: dict[str, Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(run: Run, *_: object) -> Diagnosis:
        result = said[run.record.data.content_sha256]
        wrong = dict(zip(CAUSES.names(), [*CAUSES.names()[1:], CAUSES.names()[0]], strict=True)) | {NONE: NONE}
        return result._replace(said=result.said | {"signals": [wrong[name] for name in result.said["signals"]]})

    monkeypatch.setattr(attribution, "diagnose", shifted)
    named = attribution_results(of_nano).named
    assert len(named) == len(CAUSES)
    assert all(each.advantage.low < 0 for each in named)  # none can be told from 0, or is below it
    assert sum(each.advantage.high < 0 for each in named) >= 3


def test_the_documentation_shows_them() -> None:
    page = (ROOT / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    assert inserted(page, attribution_table(read_results()), MAKER) == page
