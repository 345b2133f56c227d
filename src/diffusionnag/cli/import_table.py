"""`diffusionnag import`: a benchmark's official files as a table, for predictors and for comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import_table = typer.Typer(help="Turn the official files of a benchmark into a table.")


@import_table.callback()
def _group() -> None:
    """Keep the name of the benchmark part of the command while there is only one."""


@import_table.command("nats-bench")
def nats_bench(
    path: Annotated[Path, typer.Argument(help="The extracted folder NATS-tss-v1_0-3ffb9-simple.")],
    out: Annotated[Path, typer.Option(help="Write the table into this .parquet file.")],
) -> None:
    """Turn the topology archive of NATS-Bench into a table of NAS-Bench-201 cells."""
    from diffusionnag.cli.console import messages, progress_bar
    from diffusionnag.tables.nats_bench import CELLS, read_nats_bench
    from diffusionnag.tables.table import check_table_path, write_table

    check_table_path(out)
    with progress_bar() as bar:
        task = bar.add_task("reading", total=None, note="")
        table = read_nats_bench(
            path, lambda done, total: bar.update(task, completed=done, total=total)
        )
    write_table(table, out)
    messages.print(f"written to {out}: {len(table.architectures):,} of {CELLS:,} architectures")
