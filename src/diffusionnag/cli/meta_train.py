"""`diffusionnag meta-train`: learn accuracies over many data sets, for those yet to come."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffusionnag.cli.options import NoiseAware, Seed, Space


def meta_train(
    space: Space,
    triplets: Annotated[
        list[Path],
        typer.Option(
            help="Parquet file with columns arch, accuracy in %, and classes (a list of the names "
            "of the classes that were told apart). May be repeated.",
        ),
    ],
    images: Annotated[
        list[str],
        typer.Option(
            help="Images of those classes: a folder of classes or a Parquet file. Once for each "
            "--triplets, in their order, or once for all."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the trained predictor.")],
    held_out: Annotated[
        int | None,
        typer.Option(
            help="Triplets of the first file held out to measure the error, those first by "
            "split_order; up to 400, as there are enough, if left out."
        ),
    ] = None,
    noise_aware: NoiseAware = False,
    encoder: Annotated[
        str,
        typer.Option(
            help="Image encoder: small, which ships, or a vision model of transformers: a folder, or "
            "an id on the Hugging Face hub such as facebook/dinov2-small.",
            metavar="NAME_OR_FOLDER",
        ),
    ] = "small",
    seed: Seed = 0,
) -> None:
    """Meta-train a dataset-aware predictor on (data set, architecture, accuracy) triplets."""
    import numpy as np

    from diffusionnag._files import prepare_folder
    from diffusionnag.artifacts.model_cards import commit
    from diffusionnag.artifacts.training_state import STATE_FILE, remove_state
    from diffusionnag.cli.console import messages, origin, progress_bar, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.images import join_image_sets, read_images
    from diffusionnag.predictors import spearman
    from diffusionnag.spaces import get_search_space
    from diffusionnag.transfer.dataset_encoding import encode_dataset
    from diffusionnag.transfer.image_encoder import load_image_encoder
    from diffusionnag.transfer.meta_training import meta_train, predict_triplets
    from diffusionnag.transfer.triplets import join_triplets, read_triplets

    search_space = get_search_space(space)
    if held_out is not None and held_out < 0:
        raise DiffusionNAGError(f"--held-out is {held_out}; it must be 0 or more")
    if len(images) not in (1, len(triplets)):
        raise DiffusionNAGError(
            f"--images is there {len(images)} times, --triplets {len(triplets)} times; give the "
            "images of each file of triplets in the same order"
        )
    sources = {name: read_images(name) for name in images}
    starts = np.cumsum([0, *(len(source.classes) for source in sources.values())])
    first_class = dict(zip(sources, starts.tolist(), strict=False))
    described_by = images if len(images) > 1 else images * len(triplets)
    parts = [
        read_triplets(path, search_space, sources[name].classes, 0 if place else held_out)
        for place, (path, name) in enumerate(zip(triplets, described_by, strict=True))
    ]
    held_out = len(parts[0].held_out)
    data = join_triplets(parts, [first_class[name] for name in described_by])
    every_image = join_image_sets(list(sources.values()))
    image_encoder = load_image_encoder(encoder)
    prepare_folder(out)
    encoding = encode_dataset(every_image, image_encoder, most_classes=None, seed=seed)
    with progress_bar() as bar:
        task = bar.add_task("meta-training", total=None, note="")
        predictor = meta_train(
            search_space,
            data,
            encoding,
            image_encoder,
            noise_aware=noise_aware,
            seed=seed,
            state=out / STATE_FILE,
            report=lambda stage, step, steps: bar.update(
                task, description=stage, completed=step, total=steps
            ),
        )
    quality = {}
    if held_out > 1:
        mean = predict_triplets(predictor, data, data.held_out, encoding)
        true = data.accuracies[data.held_out]
        quality = {
            "Spearman": spearman(mean, true),
            "mean squared error": np.mean((mean - true) ** 2),
        }
    predictor.about = origin(
        data=f"{', '.join(path.name for path in triplets)}: {len(data.seen)} triplets",
        commit=commit(),
        quality={f"{name}, {held_out} held out": float(value) for name, value in quality.items()},
    )
    predictor.save_pretrained(out)
    remove_state(out)
    for name, value in predictor.about.quality.items():
        results.print(f"{name}: {value:.4g}")
    words = ("diffusionnag", "transfer", space, "--predictor", str(out), "--data", "IMAGES")
    messages.print(f"saved in {out}; use it with: {shlex.join(words)}", markup=False)
