"""The commands about published references: which there are, and one of them as a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ilp_bench.cli.options import LEADERBOARD, AsJson, example
from ilp_bench.core.errors import UsageError, near

app = typer.Typer()


@app.command(rich_help_panel=LEADERBOARD, epilog=example("ilp-bench reference list"))
def reference(
    action: Annotated[str, typer.Argument(help="list, or fetch with NAME and --out.")],
    name: Annotated[str | None, typer.Argument(help="With fetch: name of a reference.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="With fetch: folder to write; must not exist yet.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the published base and vanilla runs, or fetch one set of them."""
    from ilp_bench.scoring.reference_files import fetch_reference, reference_rows

    if action not in ("list", "fetch"):
        raise UsageError(f"reference has no action {action!r}.{near(action, ('list', 'fetch'))}")
    if action == "fetch":
        if not name or not out:
            raise UsageError("reference fetch wants a name and --out: see 'ilp-bench reference list'")
        fetched = fetch_reference(name, out)
        checkpoints = ", ".join(path.name for path in sorted(out.glob("checkpoint-*")))
        also = f" and the vanilla checkpoint {checkpoints}" if checkpoints else ""
        typer.echo(f"{out}: {fetched.vanilla_count} vanilla runs, {len(fetched.seeds)} base runs{also}. Next:")
        typer.echo(f"  ilp-bench score runs/yours --reference {out}")
        return
    rows = reference_rows()
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], indent=1))
        return
    for row in rows:
        budgets = ", ".join(f"{budget:,}" if budget else "unknown" for budget in row.budgets)
        typer.echo(f"{row.name}: base {row.base} ({row.base_sha256[:12]}), {row.size} seeds {row.seeds}, ", nl=False)
        typer.echo(f"{row.prompt_format} prompts, {row.division} (B = {budgets}), {row.vanilla_runs} vanilla runs")
