"""Transfer to a new image data set: encoding its images, meta-training, and the commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import RunCli, assert_fails
from PIL import Image

from diffusionnag import DiffusionNAGError, get_search_space, transfer
from diffusionnag.images import read_images
from diffusionnag.predictors import (
    GaussianProcess,
    GaussianProcessConfig,
    PropertyPredictor,
    ensemble,
    spearman,
)
from diffusionnag.proxies import shipped_proxies
from diffusionnag.spaces import Architecture, fix_nodes
from diffusionnag.transfer.dataset_encoding import encode_dataset
from diffusionnag.transfer.effects import separate_effects
from diffusionnag.transfer.image_encoder import ImageEncoder
from diffusionnag.transfer.meta_training import meta_train, predict_triplets
from diffusionnag.transfer.predictor import DatasetAwarePredictor
from diffusionnag.transfer.triplets import read_triplets, write_triplets

CLASSES = ("ants", "bees", "cats")
FEWER_CELLS = {"0>1": "nor_conv_3x3", "2>3": "nor_conv_3x3"}
"""What is fixed where 625 cells do as well as 15,625."""


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return what a command wrote of each architecture."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def draw_images(folder: Path, classes: tuple[str, ...] = CLASSES, each: int = 4) -> Path:
    """Write coloured noise of mixed sizes and modes, one folder a class."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            size = int(rng.integers(20, 90))
            values = rng.integers(0, 100 + 50 * label, (size, size + number, 3))
            image = Image.fromarray(values.astype(np.uint8))
            mode = ("RGB", "L", "CMYK")[number % 3]
            suffix = "jpg" if mode == "CMYK" else "png"
            image.convert(mode).save(folder / name / f"{number}.{suffix}")
    return folder


def test_encoding_depends_neither_on_names_nor_on_order(tmp_path: Path) -> None:
    drawn = draw_images(tmp_path / "one")
    other = tmp_path / "other"
    for name, renamed in zip(CLASSES, ("z", "y", "x"), strict=True):
        (other / renamed).mkdir(parents=True)
        for number, file in enumerate(sorted((drawn / name).iterdir(), reverse=True)):
            (other / renamed / f"{number}{file.suffix}").write_bytes(file.read_bytes())
    encoder = ImageEncoder.from_pretrained()
    first, second = (encode_dataset(read_images(path), encoder) for path in (drawn, other))
    assert first.present.sum() == 12
    assert torch.equal(first.codes, second.codes)
    predictor = DatasetAwarePredictor.from_pretrained("nasbench201")
    levels = [predictor.for_dataset(encoding).level for encoding in (first, second)]
    assert levels[0] == levels[1]


def test_encoding_is_kept_and_a_damaged_copy_is_replaced(tmp_path: Path, cache: Path) -> None:
    images = read_images(draw_images(tmp_path / "images"))
    encoder = ImageEncoder.from_pretrained()
    first = encode_dataset(images, encoder)
    (kept,) = (cache / "diffusionnag").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert torch.equal(encode_dataset(images, encoder).codes, first.codes)
    size = kept.stat().st_size
    assert size > 100
    encode_dataset(images, encoder, seed=1)
    assert len(list((cache / "diffusionnag").iterdir())) == 2


def test_corrupt_images_are_counted_and_the_others_used(tmp_path: Path) -> None:
    folder = draw_images(tmp_path / "images")
    (folder / "ants" / "broken.png").write_bytes(b"no image")
    encoding = encode_dataset(read_images(folder), ImageEncoder.from_pretrained())
    assert encoding.skipped == 1
    assert encoding.present.sum() == 12


def test_of_many_classes_and_images_a_part_is_taken(tmp_path: Path) -> None:
    images = read_images(draw_images(tmp_path / "images", tuple(map(str, range(9))), each=25))
    encoding = encode_dataset(images, ImageEncoder.from_pretrained(), most_classes=5)
    assert encoding.codes.shape == (5, 20, 224)


