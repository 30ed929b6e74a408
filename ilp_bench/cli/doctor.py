"""What is installed, which devices there are, and what would not work: the report of ``ilp-bench doctor``."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from rich import box
from rich.table import Table

from ilp_bench import __version__
from ilp_bench.cli.console import console

USES = {
    "encoder": "train --encoder, diagnose --encoder",
    "track": "train --track",
    "vllm": "evaluate --backend vllm",
}
IMPORTED = ("torch", "transformers", "lm_eval", "datasets", "pyarrow")  # those whose import can fail though installed
GIB = 2**30


@dataclass(frozen=True)
class Package:
    """One dependency: ``extra`` is empty for a requirement; ``problem`` is empty where nothing is wrong."""

    name: str
    wanted: str
    installed: str | None
    extra: str = ""
    problem: str = ""


@dataclass
class Report:
    """The state of this machine; ``unavailable``: each command or option that would not work, with its remedy."""

    ilp_bench: str
    python: str
    system: str
    packages: list[Package]
    cpu_cores: int
    cpu_threads: int | None
    memory_gib: float | None
    free_disk_gib: float
    gpus: list[str] = field(default_factory=list)
    hub_offline: bool = False
    hub_cache: str = ""
    unavailable: dict[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> list[str]:
        """Names of the requirements that are missing, too old or cannot be imported."""
        return [package.name for package in self.packages if package.problem and not package.extra]


def examine() -> Report:
    """Look at this machine; imports the large libraries, and uses no network."""
    packages = [_package(requirement, extra) for extra, requirement in _requirements()]
    threads, gpus = _torch()
    report = Report(
        ilp_bench=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        packages=packages,
        cpu_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu_threads=threads,
        memory_gib=_memory_gib(),
        free_disk_gib=round(shutil.disk_usage(Path.cwd()).free / GIB, 1),
        gpus=gpus,
    )
    try:
        from huggingface_hub import constants

        report.hub_offline, report.hub_cache = bool(constants.HF_HUB_OFFLINE), str(constants.HF_HUB_CACHE)
    except ImportError:
        pass  # huggingface-hub is then among the broken requirements
    report.unavailable = _unavailable(report)
    return report


def _requirements() -> list[tuple[str, Requirement]]:
    """(extra, requirement) of the installed package, of what a user needs; empty where it is not installed."""
    try:
        texts = requires("ilp-bench") or []
    except PackageNotFoundError:
        return []
    found = []
    for text in texts:
        requirement = Requirement(text)
        extra = str(requirement.marker).split('extra == "')[-1].rstrip('"') if requirement.marker else ""
        if extra in ("", *USES):
            found.append((extra, requirement))
    return found


def _package(requirement: Requirement, extra: str) -> Package:
    name, wanted = requirement.name, str(requirement.specifier)
    try:
        installed = version(name)
    except PackageNotFoundError:
        target = f"ilp-bench[{extra}]" if extra else name
        return Package(name, wanted, None, extra, f"not installed: pip install '{target}'")
    problem = ""
    if not requirement.specifier.contains(installed, prereleases=True):
        problem = f"{installed} is installed, {wanted} is needed: pip install '{name}{wanted}'"
    elif (module := name.replace("-", "_")) in IMPORTED:
        try:
            import_module(module)
        except Exception as error:  # whatever a broken installation raises
            reason = str(error).strip().splitlines()
            problem = f"cannot be imported ({reason[0] if reason else type(error).__name__}): install it again"
    return Package(name, wanted, installed, extra, problem)


def _torch() -> tuple[int | None, list[str]]:
    """(CPU threads, accelerators) as torch sees them; (None, []) where it cannot be imported."""
    try:
        import torch
    except Exception:  # it is then among the broken requirements
        return None, []
    gpus = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        gpus.append(f"cuda:{index} {properties.name}, {properties.total_memory / GIB:.0f} GiB")
    if torch.backends.mps.is_available():
        gpus.append("mps")
    return torch.get_num_threads(), gpus


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _unavailable(report: Report) -> dict[str, str]:
    found = {}
    for package in report.packages:
        if package.problem and package.extra:
            found[USES[package.extra]] = f"{package.name} {package.problem}"
    if not report.gpus:
        found["--device cuda"] = "torch sees no GPU: use --device cpu, or install a CUDA build of torch and a driver"
    if report.hub_offline:
        found["models and datasets from the Hub"] = "HF_HUB_OFFLINE is set: unset it, or use what is in the cache"
    if not report.packages:
        found["checks of versions"] = "ilp-bench is not installed as a package: pip install -e ."
    return found


def print_report(report: Report, *, as_json: bool) -> None:
    """Print the report as tables, or as JSON."""
    if as_json:
        print(json.dumps(asdict(report) | {"broken": report.broken}))
        return
    console.print(f"ilp-bench {report.ilp_bench}, Python {report.python} ({sys.executable}), {report.system}")
    table = Table(title="Packages", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for heading in ("package", "installed", "needed", "extra"):
        table.add_column(heading)
    for package in report.packages:
        style = None if not package.problem else "yellow" if package.extra else "red"
        cells = package.name, package.installed or "-", package.wanted, package.extra
        table.add_row(*cells, style=style)
    console.print(table)
    memory = "" if report.memory_gib is None else f", {report.memory_gib:.1f} GiB memory"
    threads = "" if report.cpu_threads is None else f", {report.cpu_threads} threads"
    console.print(f"CPU: {report.cpu_cores} cores{threads}{memory}; {report.free_disk_gib:.1f} GiB free disk here")
    console.print(f"GPU: {'; '.join(report.gpus) or 'none'}")
    console.print(f"Hub: {'offline' if report.hub_offline else 'online'}, cache {report.hub_cache}", soft_wrap=True)
    for package in report.packages:
        if package.problem and not package.extra:
            console.print(f"broken: {package.name} {package.problem}", soft_wrap=True, markup=False)
    for use, remedy in report.unavailable.items():
        console.print(f"would not work: {use}: {remedy}", soft_wrap=True, markup=False)
