"""Formulas that the pages' scripts repeat give what Python gives, on the same inputs. Needs node."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

from ilp_bench.core.site_files import leaderboard_path
from ilp_bench.leaderboard import estimate
from ilp_bench.leaderboard.data_files import MOST_FREEDOM
from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.leaderboard.formatting import format_number, points
from ilp_bench.scoring.run_intervals import MIN_DATASETS, t_quantile

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node on the PATH: the scripts' formulas cannot be run")

# Runs both scripts on a page without tables, then an expression that sees their names and ``inputs``.
RUNNER = """
const fs = require("fs"), vm = require("vm");
const request = JSON.parse(fs.readFileSync(0, "utf8"));
const context = vm.createContext({
  window: {}, location: { hash: "" }, inputs: request.inputs,
  document: { querySelectorAll: () => [], getElementById: () => null },
});
for (const file of request.scripts) vm.runInContext(fs.readFileSync(file, "utf8"), context, { filename: file });
process.stdout.write(JSON.stringify(vm.runInContext(request.expression, context)));
"""


def javascript(expression: str, inputs: Any = None) -> Any:
    """The value of an expression that may use the scripts' functions."""
    scripts = [str(leaderboard_path() / "static" / name) for name in ("app.js", "compare.js")]
    request = {"scripts": scripts, "expression": expression, "inputs": inputs}
    assert NODE
    done = subprocess.run([NODE, "-e", RUNNER], input=json.dumps(request), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sides(rng: np.random.Generator, seeds: list[int]) -> dict[str, Any]:
    """An estimate with values by dataset; its upper end is farther away than the lower, or nearer."""
    by_dataset = {seed: float(value) for seed, value in zip(seeds, rng.normal(0.3, 0.2, len(seeds)), strict=True)}
    value = float(np.mean([*by_dataset.values()])) if seeds else 0.3
    low, high = value - rng.uniform(0, 0.2), value + rng.uniform(0, 0.2)
    return {"estimate": [value, low, high], "by_dataset": by_dataset}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([0, 1, 2], [0, 1, 2]),
        ([5, 2, 9, 1], [1, 2, 5, 9]),
        ([0, 1, 2], [0, 1, 3]),
        ([0, 1, 2], [0, 1]),
        ([0], [0]),
        ([], []),
    ],
)
def test_differences_are_pythons(left: list[int], right: list[int]) -> None:
    rng = np.random.default_rng(len(left) + 10 * len(right))
    quantiles = [t_quantile(freedom) for freedom in range(1, MOST_FREEDOM + 1)]
    for _ in range(3):
        first, second = sides(rng, left), sides(rng, right)
        inputs = {"first": first, "second": second, "quantiles": quantiles}
        found = javascript("difference(inputs.first, inputs.second, inputs.quantiles)", inputs)
        expected = estimate.difference(
            Estimate(*first["estimate"]), Estimate(*second["estimate"]), first["by_dataset"], second["by_dataset"]
        )
        assert found == pytest.approx(expected.estimate)


def test_constants_are_the_same() -> None:
    assert javascript("FEWEST_DATASETS") == MIN_DATASETS


def test_numbers_are_written_alike() -> None:
    values = [0.0, -0.0, 0.004, -0.004, 0.005, -0.126, 0.125, 1.0, -2.5, 0.29999, 0.99999, 1e-9, 0.345, -0.0449]
    values += [0.2349956, -0.2349956, 0.00349996]
    values += np.random.default_rng(0).uniform(-1, 1, 400).round(5).tolist()
    assert javascript("inputs.map((value) => formatNumber(value))", values) == [
        format_number(value) for value in values
    ]
    assert javascript("inputs.map(points)", values) == [points(value) for value in values]


def test_cells_sort_by_number_then_word_and_the_empty_last() -> None:
    cells = ["10.5 [1, 2]", "\N{MINUS SIGN}0.13", "–", "", "9", "Beta", "alpha", "0.4"]
    cell = "inputs.map((text) => sortValue({ dataset: {}, textContent: text }))"
    expression = f"[1, -1].map((sign) => ({cell}).sort((left, right) => compareValues(left, right, sign)))"
    rising, falling = javascript(expression, cells)
    assert rising == [-0.13, 0.4, 9, 10.5, "alpha", "beta", None, None]
    assert falling == [10.5, 9, 0.4, -0.13, "beta", "alpha", None, None]
    assert javascript('sortValue({ dataset: { sort: "7" }, textContent: "x" })') == 7


def test_an_entry_is_found_by_any_part_of_its_name_that_only_it_has() -> None:
    names = [("lab / auto (1x)", "a"), ("lab / combined (1x)", "b"), ("lab / combined (3x)", "c")]
    entries = [{"name": name, "slug": slug} for name, slug in names]
    texts = ["auto", "COMBINED (3", "combined", "lab / combined (1x)", "c", "", "none"]
    found = javascript(
        "inputs.texts.map((text) => pick(inputs.entries, text)?.slug ?? null)", {"entries": entries, "texts": texts}
    )
    assert found == ["a", "c", None, "b", "c", None, None]
