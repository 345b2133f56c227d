"""`diffusionnag train`: from an architecture to a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffusionnag.cli.options import (
    ArchitectureText,
    BatchSize,
    Device,
    Epochs,
    Images,
    Resolution,
    Seed,
    Space,
    Subset,
    TestImages,
    Width,
)


def train(
    space: Space,
    architecture: ArchitectureText,
    data: Images,
    out: Annotated[Path, typer.Option(help="Folder for the trained network.")],
    test: TestImages = None,
    epochs: Epochs = 200,
    batch_size: BatchSize = 256,
    learning_rate: Annotated[float, typer.Option(help="At first; it falls to 0.")] = 0.1,
    label_smoothing: Annotated[float, typer.Option(help="Share of the other classes.")] = 0.0,
    cutout: Annotated[int, typer.Option(help="Side of a blanked square, in pixels.")] = 0,
    mixup: Annotated[float, typer.Option(help="Beta parameter of blending two images.")] = 0.0,
    randaugment: Annotated[int, typer.Option(help="Strength of random changes, up to 30.")] = 0,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better accuracy.")
    ] = None,
    resolution: Resolution = None,
    width: Width = 1.0,
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
    from diffusionnag.artifacts.training_state import STATE_FILE
    from diffusionnag.cli.console import messages, origin, progress_bar, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.networks import (
        Augmentation,
        Progress,
        TrainingSettings,
        check_resolution,
        check_width,
        load_task,
        train_architecture,
    )
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    check_resolution(search_space, resolution)
    check_width(search_space, width)
    chosen = search_space.parse(architecture)
    settings = TrainingSettings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        patience=patience,
        augmentation=Augmentation(cutout, mixup, randaugment),
        seed=check_seed(seed),
    )
    settings.check()
    check_devices(device, devices)
    prepare_folder(out)
    if (out / CONFIG_FILE).exists():
        raise DiffusionNAGError(f"{out} holds a trained model; use another folder")
    with progress_bar() as bar:
        decoding = bar.add_task("decoding images", total=None, note="")
        task = load_task(
            data,
            search_space,
            test=test,
            resolution=resolution,
            subset=subset,
            seed=seed,
            report=lambda done, total: bar.update(decoding, completed=done, total=total),
        )
        bar.remove_task(decoding)
        if task.skipped:
            messages.print(f"skipped {task.skipped:,} images that cannot be read")
        training = bar.add_task("training", total=None, note="")

        def report(progress: Progress) -> None:
            last = progress.last
            note = f"loss {last.loss:.3f}, accuracy {last.accuracy:.2f} %" if last else ""
            bar.update(training, completed=progress.step, total=progress.steps, note=note)

        trained, history = train_architecture(
            search_space,
            chosen,
            task,
            settings,
            out,
            width=width,
            device=device,
            devices=devices,
            report=report,
        )
    last = history[-1]
    trained.about = origin(
        data=f"{len(task.training.labels):,} images of {len(task.classes):,} classes",
        quality={f"accuracy in % on {len(task.held_out.labels):,} held-out images": last.accuracy},
    )
    trained.save(out)
    (out / STATE_FILE).unlink(missing_ok=True)
    results.print(
        f"{last.epoch} epochs: loss {last.loss:.4f}, accuracy {last.accuracy:.2f} % on "
        f"{len(task.held_out.labels):,} held-out images"
    )
    messages.print(f"saved in {out}", markup=False)
