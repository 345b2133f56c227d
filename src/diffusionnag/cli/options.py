"""Options that several commands have in common, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Space = Annotated[str, typer.Argument(help="Search space, or your own: FILE.yaml, FILE.py:NAME.")]
ArchitectureText = Annotated[str, typer.Argument(help="Architecture string.")]
Count = Annotated[int, typer.Option("-n", help="How many architectures.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]
Top = Annotated[int, typer.Option(help="How many of the best to print.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or any other device of torch.")]

# -- what is asked for ----------------------------------------------------------------------------

Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        help="Limit that every architecture keeps: 'params<=1.0M', 'latency:pixel3<=15', "
        "'cifar10>=90'. May be repeated.",
        metavar="NAME_OR_PATH<=VALUE",
    ),
]
LimitProbability = Annotated[
    float, typer.Option(help="Probability with which predicted properties keep a limit.")
]
Fixed = Annotated[
    list[str] | None,
    typer.Option(
        "--fix",
        help="Operation that every architecture has at a node: '0>1=skip_connect'. May be repeated.",
        metavar="NODE=OPERATION",
    ),
]
Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        help="What properties are asked for under: resolution=192, in pixels. May be repeated.",
        metavar="NAME=VALUE",
    ),
]
GeneratorName = Annotated[
    str | None,
    typer.Option(
        "--generator",
        help="Folder or hub id of a generator; the shipped one if left out.",
        metavar="NAME_OR_FOLDER",
    ),
]
Solver = Annotated[
    str | None,
    typer.Option(
        help="ancestral (16 steps), categorical (8; without a tight limit), heun (12), dpm_solver (16), "
        "or as in the paper, euler_maruyama, reverse_diffusion or predictor_corrector (1,000). If left "
        "out: categorical, and with guides or limits 8 steps of ancestral that end early; all 16 where "
        "wiring is generated."
    ),
]
Steps = Annotated[
    int | None, typer.Option(help="Steps of the solver; those named there if left out.")
]

Sample = Annotated[
    bool,
    typer.Option(
        "--sample",
        help="Draw from the guided distribution, as in the paper, in place of the best there are.",
    ),
]
Distinct = Annotated[bool, typer.Option("--distinct", help="With --sample: no architecture twice.")]
Seconds = Annotated[
    float,
    typer.Option(
        help="How long the best, or a front, are looked for; a small space is ranked whole."
    ),
]
Diverse = Annotated[
    float, typer.Option(help="Least share of nodes, 0 to 1, in which any two of the best differ.")
]
Cautious = Annotated[
    float,
    typer.Option(
        help="Rank by the prediction less so many deviations: for predictors that saw few values."
    ),
]

# -- images and networks --------------------------------------------------------------------------

Images = Annotated[
    Path,
    typer.Option(
        "--data",
        help="Images: a folder with one folder a class, a .parquet file, or hf:NAME:SPLIT.",
    ),
]
Data = Annotated[
    str,
    typer.Option(
        help="What to train on. Images: a folder with one folder a class, a .parquet file, or "
        "hf:NAME:SPLIT. Texts, rows of a table: a .csv or .parquet file, or sklearn:NAME. A text to "
        "model: a .txt file. A graph: a folder of nodes.csv and edges.csv. Your own "
        "training: fit:FILE.py:FUNCTION."
    ),
]
TestData = Annotated[
    str | None, typer.Option("--test", help="What to test on; a tenth of the data if left out.")
]
Target = Annotated[
    str | None, typer.Option(help="Column of labels or numbers to be told, of a table.")
]
Tokens = Annotated[str, typer.Option(help="Of texts: bytes, or byte pairs learnt, bpe:SIZE.")]
Context = Annotated[
    int | None, typer.Option(help="Most tokens of a text; the space's own if left out.")
]
Resolution = Annotated[int | None, typer.Option(help="Pixels; the space's own if left out.")]
Width = Annotated[
    float, typer.Option(help="1.0, or for mobilenetv3 1.2, for nasbench201 0.25 or 0.5.")
]
Cells = Annotated[
    int | None, typer.Option(help="Cells of a stage, of nasbench201; the space's own if left out.")
]
Classes = Annotated[int | None, typer.Option(help="The space's own if left out.")]
Subset = Annotated[int | None, typer.Option(help="Use so many examples only, drawn at random.")]
Epochs = Annotated[
    int | None, typer.Option(help="Times that each example is seen; 200, or 20 if not of images.")
]
BatchSize = Annotated[
    int | None, typer.Option(help="Examples in one step; 256, or 64 if not images.")
]
Backend = Annotated[str, typer.Option(help="torch, torch-compile, onnxruntime or openvino.")]
Threads = Annotated[int, typer.Option(help="CPU threads.")]
Batch = Annotated[int, typer.Option(help="Inputs at a time.")]
Repeats = Annotated[int, typer.Option(help="Times that each network is measured.")]
NoiseAware = Annotated[
    bool, typer.Option("--noise-aware", help="Train on noised architectures (paper).")
]

# -- where it runs -------------------------------------------------------------------------------

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

# -- what is written ------------------------------------------------------------------------------

Plot = Annotated[
    Path | None, typer.Option(help="Draw a picture into this .png, .svg or .pdf file.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="Write all of them into this .jsonl, .csv or .parquet file."),
]
