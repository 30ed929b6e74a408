"""Progress bars of the command line, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ilp_bench.cli.console import errors
from ilp_bench.recipes import phase


@contextmanager
def _started_late(bar: Progress) -> Iterator[None]:
    """Stop a bar that its first update started, so that a call refused at once prints one line only."""
    try:
        yield
    finally:
        if bar.live.is_started:
            bar.stop()


class RateColumn(ProgressColumn):
    """Requests a second."""

    def render(self, task: Task) -> Text:
        """The speed of the last half minute, or nothing yet."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def counting_progress(what: str, *, show: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar over requests, with time passed and left, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=errors, disable=not show)
    task = bar.add_task(what, total=None)

    def update(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    with _started_late(bar):
        yield update


@contextmanager
def named_progress(*, show: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """A bar over the steps of what is being done, one line for each, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=errors, disable=not show)
    tasks: dict[str, TaskID] = {}

    def update(what: str, done: int, total: int) -> None:
        bar.start()
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=total)
        bar.update(tasks[what], completed=done, total=total)

    with _started_late(bar):
        yield update


@contextmanager
def share_progress(what: str, *, show: bool = True) -> Iterator[Callable[[float], None]]:
    """A bar over the share that is done, in [0, 1], on standard error."""
    with counting_progress(what, show=show) as update:
        yield lambda share: update(round(100 * share), 100)


@contextmanager
def training_progress(what: str, *, show: bool = True) -> Iterator[phase.Progress]:
    """A bar over what a phase learns, with its epoch, mean p of the calibration items and time passed and left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(10),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=errors, disable=not show)
    task = bar.add_task(what)

    def update(name: str, epoch: int, measured: float | None, tokens: tuple[int, int]) -> None:
        bar.start()
        of_epoch = f", epoch {epoch}" if epoch else ""
        value = "" if measured is None else f", {measured:.2f}"
        done, total = tokens
        bar.update(task, description=f"{what}: {name}{of_epoch}{value}", completed=done, total=total)

    with _started_late(bar):
        yield update