@pytest.mark.parametrize(("classes", "each"), [(("only",), 5), (CLASSES, 1)])
def test_transfer_prints_and_writes(
    run_main: RunCli, tmp_path: Path, classes: tuple[str, ...], each: int
) -> None:
    folder = draw_images(tmp_path / "images", classes, each)
    options = ("-n", 32, "--limit", "params<=0.5M", "--no-proxies", "--out", "cells.jsonl")
    result = run_main("transfer", "nasbench201", "--data", folder, *options)
    assert result.returncode == 0, result.stderr
    assert f"{len(classes)} classes" in result.stderr
    records = read_records(tmp_path / "cells.jsonl")
    assert len(records) == 32
    assert all(record["properties"]["params"] <= 0.5 for record in records)
    predicted = [record["properties"]["accuracy"] for record in records]
    assert predicted == sorted(predicted, reverse=True)


def test_proxies_count_as_much_as_the_images(run_main: RunCli, tmp_path: Path) -> None:
    folder = draw_images(tmp_path / "images")
    command = ["transfer", "nasbench201", "--data", folder, "-n", 32, "--out", "cells.jsonl"]
    command += [word for node, name in FEWER_CELLS.items() for word in ("--fix", f"{node}={name}")]
    assert run_main(*command).returncode == 0
    space = get_search_space("nasbench201")
    (proxies,) = shipped_proxies(space)
    aware = DatasetAwarePredictor.from_pretrained("nasbench201")
    encoding = encode_dataset(read_images(folder), aware.image_encoder)
    accuracy = aware.for_dataset(encoding)
    drawn = space.sample(2_000, 1)
    for known in (accuracy, proxies):
        assert 0.8 < known.normal_score(drawn).std() < 1.2
    records = read_records(tmp_path / "cells.jsonl")
    cells = [space.parse(record["architecture"]) for record in records]
    together = accuracy.normal_score(cells) + proxies.normal_score(cells)
    assert (np.diff(together) < 1e-4).all()
    every = list(dict.fromkeys(fix_nodes(space, FEWER_CELLS).sample(2_000, 1)))
    best = accuracy.normal_score(every) + proxies.normal_score(every)
    assert together.min() >= np.sort(best)[-32] - 1e-4
    names = {name for record in records for name in record["properties"]}
    assert {"accuracy", "proxies"} <= names
    assert run_main(*command, "--guide", "proxies=0.1").returncode == 0
    assert run_main(*command, "--no-proxies").returncode == 0
    assert "proxies" not in read_records(tmp_path / "cells.jsonl")[0]["properties"]


def test_images_matter_where_a_limit_is_an_accuracy(tmp_path: Path) -> None:
    folders = [
        draw_images(tmp_path / str(count), tuple(map(str, range(count)))) for count in (3, 9)
    ]

    def proposed(folder: Path, limits: Sequence[str]) -> tuple[list[Architecture], list[float]]:
        result = transfer(
            "nasbench201", folder, 32, limits=limits, fixed=FEWER_CELLS, proxies=False
        )
        predicted = [record.properties["accuracy"] for record in result.records()]
        return result.samples.architectures, predicted

    (first, high), (second, low) = (proposed(folder, ()) for folder in folders)
    assert first == second
    assert min(high) > max(low) + 1
    within = [proposed(folder, [f"accuracy<={np.mean([high, low])}"])[0] for folder in folders]
    assert within[0] != within[1]
    assert within[1] == second


