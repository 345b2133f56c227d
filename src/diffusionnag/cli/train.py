"""`diffusionnag train`: from an architecture to a trained network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from diffusionnag.cli.options import (
    ArchitectureText,
    BatchSize,
    Cells,
    Context,
    Data,
    Device,
    Epochs,
    Resolution,
    Seed,
    Space,
    Subset,
    Target,
    TestData,
    Tokens,
    Width,
)


def train(
    space: Space,
    architecture: ArchitectureText,
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the trained network.")],
    init: Annotated[
        Path | None,
        typer.Option(
            help="Folder of `train` or `supernet` whose weights to begin with; random if left out. "
            "The size of the network is theirs."
        ),
    ] = None,
    test: TestData = None,
    target: Target = None,
    tokens: Tokens = "bytes",
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="At first; it falls to 0. 0.1, or 0.001 if the data are no images."),
    ] = None,
    optimiser: Annotated[
        str | None, typer.Option(help="sgd (images, if left out) or adamw (all others).")
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="5e-4, or 0.01 if the data are neither images nor a graph.")
    ] = None,
    gradient_clip: Annotated[
        float | None, typer.Option(help="Longest gradient (darts: 5); any if left out.")
    ] = None,
    label_smoothing: Annotated[float, typer.Option(help="Share of the other classes.")] = 0.0,
    auxiliary_weight: Annotated[
        float, typer.Option(help="Of the loss of a second head (darts: 0.4).")
    ] = 0.0,
    drop_path: Annotated[
        float, typer.Option(help="Share of paths dropped in the end (darts: 0.2).")
    ] = 0.0,
    cutout: Annotated[int, typer.Option(help="Side of a blanked square, in pixels.")] = 0,
    mixup: Annotated[float, typer.Option(help="Beta parameter of blending two images.")] = 0.0,
    randaugment: Annotated[int, typer.Option(help="Strength of random changes, up to 30.")] = 0,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better metric.")
    ] = None,
    resolution: Resolution = None,
    context: Context = None,
    width: Width = 1.0,
    cells: Cells = None,
    subset: Subset = None,
    seed: Seed = 0,
    device: Device = "cpu",
    devices: Annotated[int, typer.Option(help="How many of them.")] = 1,
) -> None:
    """Train the network of an architecture; an interrupted training is resumed."""
    from diffusionnag._packages import require_packages

    require_packages("train", "lightning_fabric", "PIL", "tensorboard")
    from diffusionnag._devices import check_devices
    from diffusionnag._files import prepare_folder
    from diffusionnag._seeds import check_seed
    from diffusionnag.artifacts.checkpoints import CONFIG_FILE
    from diffusionnag.artifacts.training_state import remove_state
    from diffusionnag.cli.console import messages, origin, progress_bar, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.networks import (
        Augmentation,
        Progress,
        TrainingSettings,
        continue_held_out,
        load_data,
        metric_title,
        metrics_text,
        task_of,
        train_architecture,
        usual_settings,
    )
    from diffusionnag.spaces import get_search_space, task_as_json
    from diffusionnag.supernets import inherited, tuned_for

    search_space = get_search_space(space)
    chosen = search_space.parse(architecture)
    first = None
    if init is not None:
        first = inherited(init, search_space, chosen)
        sizes = task_as_json(first.task)
        resolution = resolution or sizes.get("resolution")
        context = context or sizes.get("context")
        width, cells = sizes.get("width", width), sizes.get("cells", cells)
    task_of(search_space, resolution=resolution, width=width, cells=cells, context=context)
    asked = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "optimiser": optimiser,
        "weight_decay": weight_decay,
        "gradient_clip": gradient_clip,
        "label_smoothing": label_smoothing,
        "auxiliary_weight": auxiliary_weight,
        "drop_path": drop_path,
        "patience": patience,
        "augmentation": Augmentation(cutout, mixup, randaugment),
        "seed": check_seed(seed),
    }
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    TrainingSettings(**given).check()
    check_devices(device, devices)
    prepare_folder(out)
    if (out / CONFIG_FILE).exists():
        raise DiffusionNAGError(f"{out} holds a trained model; use another folder")
    with progress_bar() as bar:
        reading = bar.add_task("reading the data", total=None, note="")
        examples = load_data(
            data,
            search_space,
            test=test,
            target=target,
            tokens=tokens,
            resolution=resolution,
            width=width,
            cells=cells,
            context=context,
            subset=subset,
            seed=seed,
            report=lambda done, total: bar.update(reading, completed=done, total=total),
        )
        bar.remove_task(reading)
        if examples.skipped:
            messages.print(f"skipped {examples.skipped:,} images that cannot be read")
        network = None if first is None else tuned_for(first, examples)
        training = bar.add_task("training", total=None, note="")

        def report(progress: Progress) -> None:
            last = progress.last
            note = f"loss {last.loss:.3f}, {metrics_text(last.metrics)}" if last else ""
            bar.update(training, completed=progress.step, total=progress.steps, note=note)

        trained, history = train_architecture(
            search_space,
            chosen,
            examples,
            usual_settings(examples.task, **given),
            out,
            network=network,
            device=device,
            devices=devices,
            report=report,
        )
    last = history[-1]
    trained.about = origin(
        data=examples.summary,
        quality={
            f"{metric_title(name)} on {examples.held_out_summary}": value
            for name, value in last.metrics.items()
        },
    )
    trained.save(out)
    remove_state(out)
    # Of the user's own training no loss is known.
    loss = "" if math.isnan(last.loss) else f"loss {last.loss:.4f}, "
    results.print(
        f"{last.epoch} epochs: {loss}{metrics_text(last.metrics)} on {examples.held_out_summary}"
    )
    messages.print(f"saved in {out}", markup=False)
    continued = continue_held_out(trained, examples, seed)
    if continued is not None:
        prompt, text = map(_readable, continued)
        results.print(f"{prompt!r} goes on, drawn with seed {seed}:\n{text}", markup=False)


def _readable(text: str) -> str:
    """Return a text whose bytes cannot steer a terminal."""
    shown = (each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)
    return "".join(shown)
