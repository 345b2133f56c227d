"""`diffusionnag import`: a benchmark's official files as a table, and published weights as a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TableFile = Annotated[Path, typer.Option("--out", help="Write the table into this .parquet file.")]

import_table = typer.Typer(help="Turn other people's files into a table, or into a model.")


@import_table.command("nats-bench")
def nats_bench(
    path: Annotated[Path, typer.Argument(help="The extracted folder NATS-tss-v1_0-3ffb9-simple.")],
    out: TableFile,
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


@import_table.command("ofa")
def ofa(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Search logs of DyNAS-T (.csv), or configurations of Once-for-All with what was "
            "measured, one a line (.jsonl)."
        ),
    ],
    out: TableFile,
) -> None:
    """Turn measured sub-networks of Once-for-All into a table of MobileNetV3 architectures."""
    from diffusionnag.cli.console import messages
    from diffusionnag.tables.once_for_all import read_once_for_all
    from diffusionnag.tables.table import check_table_path, write_table

    check_table_path(out)
    table = read_once_for_all(paths)
    write_table(table, out)
    messages.print(f"written to {out}: {len(table.architectures):,} measured sub-networks")


@import_table.command("ofa-weights")
def ofa_weights(
    path: Annotated[
        Path,
        typer.Argument(help="Weights of ofa_mbv3_d234_e346_k357, of torch.save or safetensors."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the shared weights.")],
) -> None:
    """Turn the weights of Once-for-All's MobileNetV3 into a folder as `supernet` writes it."""
    from diffusionnag.cli.console import messages, origin
    from diffusionnag.supernets import import_ofa_weights

    imported = import_ofa_weights(path)
    imported.about = origin(data="that of Once-for-All")
    imported.save(out)
    messages.print(f"saved in {out}", markup=False)