@pytest.mark.parametrize("named", [("aware", "proxies"), ()])
def test_search_starts_from_the_images_of_a_data_set(
    run_main: RunCli, tmp_path: Path, named: tuple[str, ...]
) -> None:
    draw_images(tmp_path / "images")
    (tmp_path / "count.py").write_text(
        "def count(architecture):\n    return float(architecture.operations.count(4))\n"
    )
    objective = ("--objective", "python:count.py:count")
    options = ("--data", "images", "--trials", 5, "--out", "measured.jsonl")
    predictor = DatasetAwarePredictor.from_pretrained("nasbench201")
    predictor.save_pretrained(tmp_path / "aware")
    starts = [word for name in named for word in ("--start-from", name)]
    result = run_main("search", "nasbench201", *objective, *options, *starts)
    assert result.returncode == 0, result.stderr
    encoding = encode_dataset(read_images(tmp_path / "images"), predictor.image_encoder)
    space = predictor.search_space
    proxies = PropertyPredictor.from_pretrained("proxies", search_space=space)
    lines = (tmp_path / "measured.jsonl").read_text().splitlines()
    measured = [space.parse(json.loads(line)["architecture"]) for line in lines]
    for prior in (predictor.for_dataset(encoding), proxies):
        drawn = prior.normal_score(space.sample(500, 0))
        assert (prior.normal_score(measured) > np.quantile(drawn, 0.9)).sum() >= 3
    assert_fails(run_main("search", "nasbench201", *objective, "--data", "absent"), 2, "absent")


def test_transfer_says_what_is_wrong(run_main: RunCli, tmp_path: Path) -> None:
    assert_fails(run_main("transfer", "nasbench201", "--data", "absent"), 2, "absent")
    broken = tmp_path / "broken" / "ants"
    broken.mkdir(parents=True)
    (broken / "1.png").write_bytes(b"no image")
    assert_fails(run_main("transfer", "nasbench201", "--data", broken.parent), 2, "can be read")
    draw_images(tmp_path / "images")
    assert_fails(run_main("transfer", "mnasnet", "--data", "images"), 2, "mnasnet")
    elsewhere = ("--data", "images", "--device", "cuda:99")
    assert_fails(run_main("transfer", "nasbench201", *elsewhere), 2, "no device")


@pytest.mark.parametrize(
    ("name", "noise_aware"),
    [("nasbench201", False), ("nasbench201", True), ("mobilenetv3", False)],
)
def test_meta_training_learns_from_triplets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, noise_aware: bool
) -> None:
    usual = ensemble.fit_ensemble

    def fit_shortly(*data: object, steps: int, **options: object) -> None:
        assert steps > 60
        usual(*data, steps=60, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ensemble, "fit_ensemble", fit_shortly)
    space = get_search_space(name)
    names = tuple(map(str, range(12)))
    images = read_images(draw_images(tmp_path / "images", names, each=2))
    rng = np.random.default_rng(0)
    architectures = space.sample(240, 0)
    size = np.array(
        [space.analytic_properties(architecture)["params"] for architecture in architectures]
    )
    encoder = ImageEncoder.from_pretrained()
    encoding = encode_dataset(images, encoder, most_classes=None)
    accuracies = 60 + 10 * (size - size.mean()) / size.std() + rng.normal(0, 1, 240)
    write_triplets(tmp_path / "all.parquet", space, architectures, accuracies.tolist(), names[:5])
    triplets = read_triplets(tmp_path / "all.parquet", space, images.classes, 60)
    assert len(triplets.seen) == 180
    predictor = meta_train(space, triplets, encoding, encoder, noise_aware=noise_aware, steps=15)
    predictor.save_pretrained(tmp_path / "saved")
    again = DatasetAwarePredictor.from_pretrained(tmp_path / "saved")
    first, second = (
        predict_triplets(learnt, triplets, triplets.held_out, encoding)
        for learnt in (predictor, again)
    )
    assert np.array_equal(first, second)
    assert spearman(first, triplets.accuracies[triplets.held_out]) > 0.7


