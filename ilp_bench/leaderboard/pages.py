"""Every page of the site that is about more than one entry, and how a page is written."""

from __future__ import annotations

import math
import os
import shlex
import shutil
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from ilp_bench import __version__
from ilp_bench.core.site_files import leaderboard_path
from ilp_bench.data.card import CITE
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.causes.base_knowledge import KNOWN
from ilp_bench.data.settings import ASSIGNED_ROWS
from ilp_bench.leaderboard import figures, formatting
from ilp_bench.leaderboard.data_files import comparison_data, write_data
from ilp_bench.leaderboard.examples import cause_counts, example_pair
from ilp_bench.leaderboard.findings import BaseJudgements, claims_about, delays, dose_trend, has_both, recipe_tests
from ilp_bench.leaderboard.ranking import BUILT_IN, BaseModel, Group, project_entries
from ilp_bench.leaderboard.recipe_rows import recipe_rows
from ilp_bench.leaderboard.vanilla_levels import left, verdict
from ilp_bench.recipes import RECIPES
from ilp_bench.records.training_record import CALIBRATED
from ilp_bench.replication.attribution import read_results
from ilp_bench.replication.claims import read_claims
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.pair_sets import MIN_PAIRS
from ilp_bench.scoring.points_schema import POINTS_SCORER_VERSION
from ilp_bench.scoring.rank_reasons import MAX_HARM, MIN_GAP, MIN_VANILLA_RUNS
from ilp_bench.scoring.vanilla_gaps import DECISIVE, LEFT_OF_PLATEAU
from ilp_bench.submission.check_replicates import MIN_SEEDS
from ilp_bench.submission.decisions import Decision

ABOUT_BUILT_IN = "a small model made for this benchmark, to try methods in minutes"
EXAMPLE_ROWS = 16  # training rows of an example
PAGE_ROWS = 500  # of one page of standings
FRONT_ROWS = 25  # of each table of the front page
FRONT_BARS = 6  # of the chart at its top
# Classes of base models by their parameters: name, from, and below
MODEL_SIZES = (
    ("under 10 M", 0, 1e7),
    ("10 M to 1 B", 1e7, 1e9),
    ("1 B to 10 B", 1e9, 1e10),
    ("10 B on", 1e10, math.inf),
)
Common = dict[str, Any]


def environment() -> jinja2.Environment:
    """The templates; a name that is not defined is an error."""
    return _environment(CAUSES.names())


