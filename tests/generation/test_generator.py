"""Shipped generators and predictors: validity, seeds, guidance, and what a damaged file does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunCli
from scipy.stats import rankdata
from torch import Tensor

from diffusionnag import (
    Architecture,
    DiffusionNAGError,
    Generator,
    PropertyPredictor,
    get_search_space,
)
from diffusionnag.artifacts.checkpoints import shipped_folder
from diffusionnag.diffusion.solvers import SOLVERS
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Guidance, minimize
from diffusionnag.tables import Table, read_analog_nasbench

SPACE = get_search_space("nasbench201")
each_space = pytest.mark.parametrize("name", ["nasbench201", "mobilenetv3", "mnasnet"])
MARGIN = 3.0
"""Guidance must move the mean accuracy by this many points at least; it moves it by about six."""


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.from_pretrained("nasbench201")


@pytest.fixture(scope="module")
def shipped() -> PropertyPredictor:
    return PropertyPredictor.from_pretrained("cifar10", search_space=SPACE)


@pytest.fixture(scope="module")
def table() -> Table:
    return read_analog_nasbench()


@pytest.fixture(scope="module")
def unguided(generator: Generator) -> list[Architecture]:
    return generator.sample(256, sampling=Sampling(seed=1)).architectures


def accuracy(table: Table, architectures: Sequence[Architecture]) -> np.ndarray:
    return table.lookup("cifar10", [SPACE.format(architecture) for architecture in architectures])


def measured_cells(table: Table, count: int, seed: int) -> tuple[list[Architecture], np.ndarray]:
    chosen = np.random.default_rng(seed).choice(len(table.architectures), count, replace=False)
    return [SPACE.parse(table.architectures[row]) for row in chosen], table.column("cifar10")[
        chosen
    ]


# -- sampling -------------------------------------------------------------------------------------


@each_space
def test_the_network_itself_makes_valid_architectures_only(name: str) -> None:
    generator = Generator.from_pretrained(name)
    drawn = generator.draw(512, sampling=Sampling(seed=11))
    reasons = [generator.search_space.is_valid(architecture).reason for architecture in drawn]
    assert reasons == [""] * 512


@each_space
def test_a_seed_decides_the_architectures_in_every_process(name: str, run_cli: RunCli) -> None:
    generator = Generator.from_pretrained(name)
    here = [
        generator.search_space.format(architecture)
        for architecture in generator.sample(20, sampling=Sampling(seed=7))
    ]
    done = run_cli("generate", name, "-n", 20, "--seed", 7, "--top", 0, "--out", "/dev/stdout")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [record["architecture"] for record in records] == here
    assert [
        generator.search_space.format(architecture)
        for architecture in generator.sample(20, sampling=Sampling(seed=8))
    ] != here


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_makes_mostly_valid_architectures(generator: Generator, solver: str) -> None:
    steps = None if SOLVERS[solver].steps < 50 else 100
    drawn = generator.draw(128, sampling=Sampling(solver=solver, steps=steps, seed=2))
    assert sum(map(bool, map(SPACE.is_valid, drawn))) >= 0.9 * len(drawn)
    assert len(set(drawn)) > 100


def test_distinct_means_distinct(generator: Generator, shipped: PropertyPredictor) -> None:
    for guide, count in ((None, 400), (shipped, 50)):
        samples = generator.sample(count, guide=guide, distinct=True, sampling=Sampling(seed=4))
        assert len(set(samples)) == len(samples) == count
    assert len(set(generator.sample(400, sampling=Sampling(seed=4)))) < 400


class OneCellOnly(Guidance):
    """Guidance that is content with a single architecture."""

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        (goal,) = torch.from_numpy(SPACE.encode(SPACE.sample(1)))
        return 100.0 * (clean * goal).sum((1, 2))


def test_distinct_ones_surpass_the_best_of_ten_times_as_many_draws(generator: Generator) -> None:
    # Robustness hangs on single operations: what a mixture of cells promises, no cell may hold.
    space = generator.search_space
    robust = PropertyPredictor.from_pretrained("robustness:pgd_1", search_space=space)
    samples = generator.sample(100, guide=robust, distinct=True)
    assert len(samples.drawn) <= 800
    drawn = np.sort(robust.normal_score(list(set(space.sample(8_000, 0)))))
    assert robust.normal_score(samples.architectures).mean() > drawn[-100:].mean() + 0.05


def test_distinct_gives_up_with_a_reason(generator: Generator) -> None:
    with pytest.raises(DiffusionNAGError, match=r"only \d+ of 30 distinct architectures"):
        generator.sample(30, guide=OneCellOnly(), distinct=True)
    with pytest.raises(DiffusionNAGError, match="15625 architectures; 15626 distinct"):
        generator.sample(15_626, distinct=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "cannot generate 0"),
        ({"sampling": Sampling(steps=0)}, "0 solver steps"),
        ({"sampling": Sampling(solver="eular")}, "no solver named 'eular'"),
        ({"sampling": Sampling(seed=2**80)}, "seed"),
    ],
)
def test_wrong_requests_are_refused(
    generator: Generator, wrong: dict[str, int], message: str
) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        generator.sample(**({"count": 4} | wrong))  # pyright: ignore[reportArgumentType]


def test_unknown_models_and_devices_are_refused() -> None:
    with pytest.raises(DiffusionNAGError, match="no model 'nasbench301'"):
        Generator.from_pretrained("nasbench301")
    with pytest.raises(DiffusionNAGError, match="no device 'tpu'"):
        Generator.from_pretrained("nasbench201", device="tpu")


# -- files ----------------------------------------------------------------------------------------


def test_a_saved_generator_makes_the_same_architectures(
    generator: Generator, tmp_path: Path
) -> None:
    generator.save_pretrained(tmp_path)
    loaded = Generator.from_pretrained(tmp_path)
    assert (
        loaded.sample(300, sampling=Sampling(seed=5)).architectures
        == generator.sample(300, sampling=Sampling(seed=5)).architectures
    )
    assert (loaded.origin, loaded.about) == (generator.origin, generator.about)


def copied(kind: str, name: str, target: Path) -> Path:
    return Path(shutil.copytree(shipped_folder(kind, name) or "", target))


MODELS = [("generators", "mobilenetv3"), ("predictors", "mobilenetv3-cifar10")]
each_model = pytest.mark.parametrize(("kind", "name"), MODELS)
LOADERS = {"generators": Generator, "predictors": PropertyPredictor}


@each_model
@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_truncated_or_missing_file_is_noticed(
    kind: str, name: str, file: str, tmp_path: Path
) -> None:
    path = copied(kind, name, tmp_path / "model") / file
    intact = path.read_bytes()
    for length in (0, 1, 8, len(intact) // 2, len(intact) - 2):
        path.write_bytes(intact[:length])
        with pytest.raises(DiffusionNAGError, match=file):
            LOADERS[kind].from_pretrained(path.parent)
    path.unlink()
    with pytest.raises(DiffusionNAGError, match=file):
        LOADERS[kind].from_pretrained(path.parent)


@each_model
def test_a_flipped_bit_in_the_weights_is_noticed(kind: str, name: str, tmp_path: Path) -> None:
    path = copied(kind, name, tmp_path / "model") / "model.safetensors"
    intact = path.read_bytes()
    for at in (0, 9, 100, len(intact) // 2, len(intact) - 1):
        path.write_bytes(intact[:at] + bytes([intact[at] ^ 16]) + intact[at + 1 :])
        with pytest.raises(DiffusionNAGError, match="is damaged"):
            LOADERS[kind].from_pretrained(path.parent)


@each_model
def test_a_flipped_bit_anywhere_in_the_config_is_noticed(
    kind: str, name: str, tmp_path: Path
) -> None:
    path = copied(kind, name, tmp_path / "model") / "config.json"
    intact = path.read_bytes()
    for at in range(len(intact)):
        changed = intact[:at] + bytes([intact[at] ^ (1 << at % 8)]) + intact[at + 1 :]
        path.write_bytes(changed)
        try:
            LOADERS[kind].from_pretrained(path.parent)
        except DiffusionNAGError:
            continue
        # The last digit of a number can be without meaning, and nothing else.
        assert json.loads(changed) == json.loads(intact), changed[max(0, at - 40) : at + 40]


def test_a_model_of_another_space_or_kind_is_refused() -> None:
    mnasnet = get_search_space("mnasnet")
    folders = [shipped_folder(kind, name) or "" for kind, name in MODELS]
    for loader, own, other in zip(LOADERS.values(), folders, reversed(folders), strict=True):
        with pytest.raises(DiffusionNAGError, match="trained for the search space 'mobilenetv3'"):
            loader.from_pretrained(own, search_space=mnasnet)
        with pytest.raises(DiffusionNAGError, match="holds no"):
            loader.from_pretrained(other)


# -- guidance -------------------------------------------------------------------------------------


def test_guidance_raises_and_lowers_the_property(
    generator: Generator, shipped: PropertyPredictor, table: Table, unguided: list[Architecture]
) -> None:
    high = generator.sample(256, guide=shipped, sampling=Sampling(seed=1)).architectures
    low = generator.sample(256, guide=minimize(shipped), sampling=Sampling(seed=1)).architectures
    for values in (lambda a: shipped.predict(a)[0], lambda a: accuracy(table, a)):
        middle = values(unguided).mean()
        assert values(high).mean() > middle + MARGIN
        assert values(low).mean() < middle - MARGIN
    assert len(set(high)) > 50


def test_opposite_guides_cancel(generator: Generator, shipped: PropertyPredictor) -> None:
    both, sampling = shipped + minimize(shipped), Sampling("ancestral", seed=1)
    free = generator.sample(256, sampling=sampling)
    same = generator.sample(256, guide=both, sampling=sampling)
    assert np.mean([a == b for a, b in zip(same, free, strict=True)]) > 0.99


@pytest.mark.parametrize("noise_aware", [False, True])
def test_a_fresh_predictor_ranks_and_guides(
    generator: Generator, table: Table, unguided: list[Architecture], noise_aware: bool
) -> None:
    count, fewest, steps = (400, 0.8, 150) if noise_aware else (100, 0.75, None)
    predictor = PropertyPredictor(SPACE, "cifar10", noise_aware=noise_aware)
    predictor.fit(*measured_cells(table, count, seed=0), steps=steps)
    held_out, true = measured_cells(table, 2_000, seed=1)
    mean, std = predictor.predict(held_out)
    assert np.corrcoef(rankdata(mean), rankdata(true))[0, 1] > fewest
    assert (std > 0).mean() > 0.95
    guided = generator.sample(256, guide=predictor, sampling=Sampling(seed=1)).architectures
    gain = accuracy(table, guided).mean() - accuracy(table, unguided).mean()
    assert gain > MARGIN


# -- predictors -----------------------------------------------------------------------------------

CELLS = SPACE.sample(12, seed=0)
VALUES = list(range(12))


@pytest.mark.parametrize(
    ("architectures", "values", "message"),
    [
        (CELLS, [*VALUES[:-1], float("nan")], "value 11 is nan"),
        (CELLS, [*VALUES[:-1], float("inf")], "value 11 is inf"),
        (CELLS, [1.0] * 12, "nothing to learn"),
        (CELLS[:4], VALUES[:4], "4 measured architectures are too few"),
        ([], [], "too few"),
        (CELLS, VALUES[:-1], "12 architectures and 11 values"),
        (get_search_space("mnasnet").sample(12), VALUES, "architecture 0 is not valid"),
    ],
)
def test_data_that_cannot_be_learnt_is_refused(
    architectures: list[Architecture], values: list[float], message: str
) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        PropertyPredictor(SPACE, "accuracy").fit(architectures, values)


def test_an_unfitted_predictor_says_so(generator: Generator, tmp_path: Path) -> None:
    predictor = PropertyPredictor(SPACE, "accuracy")
    for use in (
        lambda: predictor.predict(CELLS),
        lambda: generator.sample(4, guide=predictor),
        lambda: predictor.save_pretrained(tmp_path),
    ):
        with pytest.raises(DiffusionNAGError, match="has not been fitted"):
            use()


@pytest.mark.parametrize("noise_aware", [False, True])
def test_a_saved_predictor_predicts_the_same(noise_aware: bool, tmp_path: Path) -> None:
    predictor = PropertyPredictor(SPACE, "depth", noise_aware=noise_aware)
    predictor.fit(CELLS, VALUES, steps=20).save_pretrained(tmp_path)
    loaded = PropertyPredictor.from_pretrained(tmp_path)
    assert (loaded.property_name, loaded.noise_aware) == ("depth", noise_aware)
    for before, after in zip(predictor.predict(CELLS), loaded.predict(CELLS), strict=True):
        np.testing.assert_array_equal(before, after)
    again = PropertyPredictor(SPACE, "depth", noise_aware=noise_aware).fit(CELLS, VALUES, steps=20)
    np.testing.assert_array_equal(again.predict(CELLS)[0], predictor.predict(CELLS)[0])