def test_architectures_and_data_sets_are_told_apart_by_one_triplet_of_each() -> None:
    space = get_search_space("nasbench201")
    rng = np.random.default_rng(0)
    distinct = list(dict.fromkeys(space.sample(100, 0)))
    architectures = [distinct[row] for row in rng.integers(len(distinct), size=300)]
    classes = [tuple(rng.permutation(40)[:8].tolist()) for _ in architectures]
    ease = rng.normal(0, 1, 40)
    levels = np.array([ease[list(members)].sum() / 3 for members in classes])
    size = {
        architecture: space.analytic_properties(architecture)["params"] for architecture in distinct
    }
    spread = np.std(list(size.values()))
    normal = np.array([size[architecture] / spread for architecture in architectures]) + levels
    effects = separate_effects(
        space, architectures, classes, normal, seed=0, report=lambda step, of: None
    )
    assert np.corrcoef(effects.levels, levels)[0, 1] > 0.9
    x = torch.from_numpy(space.encode(effects.distinct)).double()
    standardised = effects.process.standardised(x).numpy()
    assert (
        np.corrcoef(standardised, [size[architecture] for architecture in effects.distinct])[0, 1]
        > 0.9
    )


def test_repeats_of_an_architecture_count_as_so_many_measurements() -> None:
    space = get_search_space("nasbench201")
    architectures = list(dict.fromkeys(space.sample(12, 0)))
    x = torch.from_numpy(space.encode(architectures)).double()
    each, some = GaussianProcessConfig(3 * len(x)), GaussianProcessConfig(len(x), repeated=True)
    apart, together = GaussianProcess(space, each), GaussianProcess(space, some)
    apart.operations.copy_(x.argmax(-1).repeat(3, 1))
    together.operations.copy_(x.argmax(-1))
    assert together.repeats is not None
    together.repeats.fill_(3)
    new = torch.from_numpy(space.encode(space.sample(20, 1))).double()
    assert torch.allclose(apart.distribution(new)[1], together.distribution(new)[1], atol=1e-6)


def test_triplets_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    space = get_search_space("nasbench201")
    architectures = space.sample(60, 0)
    path = tmp_path / "triplets.parquet"
    write_triplets(path, space, architectures, [50.0] * 59 + [float("nan")], ["ants"])
    with pytest.raises(DiffusionNAGError, match="row 60 has no finite accuracy"):
        read_triplets(path, space, CLASSES, 0)
    write_triplets(path, space, architectures, [50.0] * 60, ["dogs"])
    with pytest.raises(DiffusionNAGError, match="'dogs', of which there are no images"):
        read_triplets(path, space, CLASSES, 0)
    path.write_bytes(b"PAR1")
    with pytest.raises(DiffusionNAGError, match=r"not a \.parquet file"):
        read_triplets(path, space, CLASSES, 0)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"arch": None}, "row 2: '' is no nasbench201 architecture"),
        ({"arch": 0.5}, "row 2: '' is no nasbench201 architecture"),
        ({"arch": "|none~0|"}, r"row 2: '\|none~0\|' is no nasbench201 architecture"),
        ({"accuracy": "high"}, "row 2 has no finite accuracy"),
        ({"classes": 3}, "row 2 has no list of classes"),
        ({"split_order": 7}, "split_order should hold each number from 0 to 1 once"),
    ],
)
def test_odd_rows_of_triplets_are_named(
    tmp_path: Path, odd: dict[str, object], message: str
) -> None:
    space = get_search_space("nasbench201")
    path = tmp_path / "triplets.jsonl"
    usual = {"arch": space.format(space.sample(1)[0]), "accuracy": 50.0, "classes": ["ants"]}
    rows = [usual | {"split_order": 0}, usual | {"split_order": 1} | odd]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DiffusionNAGError, match=rf"triplets\.jsonl: {message}"):
        read_triplets(path, space, ["ants"], 0)


