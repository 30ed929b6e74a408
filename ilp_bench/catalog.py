"""What is generated from the registered causes and recipes: lm-eval task files and tables of the documentation.

python -m ilp_bench.catalog            write them into the checkout
python -m ilp_bench.catalog --check    exit with 1, naming them, where some are not current
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import write_text
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.causes.spec import CauseSpec
from ilp_bench.recipes import RECIPES

ROOT = Path(__file__).parent.parent
TASK_VERSION = 2  # of the task files; 2: the arms of dataset 3, and (1 - p)^5 as ``unlearned``
PROBES = ("recall", "paraphrase")
SCORES = {"reproduction": "recall", "internalisation": "paraphrase"}  # group of tasks -> their probe
OPTIONS = {"choice": "mc", "choice10": "mc10"}  # task file -> name of its group


def task_files() -> dict[str, str]:
    """Path below ``tasks/`` -> YAML of every task and group that depends on which causes there are."""
    files = {"ilp_bench.yaml": _group("ilp_bench", [*(f"ilp_bench_{name}" for name in SCORES), "ilp_bench_retention"])}
    for score, probe in SCORES.items():
        tasks = [f"ilp_bench_{name}_{probe}" for name in CAUSES.names()]
        files[f"ilp_bench_{score}.yaml"] = _group(f"ilp_bench_{score}", tasks, metrics=("gap", "p", "greedy"))
    for kind in OPTIONS.values():
        tasks = [f"ilp_bench_{kind}_{name}" for name in CAUSES.names()]
        files[f"ilp_bench_{kind}.yaml"] = _group(f"ilp_bench_{kind}", tasks, metrics=("acc",), by_size=True)
    for cause in CAUSES:
        files |= {f"{cause.name}/{name}.yaml": text for name, text in _tasks_of(cause)}
    return files


def _tasks_of(cause: CauseSpec) -> Iterator[tuple[str, str]]:
    tasks = [f"ilp_bench_{cause.name}_{probe}" for probe in PROBES]
    yield "group", _group(f"ilp_bench_{cause.name}", tasks)  # two scores, never mixed: no aggregate
    for probe, task in zip(PROBES, tasks, strict=True):
        yield probe, _task("_probe", task, cause.name, probe)
    for file, kind in OPTIONS.items():
        yield file, _task(f"_{file}", f"ilp_bench_{kind}_{cause.name}", cause.name, "recall")


def _task(include: str, task: str, cause: str, probe: str) -> str:
    return (
        f"include: ../{include}.yaml\ntask: {task}\ndataset_kwargs:\n  cause: {cause}\n  probe: {probe}\n"
        f"metadata:\n  version: {TASK_VERSION}\n"
    )


def _group(name: str, tasks: list[str], *, metrics: Sequence[str] = (), by_size: bool = False) -> str:
    lines = [f"group: {name}", "task:", *(f"  - {task}" for task in tasks)]
    lines += ["aggregate_metric_list:"] if metrics else []
    for metric in metrics:
        lines += [f"  - metric: {metric}", f"    weight_by_size: {str(by_size).lower()}"]
    return "\n".join([*lines, "metadata:", f"  version: {TASK_VERSION}", ""])


def cause_table() -> str:
    """Markdown: number, name, and what an item of either arm does."""
    lines = ["| | cause | a treated item | a control item |", "| --- | --- | --- | --- |"]
    lines += [f"| {one.numeral} | `{one.name}` | {one.text.treated} | {one.text.control} |" for one in CAUSES]
    return "\n".join(lines)


def recipe_table() -> str:
    """Markdown: name, the cause it is meant to repair, and what it does."""
    lines = ["| recipe | against | what it does |", "| --- | --- | --- |"]
    for recipe in RECIPES:
        against = "all" if recipe.all_causes else CAUSES.get(recipe.cause).short_title.lower() if recipe.cause else ""
        lines.append(f"| `{recipe.name}` | {against} | {recipe.summary} |")
    return "\n".join(lines)


def documents(root: Path = ROOT) -> dict[Path, str]:
    """Path -> its text, with the generated tables between their marks. Raises ProblemError where marks are missing."""
    tables = {root / "README.md": ("causes", cause_table()), root / "docs/recipes.md": ("recipes", recipe_table())}
    return {path: with_table(path, name, table) for path, (name, table) in tables.items()}


def with_table(path: Path, name: str, table: str) -> str:
    """The text of a Markdown file, with ``table`` between ``<!-- name -->`` and ``<!-- end of name -->``."""
    start, end = f"<!-- {name}: made by python -m ilp_bench.catalog -->", f"<!-- end of {name} -->"
    before, found_start, rest = path.read_text(encoding="utf-8").partition(start)
    _, found_end, after = rest.partition(end)
    if not found_start or not found_end:
        raise ProblemError(f"{path} has no marks {start} and {end}: put them around the table")
    return f"{before}{start}\n\n{table}\n\n{end}{after}"


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Path -> text of everything that is generated into a checkout."""
    return {root / "tasks" / name: text for name, text in task_files().items()} | documents(root)


def main() -> None:
    """Write, or check, the generated files of this checkout."""
    parser = argparse.ArgumentParser(prog="python -m ilp_bench.catalog", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file is not current")
    check = parser.parse_args().check
    stale = {
        path: text
        for path, text in generated().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        print(f"{path.relative_to(ROOT)} is {'not current' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
    sys.exit(bool(check and stale))


if __name__ == "__main__":
    main()
