"""The options by which a command is told where its work runs."""

from __future__ import annotations

from typing import Annotated

import typer

Workers = Annotated[int, typer.Option(help="How many architectures are measured at once.")]
ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor",
        help="Where the workers are: local (this process), process (several of this machine; if left "
        "out with --workers) or ray (a cluster).",
        metavar="local|process|ray",
    ),
]
Cpus = Annotated[
    float | None, typer.Option(help="CPUs of each worker of a cluster; 1 if left out.")
]
Gpus = Annotated[
    float | None, typer.Option(help="GPUs of each worker of a cluster; 0 if left out.")
]
