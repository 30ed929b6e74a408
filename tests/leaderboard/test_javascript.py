"""Formulas that the pages' scripts repeat give what Python gives, on the same inputs. Needs node."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ilp_bench.leaderboard import formatting, item_matrix, paired_draws
from ilp_bench.leaderboard.data_files import UNITS_PER_ONE, read_data
from ilp_bench.leaderboard.entry import read_entry
from ilp_bench.leaderboard.pages import leaderboard_path
from ilp_bench.leaderboard.ranking import Group, groups
from ilp_bench.leaderboard.stored_rates import STORED_ONE, StoredRates, from_json
from ilp_bench.scoring.bootstrap import SEED, interval_ends
from ilp_bench.scoring.recovery import recovery

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node on the PATH: the scripts' formulas cannot be run")

# Runs both scripts on a page without tables, then an expression that sees their names and ``inputs``.
RUNNER = """
const fs = require("fs"), vm = require("vm");
const request = JSON.parse(fs.readFileSync(0, "utf8"));
const element = { addEventListener() {}, options: [] };
const context = vm.createContext({
  window: { addEventListener() {} }, location: { hash: "" }, Tablesort: { extend() {} }, atob, inputs: request.inputs,
  document: { body: { dataset: { root: "." } }, querySelectorAll: () => [], getElementById: () => element },
});
for (const file of request.scripts) vm.runInContext(fs.readFileSync(file, "utf8"), context, { filename: file });
const plain = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
process.stdout.write(JSON.stringify(vm.runInContext(request.expression, context), plain));
"""


def javascript(expression: str, inputs: Any = None) -> Any:
    """The value of an expression that may use the scripts' functions; NaN comes back as None."""
    scripts = [str(leaderboard_path() / "static" / name) for name in ("app.js", "compare.js")]
    request = {"scripts": scripts, "expression": expression, "inputs": inputs}
    assert NODE
    done = subprocess.run([NODE, "-e", RUNNER], input=json.dumps(request), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def runs(synthetic_site: Path) -> dict[str, dict[str, Any]]:
    """The entries' data files by slug."""
    files = sorted((synthetic_site / "runs").glob("*.js"))
    return {file.stem: read_data(file.read_text(encoding="utf-8")) for file in files}


@pytest.fixture(scope="module")
def stored(runs: dict[str, dict[str, Any]]) -> dict[str, StoredRates]:
    return {slug: from_json(data) for slug, data in runs.items()}


@pytest.fixture(scope="module")
def first_group(synthetic_submissions: Path, stored: dict[str, StoredRates]) -> Group:
    folders = sorted(path.parent for path in synthetic_submissions.glob("*/*/submission.json"))
    return groups([read_entry(folder, ()) for folder in folders], stored)[0]


def test_constants_are_the_same() -> None:
    names = "[UNITS_PER_ONE, STORED_ONE, AXIS_LOW, AXIS_HIGH, DRAWS, BOOTSTRAP_SEED, LEARNED]"
    expected = [UNITS_PER_ONE, STORED_ONE, formatting.AXIS_LOW, formatting.AXIS_HIGH]
    assert javascript(names) == [*expected, paired_draws.DRAWS, SEED, item_matrix.LEARNED]


def test_numbers_intervals_colours_and_places_on_the_axis() -> None:
    units = [*range(-160_000, 160_000, 37), *range(-1_000, 1_001, 5), -5_001, -5_000, 4_999, 5_000, 99_999]
    values = [unit / UNITS_PER_ONE for unit in units]
    texts = [[formatting.format_number(value), formatting.format_number(value, 1)] for value in values]
    assert javascript("inputs.map((unit) => [formatNumber(unit), formatNumber(unit, 1)])", units) == texts
    assert javascript("inputs.map(shadeClass)", units) == [formatting.shade_class(value) for value in values]
    assert javascript("inputs.map(axisPercent)", units) == [formatting.axis_percent(value) for value in values]
    ends = [formatting.format_ends({"value": 0.0, "low": value, "high": value + 0.25}) for value in values]
    assert javascript("inputs.map((unit) => formatEnds([0, unit, unit + 25000]))", units) == ends


def test_stored_rates_and_active_pairs_are_read_alike(
    runs: dict[str, dict[str, Any]], stored: dict[str, StoredRates]
) -> None:
    slug = next(iter(runs))
    decoded = javascript("decodeRates(inputs.rates)", runs[slug])
    names = ("treated", "control", "vanillaTreated", "vanillaControl")
    for name, rates in zip(names, stored[slug].rates, strict=True):
        assert decoded[name] == rates.tolist()
    causes = list(dict.fromkeys(name for name, _, _ in stored[slug].spans))
    active = javascript(
        "inputs.causes.map((cause) => activePairs(inputs.run, cause))", {"run": runs[slug], "causes": causes}
    )
    weights = paired_draws.pair_weights(stored[slug])
    assert active == [weights[cause][0].tolist() for cause in causes]


def test_recovery_and_its_absence_where_there_is_no_gap() -> None:
    rng = np.random.default_rng(0)
    rates = rng.random((40, 3, 7))
    rates[0, 2] = rates[0, 1]  # no gap
    expected = recovery(*np.moveaxis(rates.mean(axis=2), 1, 0))
    assert np.isnan(expected).any()
    assert not np.isnan(expected).all()
    inputs = [{"treated": t, "vanillaTreated": v, "vanillaControl": c} for t, v, c in rates.tolist()]
    values = javascript("inputs.map((rates) => recovery(rates, [0, 1, 2, 3, 4, 5, 6]))", inputs)
    np.testing.assert_allclose(np.array(values, dtype=float), expected, rtol=1e-9)


@pytest.mark.parametrize("missing", [0, 31])
def test_intervals_of_draws_and_of_their_differences(missing: int) -> None:
    left, right = np.random.default_rng(1).normal(size=(2, 2000))
    left[:missing] = math.nan
    draws = [[None if math.isnan(draw) else draw for draw in side.tolist()] for side in (left, right)]
    revive = "inputs.map((draws) => ({ value: 0, draws: Float64Array.from(draws, (draw) => draw ?? NaN) }))"
    ends = javascript(f"{revive}.map(percentileInterval).map(({{ low, high }}) => [low, high])", draws)
    np.testing.assert_allclose(ends, interval_ends(np.stack([left, right])), rtol=1e-12)
    gap = javascript(f"((sides) => percentileInterval(difference(...sides)))({revive})", draws)
    np.testing.assert_allclose([gap["low"], gap["high"]], interval_ends(left - right), rtol=1e-12)


def test_overall_holds_each_cause_within_one() -> None:
    estimates = [{"value": 1.7, "draws": [1.5, 0.2]}, {"value": 0.1, "draws": [-3.0, 0.4]}]
    overall = javascript("meanOverCauses(inputs)", estimates)
    assert overall["value"] == pytest.approx(np.clip([1.7, 0.1], -1, 1).mean())
    assert overall["draws"] == pytest.approx(np.clip([[1.5, 0.2], [-3.0, 0.4]], -1, 1).mean(axis=0).tolist())


def test_paired_differences_agree_with_the_standings(
    runs: dict[str, dict[str, Any]], first_group: Group, synthetic_site: Path
) -> None:
    """Draws differ, so ends agree as far as 2000 draws determine them; values agree to the stored precision."""
    first, other = first_group.standings[0], first_group.standings[3]
    file = synthetic_site / "standings" / f"{first_group.slug}.js"
    inputs = {
        "runs": [runs[standing.entry.slug] for standing in (first, other)],
        "causes": read_data(file.read_text(encoding="utf-8"))["causes"],
    }
    compare = """(() => {
      const rates = inputs.runs.map((run) => decodeRates(run.rates));
      const estimates = inputs.causes.map((cause) => bootstrapCause(inputs.runs, rates, cause));
      const overall = [0, 1].map((run) => meanOverCauses(estimates.map((ofRuns) => ofRuns[run])));
      return [overall, ...estimates].map(([left, right]) => percentileInterval(difference(left, right)));
    })()"""
    assert other.behind
    expected = [other.behind, *(other.behind_cause[cause["name"]] for cause in inputs["causes"])]
    differences = javascript(compare, inputs)
    assert len(differences) == 6
    for difference, behind in zip(differences, expected, strict=True):
        assert difference["value"] == pytest.approx(behind["value"], abs=1e-4)
        width = behind["high"] - behind["low"]
        assert [difference["low"], difference["high"]] == pytest.approx(
            [behind["low"], behind["high"]], abs=0.1 * width
        )


def test_items_learned_by_one_by_all_and_by_none_are_counted() -> None:
    rates = np.random.default_rng(2).random((3, 50))
    learned = rates >= item_matrix.LEARNED
    alone = [int((learned[run] & (learned.sum(axis=0) == 1)).sum()) for run in range(3)]
    expected = [*alone, int(learned.all(axis=0).sum()), int((~learned).all(axis=0).sum())]
    inputs = [{"treated": run} for run in rates.tolist()]
    assert javascript("countLearned(inputs, [...Array(50).keys()])", inputs) == expected