@pytest.mark.usefixtures("short_meta_training")
def test_a_finished_study_is_learnt_from(run_main: RunCli, tmp_path: Path) -> None:
    draw_images(tmp_path / "images")
    objective = ("--objective", "python:measure.py:top1", "--searcher", "random", "--seed", 1)
    (tmp_path / "measure.py").write_text(
        "def top1(architecture):\n"
        "    return {'top1': 50.0 + sum(architecture.operations), 'loss': -1.0}\n"
    )
    kept = ("--storage", "journal:kept.log")
    searched = run_main("search", "nasbench201", *objective, *kept, "--trials", 60)
    assert searched.returncode == 0, searched.stderr
    written = run_main("triplets", "nasbench201", *kept, "--images", "images", "--out", "a.parquet")
    assert written.returncode == 0, written.stderr
    assert "60 architectures, 3 classes" in written.stderr
    assert "ExperimentalWarning" not in written.stderr
    hint = written.stderr.partition("diffusionnag meta-train")[2].split()
    followed = run_main("meta-train", *hint[:-1], "predictor of one")
    assert followed.returncode == 0, followed.stderr
    assert "10 held out" in followed.stdout
    space = get_search_space("nasbench201")
    triplets = read_triplets(tmp_path / "a.parquet", space, CLASSES, 0)
    sums = [50.0 + sum(architecture.operations) for architecture in triplets.architectures]
    assert triplets.accuracies.tolist() == sums
    assert set(triplets.classes) == {(0, 1, 2)}

    draw_images(tmp_path / "others", ("x", "y"), each=2)
    write_triplets(tmp_path / "b.parquet", space, space.sample(20, 3), [70.0] * 20, ["x"])
    both = ("--triplets", "a.parquet", "--triplets", "b.parquet")
    images = ("--images", "images", "--images", "others")
    options = (*both, *images, "--held-out", 10, "--out", "predictor")
    learnt = run_main("meta-train", "nasbench201", *options)
    assert learnt.returncode == 0, learnt.stderr
    assert DatasetAwarePredictor.from_pretrained(tmp_path / "predictor").about.data == (
        "a.parquet, b.parquet: 70 triplets"
    )

    command = ("triplets", "nasbench201", "--images", "images", "--out", "c.parquet")
    absent = ("--storage", "sqlite:///absent.db")
    assert_fails(run_main(*command, *absent), 2, "no file absent.db")
    assert_fails(run_main(*command, *kept, "--study", "other"), 2, "no study 'other'; it has")
    assert_fails(run_main(*command, *kept, "--accuracy", "top5"), 2, "measured loss, top1")
    assert_fails(run_main(*command, *kept, "--accuracy", "loss"), 2, "no accuracies in %")
    assert_fails(run_main(*command, *kept, "--out", "c.csv"), 2, ".parquet")
    assert_fails(
        run_main("meta-train", "nasbench201", *both, *images, "--images", "images", "--out", "p"),
        2,
        "--images is there 3 times, --triplets 2 times",
    )
    assert not (tmp_path / "c.parquet").exists()
    assert not (tmp_path / "absent.db").exists()


def test_a_transferred_predictor_is_a_property(tmp_path: Path) -> None:
    predictor = DatasetAwarePredictor.from_pretrained("nasbench201")
    images = read_images(draw_images(tmp_path / "images"))
    accuracy = predictor.for_dataset(encode_dataset(images, predictor.image_encoder))
    cells = get_search_space("nasbench201").sample(64, 0)
    mean, std = accuracy.predict(cells)
    assert (std > 0).all()
    assert spearman(accuracy.normal_score(cells), mean) > 0.99
    bound = accuracy >= float(np.median(mean))
    assert abs(bound.keeps(cells).mean() - 0.5) < 0.1


def test_a_predictor_of_another_image_encoder_is_refused(tmp_path: Path) -> None:
    predictor = DatasetAwarePredictor.from_pretrained("nasbench201")
    encoder = predictor.image_encoder
    assert isinstance(encoder, ImageEncoder)
    encoder.name = "another"
    predictor.save_pretrained(tmp_path / "saved")
    with pytest.raises(DiffusionNAGError, match="codes of another image encoder"):
        DatasetAwarePredictor.from_pretrained(tmp_path / "saved")
