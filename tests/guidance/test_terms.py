"""Guidance: terms that add and scale, limits, targets, their gradients, and what is handed out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffusionnag import DiffusionNAGError, Generator, PropertyPredictor, get_search_space
from diffusionnag.diffusion.guided import Strength, guided
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import (
    AnalyticProperty,
    Guidance,
    Property,
    limit,
    maximize,
    minimize,
    target,
)
from diffusionnag.guidance.terms import Ceiling
from diffusionnag.spaces import Architecture, SearchSpace

NASBENCH201 = get_search_space("nasbench201")
SPREAD, CENTRE = 0.4, 0.7


def exact_gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """D of entries that are normal with mean `CENTRE` and deviation `SPREAD`."""
    return (SPREAD**2 * x + sigma**2 * CENTRE) / (SPREAD**2 + sigma**2)


@dataclass
class Quadratic(Guidance):
    """log p = -strength |x - goal|^2 / 2, judged on x itself or on the clean estimate."""

    goal: float
    strength: float
    on_clean: bool = False

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        judged = clean if self.on_clean else x
        return -0.5 * self.strength * (judged - self.goal).square().sum((1, 2))


class Linear(Property):
    """The sum of all entries times `slope`, with a standard deviation of 0.5."""

    def __init__(self, slope: float, noise_aware: bool = False) -> None:
        self.slope, self._noise_aware = slope, noise_aware
        self.search_space, self.property_name = NASBENCH201, "total"

    @property
    def noise_aware(self) -> bool:
        return self._noise_aware

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert (sigma is not None) == self.noise_aware
        mean = self.slope * x.sum((1, 2))
        return mean, torch.full_like(mean, 0.5)

    def to_standard(self, value: float) -> float:
        return value

    def predict(self, architectures):
        raise NotImplementedError


X, SIGMA = torch.linspace(-1, 2, 24).reshape(2, 4, 3), torch.tensor(0.5)


def pull(guidance: Guidance, strength: Strength | None = None) -> Tensor:
    return guided(exact_gaussian, guidance, strength)(X, SIGMA) - exact_gaussian(X, SIGMA)


# -- the guided denoiser --------------------------------------------------------------------------


def test_guidance_adds_variance_times_gradient() -> None:
    torch.testing.assert_close(pull(Quadratic(0.2, 3.0)), SIGMA**2 * 3.0 * (0.2 - X))


def test_guidance_behind_the_denoiser_is_differentiated_through_it() -> None:
    clean, slope = exact_gaussian(X, SIGMA), SPREAD**2 / (SPREAD**2 + SIGMA**2)
    expected = SIGMA**2 * 3.0 * (0.2 - clean) * slope
    torch.testing.assert_close(pull(Quadratic(0.2, 3.0, on_clean=True)), expected)


@pytest.mark.parametrize("noise_aware", [True, False])
@pytest.mark.parametrize("weight", [1.0, -2.0])
def test_a_property_guides_by_its_slope(weight: float, noise_aware: bool) -> None:
    through = 1.0 if noise_aware else float(SPREAD**2 / (SPREAD**2 + SIGMA**2))
    expected = float(SIGMA) ** 2 * 4 * weight * 1.5 * through
    pulled = pull(maximize(Linear(1.5, noise_aware), weight))
    torch.testing.assert_close(pulled, torch.full_like(X, expected))


def test_guidances_add_and_scale_as_numbers_do() -> None:
    left, right = Quadratic(0.2, 3.0), Quadratic(-1.0, 0.5)
    torch.testing.assert_close(pull(2 * left + right * 0.5), 2 * pull(left) + 0.5 * pull(right))
    first, second = Linear(1.0), Linear(-0.3)
    torch.testing.assert_close(
        pull(first * 3 + second), 3 * pull(maximize(first)) + pull(maximize(second))
    )
    torch.testing.assert_close(pull(-first), pull(minimize(first)))
    torch.testing.assert_close(pull(left + first), pull(left) + pull(maximize(first)))


def test_guidances_subtract_and_sum_as_numbers_do() -> None:
    left, right = Quadratic(0.2, 3.0), Quadratic(-1.0, 0.5)
    first, second = Linear(1.0), Linear(-0.3)
    more, other = pull(maximize(first)), pull(maximize(second))
    for written, expected in (
        (left - right, pull(left) - pull(right)),
        (-left, -pull(left)),
        (first - second, more - other),
        (first - left, more - pull(left)),
        (left - first, pull(left) - more),
        (0 - first, -more),
        (sum([left, first, right]), pull(left) + more + pull(right)),
        (sum([first, second]), more + other),
    ):
        assert isinstance(written, Guidance)
        torch.testing.assert_close(pull(written), expected)
    for term in (left, first):
        with pytest.raises(TypeError):
            _ = 1 + term
        with pytest.raises(TypeError):
            _ = term - 1


def test_a_limit_pulls_where_it_is_broken_and_not_where_it_is_kept() -> None:
    up = Linear(1.0, noise_aware=True)
    far_above, far_below = X.sum((1, 2)).max() + 10, X.sum((1, 2)).min() - 10
    assert pull(up <= float(far_above)).abs().max() < 1e-6
    assert (pull(up <= float(far_below)) < -0.5).all()
    assert (pull(limit(up, at_least=float(far_above))) > 0.5).all()
    expected = 4 * torch.special.log_ndtr((3.0 - X.sum((1, 2))) / 0.5)
    sigma = torch.full((2,), 0.5)
    torch.testing.assert_close((up <= 3.0).log_likelihood(X, sigma, X), expected)


def test_a_target_pulls_from_both_sides() -> None:
    low, high = X.sum((1, 2)).tolist()
    pulled = pull(target(Linear(1.0, noise_aware=True), (low + high) / 2))
    assert (pulled[0] > 0).all()
    assert (pulled[1] < 0).all()


def test_nothing_is_gained_above_a_ceiling() -> None:
    slope = maximize(Linear(1.0, noise_aware=True))
    lowest, highest = (4 * X.sum((1, 2))).aminmax()
    assert pull(Ceiling(slope, float(lowest) - 90, 4.0)).abs().max() < 1e-6
    torch.testing.assert_close(pull(Ceiling(slope, float(highest) + 90, 4.0)), pull(slope))


def test_strength_schedules_normalises_and_clips() -> None:
    plain = pull(Quadratic(0.2, 3.0))
    half = pull(Quadratic(0.2, 3.0), Strength(schedule=lambda sigma: sigma))
    torch.testing.assert_close(half, 0.5 * plain)
    normed = pull(Quadratic(0.2, 3.0), Strength(normalised=2.0))
    torch.testing.assert_close(normed.flatten(1).norm(dim=1), torch.full((2,), 2.0 * 0.5))
    longest = float(plain.flatten(1).norm(dim=1).max())
    clipped = pull(Quadratic(0.2, 3.0), Strength(clip=0.9 * longest))
    assert float(clipped.flatten(1).norm(dim=1).max()) == pytest.approx(0.9 * longest)
    untouched = pull(Quadratic(0.2, 3.0), Strength(clip=2 * longest))
    torch.testing.assert_close(untouched, plain)


# -- gradients of real properties -----------------------------------------------------------------


def few_labels() -> PropertyPredictor:
    cells = NASBENCH201.sample(60, 0)
    values = [NASBENCH201.analytic_properties(cell)["macs"] for cell in cells]
    return PropertyPredictor(NASBENCH201, "macs", model="gaussian_process").fit(cells, values)


def ensemble(noise_aware: bool) -> PropertyPredictor:
    cells = NASBENCH201.sample(60, 0)
    values = [NASBENCH201.analytic_properties(cell)["macs"] for cell in cells]
    predictor = PropertyPredictor(
        NASBENCH201, "macs", model="ensemble", noise_aware=noise_aware, width=32
    ).fit(cells, values, steps=100)
    assert predictor._fitted is not None
    predictor._fitted.double()
    return predictor


PROPERTIES: dict[str, Callable[[], Property]] = {
    "analytic": lambda: AnalyticProperty(NASBENCH201, "params"),
    "gaussian process": few_labels,
    "ensemble": lambda: ensemble(noise_aware=False),
    "noise-aware ensemble": lambda: ensemble(noise_aware=True),
}


@pytest.mark.parametrize("kind", PROPERTIES)
def test_gradients_equal_finite_differences(kind: str) -> None:
    judged = PROPERTIES[kind]()
    middle = judged.predict(NASBENCH201.sample(100, 1))[0].mean() if kind == "analytic" else 100.0
    guidance = maximize(judged, 0.5) + (judged <= middle) + target(judged, middle)
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(3, 8, 7, generator=rng, dtype=torch.float64).requires_grad_()
    sigma = torch.full((3,), 0.7, dtype=torch.float64)

    def total(x: Tensor) -> Tensor:
        return guidance.log_likelihood(x, sigma, (3 * x).softmax(-1))

    (gradient,) = torch.autograd.grad(total(x).sum(), x)
    step = 1e-5
    with torch.no_grad():
        for _ in range(20):
            direction = torch.randn(x.shape, generator=rng, dtype=torch.float64)
            difference = (total(x + step * direction) - total(x - step * direction)) / (2 * step)
            expected = (gradient * direction).sum((1, 2))
            torch.testing.assert_close(difference, expected, rtol=1e-3, atol=1e-5)


# -- analytic properties --------------------------------------------------------------------------


@pytest.mark.parametrize("space_name", ["nasbench201", "mobilenetv3", "mnasnet"])
@pytest.mark.parametrize("name", ["params", "macs"])
def test_a_relaxation_is_exact_at_one_hot_input(space_name: str, name: str) -> None:
    space = get_search_space(space_name)
    judged = AnalyticProperty(space, name)
    architectures = space.sample(500, 123)
    exact = np.array(
        [space.analytic_properties(architecture)[name] for architecture in architectures]
    )
    x = torch.from_numpy(space.encode(architectures)).double()
    expected = [judged.to_standard(value) for value in exact]
    np.testing.assert_allclose(judged.distribution(x)[0].numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(judged.predict(architectures)[0], exact)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_a_relaxation_is_the_expected_value_under_independent_operations(seed: int) -> None:
    space = get_search_space("mnasnet")
    judged = RELAXED
    rng = np.random.default_rng(seed)
    start, end = space.encode(space.sample(2, int(rng.integers(1 << 30))))
    node = int(rng.integers(len(space.nodes)))
    mixed, low, high = start.copy(), start.copy(), start.copy()
    share = rng.random()
    high[node] = end[node]
    mixed[node] = (1 - share) * start[node] + share * end[node]
    x = torch.from_numpy(np.stack([low, high, mixed])).double()
    first, second, between = judged.distribution(x)[0].tolist()
    assert between == pytest.approx((1 - share) * first + share * second, abs=1e-6)


RELAXED = AnalyticProperty(get_search_space("mnasnet"), "params")


class Product(SearchSpace):
    """Three nodes whose numbers multiply."""

    name = "product"
    nodes = ("a", "b", "c")
    operations = ("1", "2", "3")
    edges = ((0, 1), (1, 2))

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        return {"product": float(np.prod([o + 1 for o in architecture.operations])), "same": 0.1}


class GroupedProduct(Product):
    """The same, saying so."""

    def interactions(self) -> tuple[tuple[int, ...], ...]:
        return ((0, 1, 2),)


def test_nodes_that_act_together_must_be_declared() -> None:
    with pytest.raises(DiffusionNAGError, match="`interactions`"):
        AnalyticProperty(Product(), "product")
    AnalyticProperty(GroupedProduct(), "product")
    with pytest.raises(
        DiffusionNAGError, match="no analytic property 'size'; it has product, same"
    ):
        AnalyticProperty(Product(), "size")
    with pytest.raises(DiffusionNAGError, match="nothing to guide"):
        AnalyticProperty(Product(), "same")


# -- what a generator hands out -------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.from_pretrained("nasbench201")


@pytest.fixture(scope="module")
def params() -> AnalyticProperty:
    return AnalyticProperty(NASBENCH201, "params")


def test_weight_zero_changes_no_bit(generator: Generator, params: AnalyticProperty) -> None:
    sampling = Sampling("ancestral", seed=3)
    plain = generator.sample(100, sampling=sampling)
    weighed = generator.sample(100, guide=0.0 * maximize(params), sampling=sampling)
    assert all(a == b for a, b in zip(plain, weighed, strict=True))


def test_an_analytic_limit_is_kept_exactly(generator: Generator, params: AnalyticProperty) -> None:
    samples = generator.sample(
        200, guide=minimize(params, 0.1) + (params <= 0.2), sampling=Sampling(seed=1)
    )
    values, _ = params.predict(samples.architectures)
    assert values.max() <= 0.2
    random = params.predict(NASBENCH201.sample(1_000, 0))[0]
    # Guidance, and not rejection alone, leads below the limit.
    assert samples.rejected / len(samples.drawn) < 0.5 * (random > 0.2).mean()


def test_a_target_is_met(generator: Generator, params: AnalyticProperty) -> None:
    reached = params.predict(generator.sample(200, guide=target(params, 0.6)).architectures)[0]
    random = params.predict(NASBENCH201.sample(200, 0))[0]
    assert np.abs(reached - 0.6).mean() < 0.3 * np.abs(random - 0.6).mean()


def test_a_predicted_limit_is_kept_with_the_probability_asked_for(generator: Generator) -> None:
    macs = few_labels()
    for probability in (0.5, 0.95):
        bound = limit(macs, at_most=60.0, probability=probability)
        cells = generator.sample(64, guide=bound).architectures
        with torch.no_grad():
            mean, std = macs.distribution(torch.from_numpy(NASBENCH201.encode(cells)))
        kept = torch.special.ndtr((macs.to_standard(60.0) - mean) / std)
        assert float(kept.min()) >= probability - 1e-5


def test_an_impossible_limit_is_told_with_the_nearest_value(
    generator: Generator, params: AnalyticProperty
) -> None:
    smallest = min(
        NASBENCH201.analytic_properties(cell)["params"] for cell in NASBENCH201.enumerate()
    )
    with pytest.raises(DiffusionNAGError, match=f"the nearest has params = {smallest:.4g}"):
        generator.sample(10, guide=params <= 0.9 * smallest)
    macs = AnalyticProperty(NASBENCH201, "macs")
    with pytest.raises(DiffusionNAGError, match=r"params <= 0\.1 and macs >= 150 together"):
        generator.sample(10, guide=(params <= 0.1) + (macs >= 150.0))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda p: limit(p), "one of `at_most` and `at_least`"),
        (lambda p: limit(p, at_most=1.0, at_least=0.5), "one of"),
        (lambda p: limit(p, at_most=float("nan")), "is no limit"),
        (lambda p: limit(p, at_most=1.0, probability=1.0), "probability in"),
        (lambda p: target(p, float("inf")), "is no target"),
    ],
)
def test_a_senseless_request_is_refused(
    params: AnalyticProperty, ask: Callable[[Property], object], message: str
) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        ask(params)


def test_a_guide_of_another_space_is_refused(generator: Generator) -> None:
    with pytest.raises(DiffusionNAGError, match="mnasnet architectures, not nasbench201"):
        generator.sample(4, guide=RELAXED <= 5.0)


def test_distinct_ones_are_the_best_that_exist(
    generator: Generator, params: AnalyticProperty
) -> None:
    everything = list(NASBENCH201.enumerate())
    best = np.sort(params.predict(everything)[0])[-250:]
    samples = generator.sample(250, guide=params, distinct=True)
    assert len(set(samples)) == 250
    assert params.predict(samples.architectures)[0].mean() > 0.97 * best.mean()


def test_conditions_are_part_of_a_prediction(tmp_path) -> None:
    cells = NASBENCH201.sample(400, 0)
    resolution = np.random.default_rng(0).choice([128.0, 224.0], size=400)
    macs = np.array([NASBENCH201.analytic_properties(cell)["macs"] for cell in cells])
    predictor = PropertyPredictor(NASBENCH201, "time", width=64, conditions=["resolution"])
    predictor.fit(cells, macs * resolution, conditions=resolution[:, None], steps=300)
    predictor.under(resolution=224.0).save_pretrained(tmp_path)
    loaded = PropertyPredictor.from_pretrained(tmp_path)
    large = loaded.predict(cells)[0]
    small = loaded.under(resolution=128.0).predict(cells)[0]
    assert small.mean() / large.mean() == pytest.approx(128 / 224, abs=0.1)
    with pytest.raises(DiffusionNAGError, match="predicted under resolution, not under width"):
        loaded.under(width=1.0)
