"""Every page of the site that is about more than one entry, and how a page is written."""

from __future__ import annotations

import math
import shutil
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from ilp_bench import __version__
from ilp_bench.data.causes import CAUSES, PAPER_CAUSES
from ilp_bench.leaderboard import figures, formatting
from ilp_bench.leaderboard.album import Album
from ilp_bench.leaderboard.base_models import families
from ilp_bench.leaderboard.data_files import standings_data, write_data
from ilp_bench.leaderboard.examples import cause_counts, example_pair
from ilp_bench.leaderboard.item_matrix import SHOWN, item_boards
from ilp_bench.leaderboard.ranking import Group
from ilp_bench.leaderboard.stored_rates import StoredRates
from ilp_bench.recipes import RECIPES
from ilp_bench.scoring.recovery import SCORER_VERSION
from ilp_bench.submission.decisions import Decision

PAGE_ROWS = 100  # of one page of standings
FRONT_ROWS = 400  # of all groups together on the front page; of each, between FEWEST_ROWS and MOST_ROWS
FEWEST_ROWS, MOST_ROWS = 5, 25
Common = dict[str, Any]


def leaderboard_path() -> Path:
    """Templates and styles: inside the installed package, else beside it in a checkout."""
    inside = Path(str(files("ilp_bench") / "_leaderboard"))
    return inside if inside.is_dir() else Path(str(files("ilp_bench"))).parent / "leaderboard"


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
        formatting.format_ends,
        formatting.format_estimate,
        formatting.axis_percent,
        formatting.shade_class,
        formatting.percent,
        formatting.plural,
        formatting.number_word,
    )
    templates.globals.update({helper.__name__: helper for helper in helpers})
    templates.globals.update(
        causes=causes,
        paper_causes=PAPER_CAUSES,
        spec=CAUSES.get,
        recipes=RECIPES,
        version=__version__,
        scorer=SCORER_VERSION,
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
    groups: list[Group],
    rates: dict[str, StoredRates],
    decisions: list[Decision],
    album: Album,
    common: Common,
) -> None:
    """Write all pages but the entries' own."""
    _write_front(site, groups, album, common)
    for group in groups:
        _write_standings(site, group, common)
    _write_items(site, groups, rates, album, common)
    write(site / "compare.html", "compare.html", root=".", groups=groups, **common)
    write(site / "data.html", "data.html", root=".", tables=cause_counts(), groups=groups, **common)
    write(site / "submit.html", "submit.html", root=".", **common)
    write(site / "method.html", "method.html", root=".", groups=groups, **common)
    entries = {standing.entry.run_id: standing.entry for group in groups for standing in group.standings}
    write(site / "changes.html", "changes.html", root=".", decisions=decisions[::-1], entries=entries, **common)


def _write_front(site: Path, groups: list[Group], album: Album, common: Common) -> None:
    """The front page, and the pages that show entries of one base model together: causes and recipes."""
    by_base = families(groups)
    count = sum(len(group.standings) for group in groups)
    rows = max(FEWEST_ROWS, min(MOST_ROWS, FRONT_ROWS // max(1, len(groups))))
    front = figures.front(by_base, album)
    write(site / "index.html", "index.html", root=".", groups=groups, shown=rows, count=count, **front, **common)
    for cause in CAUSES.names():
        figure = figures.cause(cause, by_base, album)
        page = site / "causes" / f"{cause}.html"
        write(page, "cause.html", root="..", cause=cause, examples=example_pair(cause), **figure, **common)
    write(site / "recipes.html", "recipes.html", root=".", families=by_base, **common)


def _write_standings(site: Path, group: Group, common: Common) -> None:
    """A group's own pages, a hundred rows each, and its rows as data."""
    pages = max(1, math.ceil(len(group.standings) / PAGE_ROWS))
    names = [f"{group.slug}.html" if page == 0 else f"{group.slug}-{page + 1}.html" for page in range(pages)]
    for page, name in enumerate(names):
        rows = group.standings[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]
        values = {"group": group, "rows": rows, "names": names, "page_index": page}
        write(site / "standings" / name, "standings.html", root="..", **values, **common)
    data = write_data(group.slug, standings_data(group))
    (site / "standings" / f"{group.slug}.js").write_text(data, encoding="utf-8")


def _write_items(site: Path, groups: list[Group], rates: dict[str, StoredRates], album: Album, common: Common) -> None:
    """Which items were learned by whom: a page for each group and cause, and one that leads to them."""
    pairs = [(group, boards) for group in groups if (boards := item_boards(group, rates))]
    pictures = {
        board.page: figures.item_counts(board, album)
        for _, boards in pairs[: figures.PICTURED]
        for board in boards
        if board.entries > 1
    }
    write(site / "items.html", "items.html", root=".", groups=pairs, pictures=pictures, **common)
    for group, boards in pairs:
        entries = {standing.entry.slug: standing.entry for standing in group.standings}
        for board in boards:
            values = {"board": board, "boards": boards, "entries": entries, "most_columns": SHOWN}
            write(site / board.page, "matrix.html", root="../..", **values, **common)
