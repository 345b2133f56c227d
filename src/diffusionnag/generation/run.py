"""One call that does what the commands `generate` and `transfer` do, for Python and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffusionnag._packages import require_packages
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.best import Best, find_best
from diffusionnag.generation.evaluation import evaluate
from diffusionnag.generation.front import Objectives, compare_fronts, find_front
from diffusionnag.generation.generator import Generator, open_generator
from diffusionnag.generation.metrics import generation_quality
from diffusionnag.generation.request import Request, parse_request, space_under
from diffusionnag.generation.resampled import sample_resampled
from diffusionnag.generation.result import DatasetDescription, GenerationResult
from diffusionnag.generation.samples import Samples
from diffusionnag.generation.sampling import Sampling
from diffusionnag.generation.streamed import check_count
from diffusionnag.guidance import Bound, Property
from diffusionnag.spaces import SearchSpace, fix_nodes
from diffusionnag.transfer.dataset_encoding import encode_dataset
from diffusionnag.transfer.known_datasets import known_datasets, mean_over_datasets
from diffusionnag.transfer.predictor import DatasetAwarePredictor

METHODS = ("best", "sample", "resample", "pareto")
"""Ways of generating.

The best there are, plain guidance, guidance made exact, and along the front of several guides.
"""


def generate(
    search_space: str | SearchSpace,
    count: int = 256,
    *,
    guides: Sequence[str | Property] = (),
    limits: Sequence[str | Bound] = (),
    limit_probability: float = 0.5,
    fixed: Mapping[str, str] | None = None,
    conditions: Sequence[str] = (),
    method: str | None = None,
    distinct: bool = False,
    seconds: float = 1.0,
    diverse: float = 0.0,
    cautious: float = 0.0,
    sampling: Sampling = Sampling(),
    generator: str | Path | Generator | None = None,
    device: str = "cpu",
    compare_unguided: bool = False,
) -> GenerationResult:
    """Generate `count` valid architectures with the properties asked for, and evaluate them.

    A guide is `NAME` or `NAME=WEIGHT`, NAME being a shipped predictor, an analytic property, or the
    folder or hub id of a predictor; or it is a property. A limit reads like `params<=1.0M`, or is a
    `Bound`. A condition such as `resolution=192` is what properties are asked for under. What is
    `fixed`, operations by node, every architecture has, and the rest goes with it (in-painting).
    `method` is one of METHODS: `best` where there is a guide and `sample` where there is none, unless
    another is named. `seconds`, `diverse` and `cautious` belong to the best and are those of
    `find_best`, `distinct` is that of `Generator.sample`. `generator` is the shipped one of the space
    unless another is named or given; the best need none. With `compare_unguided` as many are
    generated without guides and limits. Raises DiffusionNAGError for whatever cannot be generated.
    """
    method = method or ("best" if guides else "sample")
    if method not in METHODS:
        raise DiffusionNAGError(f"no method {method!r}; known: {', '.join(METHODS)}")
    check_count(count)
    space = space_under(search_space, conditions)
    request = parse_request(guides, limits, limit_probability, space.whole)
    if fixed:
        space = fix_nodes(space, fixed)
        space.sample(1)  # fails where nothing has all of it
    model = None
    if method in ("sample", "resample") or compare_unguided:
        model = open_generator(generator, space, device)
    samples: Samples[Any]
    if method == "pareto":
        require_packages("pareto", "botorch")
        samples = find_front(
            space,
            count,
            Objectives(request.properties, request.weights),
            limits=request.limits,
            seconds=seconds,
            cautious=cautious,
            seed=sampling.seed,
        )
    elif model is None or method == "best":
        samples = _find_best(space, count, request, seconds, diverse, cautious, sampling.seed)
    else:
        samples = _draw(model, count, request, method, distinct, sampling)
    generated = evaluate(space, samples.architectures, request)
    fronts = quality = unguided = None
    if method == "pareto":
        objectives = Objectives(request.properties, request.weights)
        fronts = compare_fronts(space, objectives, samples, request.limits, sampling.seed)
    if model is not None and samples.drawn:
        quality = generation_quality(space, samples.drawn, model.training_set)
    if model is not None and compare_unguided:
        unguided = evaluate(space, model.sample(count, sampling=sampling).architectures, request)
    return GenerationResult(
        request=request,
        samples=samples,
        quality=quality,
        # The others are in an order of their own: best first, or along the front.
        generated=generated.ranked() if method in ("sample", "resample") else generated,
        uniform=evaluate(space, space.sample(count, sampling.seed), request),
        unguided=unguided,
        fronts=fronts,
    )


def transfer(
    search_space: str | SearchSpace,
    images: str | Path,
    count: int = 256,
    *,
    guides: Sequence[str | Property] = (),
    limits: Sequence[str | Bound] = (),
    limit_probability: float = 0.5,
    fixed: Mapping[str, str] | None = None,
    conditions: Sequence[str] = (),
    method: str = "best",
    distinct: bool = False,
    seconds: float = 1.0,
    diverse: float = 0.0,
    cautious: float = 0.0,
    sampling: Sampling = Sampling(),
    generator: str | Path | Generator | None = None,
    device: str = "cpu",
    predictor: str | Path | None = None,
    encoder: str | None = None,
    proxies: bool = True,
    compare_unguided: bool = False,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> GenerationResult:
    """Generate architectures of high accuracy on a data set known by its images (paper, section 2.3).

    `images` is a folder with one folder a class, or a Parquet file. The accuracy that the
    dataset-aware `predictor` predicts for them is the first guide: the shipped one of the space
    unless a folder of `meta-train` is named; `encoder` is where its image encoder lies, if it has
    moved. Where the space has predictors of some data sets in its place, their mean guides, whatever
    the images (see `MeanOverDatasets`). Else, with `proxies`, the training-free ones that ship for the
    space are the second guide, of the same weight, unless they are among the `guides`. `report` is told how
    many images have been read, of how many. The rest is as `generate` has it. Raises
    DiffusionNAGError for images or a predictor that cannot be read.
    """
    # What reads images takes time to import, for which `generate` need not wait.
    from diffusionnag.images import read_images
    from diffusionnag.proxies import shipped_proxies

    space = space_under(search_space, conditions)
    accuracy: Property
    known = known_datasets(space) if predictor is None else ()
    if known:
        accuracy = mean_over_datasets(space)
        classes = len(read_images(Path(images)).classes)
        description = DatasetDescription(classes, 0, 0, " and ".join(known))
    else:
        aware = DatasetAwarePredictor.from_pretrained(
            predictor or space.name, search_space=space, image_encoder=encoder
        )
        dataset = read_images(Path(images))
        encoding = encode_dataset(dataset, aware.image_encoder, seed=sampling.seed, report=report)
        accuracy = aware.for_dataset(encoding)
        description = DatasetDescription(
            len(dataset.classes),
            int(encoding.present.sum()),
            encoding.skipped,
            aware.about.data or "triplets of its user",
        )
    asked = parse_request(guides, (), limit_probability, space.whole).judged()
    untrained = shipped_proxies(space.whole) if proxies and not known else []
    result = generate(
        space,
        count,
        guides=[
            accuracy,
            *(each for each in untrained if each.property_name not in asked),
            *guides,
        ],
        limits=limits,
        limit_probability=limit_probability,
        fixed=fixed,
        conditions=conditions,
        method=method,
        distinct=distinct,
        seconds=seconds,
        diverse=diverse,
        cautious=cautious,
        sampling=sampling,
        generator=generator,
        device=device,
        compare_unguided=compare_unguided,
    )
    return replace(result, dataset=description)


def _find_best(
    space: SearchSpace,
    count: int,
    request: Request,
    seconds: float,
    diverse: float,
    cautious: float,
    seed: int,
) -> Samples[Best]:
    guidance = request.guidance()
    if guidance is None or not request.properties:
        raise DiffusionNAGError("the best are the best by a guide; give one, or sample")
    return find_best(
        space,
        count,
        guide=guidance,
        seconds=seconds,
        diverse=diverse,
        cautious=cautious,
        seed=seed,
    )


def _draw(
    generator: Generator,
    count: int,
    request: Request,
    method: str,
    distinct: bool,
    sampling: Sampling,
) -> Samples:
    guidance = request.guidance()
    if method == "sample":
        return generator.sample(count, guide=guidance, distinct=distinct, sampling=sampling)
    if guidance is None or distinct:
        raise DiffusionNAGError(
            "resampling corrects a guide or a limit, and its architectures may repeat: give a "
            "guide, and do not ask for distinct ones"
        )
    return sample_resampled(generator, count, guide=guidance, sampling=sampling)
