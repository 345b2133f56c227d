"""What `generate` and `transfer` share: guided generation, shown, written and drawn."""

from __future__ import annotations

from pathlib import Path

from diffusionnag._files import check_writable
from diffusionnag.cli.console import messages, results
from diffusionnag.cli.generated import (
    Evaluation,
    metrics_table,
    plot_property,
    ranking_table,
    write_json_lines,
    write_origin,
)
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.guided_sampling import sample_resampled
from diffusionnag.generation.metrics import generation_quality
from diffusionnag.generation.request import Request
from diffusionnag.generation.samples import Samples
from diffusionnag.report import check_picture

ORACLE_SIZE = 1_000
"""The paper compares with the best thousand architectures of a table (Table 3, Figure 2)."""


def check_output(top: int, out: Path | None, plot: Path | None) -> None:
    """Make sure, before work begins, that its results can be shown and written.

    Raises DiffusionNAGError for a negative `top` and for a picture of no known kind,
    EnvironmentFailureError for a file that cannot be written.
    """
    if top < 0:
        raise DiffusionNAGError(f"--top is {top}; it must be 0 or more")
    for path in (out, plot):
        if path is not None:
            check_writable(path)
    if plot is not None:
        check_picture(plot)


def generate_guided(
    model: Generator,
    request: Request,
    count: int,
    solver: str | None,
    steps: int | None,
    seed: int,
    *,
    top: int,
    distinct: bool,
    resample: bool = False,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Generate what is asked for, print the best, and write and draw them all if wanted.

    Raises DiffusionNAGError as `Generator.sample` does, and where `resample` meets what it cannot do.
    """
    search_space = model.search_space
    guidance = request.guidance()
    with messages.status("generating"):
        if not resample:
            samples = model.sample(
                count, guide=guidance, solver=solver, steps=steps, seed=seed, distinct=distinct
            )
        elif guidance is None or distinct or solver is not None:
            raise DiffusionNAGError(
                "--resample corrects a --guide or --limit, with a solver of its own, and its "
                "architectures may repeat: leave out --distinct and --solver"
            )
        else:
            found = sample_resampled(model, count, guide=guidance, steps=steps, seed=seed)
            samples = Samples(found.architectures, found.architectures, found.rejected)
            least = 100 * min(found.effective_sample_size)
            messages.print(f"effective sample size: at least {least:.0f} % of the particles")
        quality = generation_quality(search_space, samples.drawn, model.training_set)
        generated = Evaluation.of(search_space, samples.architectures, request).ranked()
        uniform = Evaluation.of(search_space, search_space.sample(count, seed), request)
    results.print(ranking_table(generated, top))
    results.print(metrics_table(quality, samples, generated, uniform, request))
    if out is not None:
        write_json_lines(generated, out)
        write_origin(out, quality, request, uniform)
        messages.print(f"{len(samples)} architectures written to {out}")
    if plot is not None:
        unguided = model.sample(count, solver=solver, steps=steps, seed=seed)
        others = Evaluation.of(search_space, unguided.architectures, request)
        groups = {"random": uniform, "unguided": others, "guided": generated}
        plot_property(plot, groups, next(iter(request.judged())), ORACLE_SIZE)
        messages.print(f"drawn into {plot}")
