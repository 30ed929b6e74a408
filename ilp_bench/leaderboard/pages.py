"""Every page of the site that is about more than one entry, and how a page is written."""

from __future__ import annotations

import shutil
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from ilp_bench import __version__
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import make
from ilp_bench.leaderboard import figures
from ilp_bench.leaderboard import formatting as text
from ilp_bench.leaderboard.base_models import families
from ilp_bench.leaderboard.charts import Album
from ilp_bench.leaderboard.data_files import standings_data, write_data
from ilp_bench.leaderboard.item_matrix import boards
from ilp_bench.leaderboard.pair_rates import Rates
from ilp_bench.leaderboard.ranking import Group
from ilp_bench.recipes import RECIPES
from ilp_bench.scoring.recovery import SCORER_VERSION
from ilp_bench.submission.decisions import Decision

PAGE, FRONT = 100, 400  # rows a page of standings, rows of all groups on the front page
Common = dict[str, Any]


def leaderboard_path() -> Path:
    """Templates and styles: inside the installed package, else beside it in a checkout."""
    inside = Path(str(files("ilp_bench") / "_leaderboard"))
    return inside if inside.is_dir() else Path(str(files("ilp_bench"))).parent / "leaderboard"


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates; a name that is not defined is an error."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(leaderboard_path() / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    helpers = (text.number, text.span, text.cell, text.place, text.shade, text.percent, text.plural)
    found.globals.update({helper.__name__: helper for helper in helpers})
    found.globals.update(
        causes=CAUSES.names(), spec=CAUSES.get, recipes=RECIPES, version=__version__, scorer=SCORER_VERSION
    )
    return found


def write(file: Path, template: str, *, root: str, **values: Any) -> None:
    """Render one page; ``root`` leads from it to the site's top."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(environment().get_template(template).render(root=root, **values), encoding="utf-8")


def static(site: Path) -> None:
    """Styles, scripts, fonts and pictures."""
    shutil.copytree(leaderboard_path() / "static", site / "static")


def write_all(
    site: Path,
    grouped: list[Group],
    rates: dict[str, Rates],
    decisions: list[Decision],
    album: Album,
    common: Common,
) -> None:
    """Write all pages but the entries' own."""
    found = families(grouped)
    count = sum(len(group.standings) for group in grouped)
    share = max(5, min(25, FRONT // max(1, len(grouped))))
    front = figures.front(found, album)
    write(site / "index.html", "index.html", root=".", groups=grouped, shown=share, count=count, **front, **common)
    for group in grouped:
        _standings(site, group, common)
    for cause in CAUSES.names():
        picture = figures.cause(cause, found, album)
        page = site / "causes" / f"{cause}.html"
        write(page, "cause.html", root="..", cause=cause, examples=examples(cause), **picture, **common)
    write(site / "recipes.html", "recipes.html", root=".", families=found, **common)
    write(site / "compare.html", "compare.html", root=".", groups=grouped, **common)
    _items(site, grouped, rates, album, common)
    write(site / "data.html", "data.html", root=".", tables=_tables(), groups=grouped, **common)
    write(site / "submit.html", "submit.html", root=".", **common)
    write(site / "method.html", "method.html", root=".", groups=grouped, **common)
    entries = {one.entry.run_id: one.entry for group in grouped for one in group.standings}
    write(site / "changes.html", "changes.html", root=".", decisions=decisions[::-1], entries=entries, **common)


def _standings(site: Path, group: Group, common: Common) -> None:
    """A group's own pages, a hundred rows each, and its rows as data."""
    last = max(1, -(-len(group.standings) // PAGE))
    names = [f"{group.slug}.html" if n == 0 else f"{group.slug}-{n + 1}.html" for n in range(last)]
    for n, name in enumerate(names):
        rows = group.standings[n * PAGE : (n + 1) * PAGE]
        values = {"group": group, "rows": rows, "names": names, "at": n}
        write(site / "standings" / name, "standings.html", root="..", **values, **common)
    data = write_data(group.slug, standings_data(group))
    (site / "standings" / f"{group.slug}.js").write_text(data, encoding="utf-8")


@lru_cache(maxsize=1)
def _mini() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Items and training rows of mini, seed 0."""
    data = make("mini", 0)
    return data.items.to_pylist(), data.train.to_pylist()


def examples(cause: str) -> list[dict[str, Any]]:
    """A real pair of the cause: treated and control recall probe, each with the rows that teach it."""
    items, train = _mini()
    rows = [one for one in items if one["cause"] == cause and one["probe"] != "retention"]
    pair = rows[0]["pair_id"]
    found = []
    for item in (one for one in rows if one["pair_id"] == pair and one["probe"] == "recall"):
        taught = [one for one in train if one["item_id"] == item["item_id"]]
        asked = [one["question"] for one in rows if one["item_id"] == item["item_id"] and one["probe"] == "paraphrase"]
        found.append(item | {"rows": taught, "paraphrases": asked})
    return sorted(found, key=lambda one: str(one["arm"]), reverse=True)


def _tables() -> list[dict[str, Any]]:
    """Pairs, training rows and probes of each cause in mini, counted."""
    items, train = _mini()
    found = []
    for name in CAUSES.names():
        mine = [one for one in items if one["cause"] == name]
        pairs = len({one["pair_id"] for one in mine})
        rows = {arm: sum(one["cause"] == name and one["arm"] == arm for one in train) for arm in ("treated", "control")}
        found.append({"cause": name, "pairs": pairs, "probes": len(mine), **rows})
    return found


def _items(site: Path, grouped: list[Group], rates: dict[str, Rates], album: Album, common: Common) -> None:
    found = [(group, boards(group, rates)) for group in grouped]
    found = [(group, some) for group, some in found if some]
    pictures = {
        board.page: figures.item_counts(board, album)
        for _, some in found[: figures.PICTURED]
        for board in some
        if board.entries > 1
    }
    write(site / "items.html", "items.html", root=".", groups=found, pictures=pictures, **common)
    for group, some in found:
        titles = {one.entry.slug: one.entry for one in group.standings}
        for board in some:
            write(site / board.page, "matrix.html", root="../..", board=board, boards=some, titles=titles, **common)