@lru_cache(maxsize=2)
def _environment(causes: tuple[str, ...]) -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(leaderboard_path() / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    helpers = (
        formatting.format_number,
        formatting.points,
        formatting.share_ends,
        formatting.points_ends,
        formatting.shade_class,
        formatting.short_count,
        formatting.percent,
        formatting.plural,
        formatting.number_word,
        formatting.listed,
        formatting.linked_parts,
        formatting.marked_parts,
        formatting.name_causes,
        delays,
        dose_trend,
        recipe_tests,
        project_entries,
    )
    templates.filters["spec"] = CAUSES.get
    templates.tests["has_both"] = has_both
    templates.globals.update({helper.__name__: helper for helper in helpers})
    templates.globals.update(
        quote=shlex.quote,
        causes=causes,
        spec=CAUSES.get,
        recipes=RECIPES,
        kinds=KINDS,
        share_axis=formatting.SHARE_AXIS,
        points_axis=formatting.POINTS_AXIS,
        unit_axis=formatting.UNIT_AXIS,
        version=__version__,
        scorer=POINTS_SCORER_VERSION,
        rules={
            "gap": MIN_GAP,
            "harm": MAX_HARM,
            "pairs": MIN_PAIRS,
            "vanilla_runs": MIN_VANILLA_RUNS,
            "plateau": LEFT_OF_PLATEAU,
            "calibrated": CALIBRATED,
            "assigned_rows": ASSIGNED_ROWS,
            "known": KNOWN,
            "seeds": MIN_SEEDS,
        },
        citation=CITE,
        built_in=ABOUT_BUILT_IN,
        built_in_name=BUILT_IN,
        has_both=has_both,
    )
    return templates


def write(file: Path, template: str, *, root: str, **values: Any) -> None:
    """Render one page; ``root`` leads from it to the site's top."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(environment().get_template(template).render(root=root, **values), encoding="utf-8")


def static(site: Path) -> None:
    """Styles, scripts, fonts and pictures."""
    shutil.copytree(leaderboard_path() / "static", site / "static")


def write_all(
    site: Path,
    models: list[BaseModel],
    decisions: list[Decision],
    judged: list[BaseJudgements],
    archived: int,
    common: Common,
) -> None:
    """Write all pages but the entries' own and the archive; ``archived`` is how many entries that has."""
    values = {"models": models, **common}
    entries = [entry for model in models for entry in model.entries]
    front: Common = {"facts": figures.front_facts(models), "count": len(entries), "archived": archived}
    front |= {"kinds_trained": sorted({entry.kind.split()[0] for entry in entries if entry.lora is not None})}
    front |= {"sizes": model_sizes(models), "dated": any(entry.date for entry in entries)}
    front |= {"most_rows": FRONT_ROWS, "most_bars": FRONT_BARS}
    write(site / "index.html", "index.html", root=".", judged=judged, built=build_date(), **front, **values)
    write(site / "claims.html", "claims.html", root=".", judged=judged, claims=read_claims(), **common)
    _write_diagnosis(site, common)
    for model in models:
        for group in model.groups:
            _write_standings(site, model, group, common)
    for cause in CAUSES.names():
        _write_cause(site, cause, models, judged, common)
    write(site / "recipes.html", "recipes.html", root=".", recipe_rows=recipe_rows, **values)
    write(site / "delay.html", "delay.html", root=".", divisions=DECISIVE, verdict=verdict, left=left, **values)
    _write_comparison(site, models, common)
    write(site / "data.html", "data.html", root=".", tables=cause_counts(), **values)
    for name in ("submit", "method"):
        write(site / f"{name}.html", f"{name}.html", root=".", **values)
    by_id = {
        entry.run_id: entry
        for model in models
        for group in model.groups
        for entry in [*group.entries, *group.withdrawn]
    }
    decided = [decision for decision in reversed(decisions) if decision.run_id in by_id]
    changes: Common = {"entry_pages": {run_id: entry.page for run_id, entry in by_id.items()}}
    changes |= {"decisions": decided, "entries": by_id, "archived": len(decisions) - len(decided)}
    write(site / "changes.html", "changes.html", root=".", **changes, **common)


def model_sizes(models: list[BaseModel]) -> dict[str, str]:
    """The classes of size that base models with entries are in: what a reader calls each, and its ends."""
    sizes = [model.parameters for model in models if model.groups]
    return {
        name: f"{low:g}-{high:g}".replace("inf", "Infinity")
        for name, low, high in MODEL_SIZES
        if any(low <= size < high for size in sizes)
    }


def build_date() -> str:
    """Today in UTC, or the day of SOURCE_DATE_EPOCH, which makes builds reproducible."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)
    return now.date().isoformat()


def _write_cause(site: Path, cause: str, models: list[BaseModel], judged: list[BaseJudgements], common: Common) -> None:
    """A cause: a real pair, what plain fine-tuning leaves, dose curves, what repairs it."""
    parts = [
        {"model": model, "repairs": figures.repairs(model, cause), "curves": figures.dose_curves(model, cause)}
        for model in models
    ]
    levels = {kind: figures.level_rows(models, cause, kind) for kind in KINDS}
    values: Common = {"cause": cause, "examples": example_pair(cause), "parts": parts, "levels": levels}
    values |= {"most_rows": EXAMPLE_ROWS, "claims": claims_about(judged, cause)}
    write(site / "causes" / f"{cause}.html", "cause.html", root="..", **values, **common)


def _write_diagnosis(site: Path, common: Common) -> None:
    """How right the diagnosis is; models that people use come first."""
    results = read_results()
    results.runs.sort(key=lambda run: run.base.startswith(BUILT_IN))
    results.named.sort(key=lambda named: named.base.startswith(BUILT_IN))
    write(site / "diagnosis.html", "diagnosis.html", root=".", attribution=results, **common)


def _write_standings(site: Path, model: BaseModel, group: Group, common: Common) -> None:
    """A group's own pages."""
    number = max(1, math.ceil(len(group.standings) / PAGE_ROWS))
    names = [f"{group.slug}.html" if page == 0 else f"{group.slug}-{page + 1}.html" for page in range(number)]
    for page, name in enumerate(names):
        rows = group.standings[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]
        values = {"model": model, "group": group, "rows": rows, "names": names, "page_index": page}
        write(site / "standings" / name, "standings.html", root="..", **values, **common)


def _write_comparison(site: Path, models: list[BaseModel], common: Common) -> None:
    """The page that compares two entries, and a data file for each base model that has two."""
    comparable = [model for model in models if len(model.entries) > 1]
    (site / "compare").mkdir()
    for model in comparable:
        data = write_data(model.slug, comparison_data(model))
        (site / "compare" / f"{model.slug}.js").write_text(data, encoding="utf-8")
    write(site / "compare.html", "compare.html", root=".", models=comparable, **common)
