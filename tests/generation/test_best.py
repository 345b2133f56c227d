"""The best architectures: as good as brute force finds, within limits, distinct, and repeatable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusionnag import DiffusionNAGError, Generator, PropertyPredictor, get_search_space
from diffusionnag.generation.best import WHOLE, Best, find_best
from diffusionnag.guidance import AnalyticProperty, Bound, limit, maximize, minimize
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.declared import Declaration, Stage, declared_space

NASBENCH201 = get_search_space("nasbench201")
MNASNET = get_search_space("mnasnet")
MOBILENETV3 = get_search_space("mobilenetv3")


def predictor(space: SearchSpace, name: str) -> PropertyPredictor:
    return PropertyPredictor.from_pretrained(name, search_space=space)


def at_quantile(property: PropertyPredictor | AnalyticProperty, quantile: float) -> Bound:
    values, _ = property.predict(property.search_space.sample(500, 7))
    return limit(property, at_most=float(np.quantile(values, quantile)))


def best_by_brute_force(
    space: SearchSpace, score: PropertyPredictor, bound: Bound, count: int
) -> np.ndarray:
    everything = list(space.enumerate())
    kept = [
        architecture
        for architecture, keeps in zip(everything, bound.keeps(everything), strict=True)
        if keeps
    ]
    return np.sort(score.normal_score(kept))[::-1][:count]


def random_best(score: PropertyPredictor | AnalyticProperty, bound: Bound, count: int) -> float:
    drawn = list(dict.fromkeys(score.search_space.sample(5_000, 3)))
    kept = [
        architecture for architecture, keeps in zip(drawn, bound.keeps(drawn), strict=True) if keeps
    ]
    return float(np.sort(score.normal_score(kept))[-count:].mean())


def differing(space: SearchSpace, a: Architecture, b: Architecture) -> float:
    free = space.allowed.sum(1) > 1
    return float((np.array(a.operations) != np.array(b.operations))[free].mean())


# -- small spaces ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 10, 300])
def test_a_small_space_is_ranked_as_a_whole(count: int) -> None:
    accuracy = predictor(NASBENCH201, "cifar10")
    bound = at_quantile(predictor(NASBENCH201, "latency:pixel3"), 0.3)
    best = find_best(NASBENCH201, count, guide=maximize(accuracy) + bound)
    expected = best_by_brute_force(NASBENCH201, accuracy, bound, count)
    assert isinstance(best.details, Best)
    assert best.details.whole
    assert best.details.predicted == NASBENCH201.size
    np.testing.assert_allclose(accuracy.normal_score(best), expected, atol=1e-5)


@settings(max_examples=6)
@given(
    quantile=st.sampled_from([0.05, 0.3, 0.6]),
    device=st.sampled_from(["latency:pixel3", "latency:fpga", "latency:eyeriss"]),
    seed=st.integers(0, 1_000),
)
def test_a_search_finds_nearly_what_ranking_all_does(
    quantile: float, device: str, seed: int
) -> None:
    accuracy = predictor(NASBENCH201, "cifar10")
    bound = at_quantile(predictor(NASBENCH201, device), quantile)
    assert NASBENCH201.combinations > 0.4 * WHOLE
    best = find_best(NASBENCH201, 10, guide=maximize(accuracy) + bound, seconds=0.4, seed=seed)
    expected = best_by_brute_force(NASBENCH201, accuracy, bound, 10)
    assert isinstance(best.details, Best)
    assert not best.details.whole
    assert bound.keeps(best).all()
    assert accuracy.normal_score(best).mean() > expected.mean() - 0.1


def test_the_best_of_a_declared_space_with_stages_and_rules_are_found() -> None:
    layer = {"kernel": ["k3", "k5"], "width": ["w1", "w2"]}
    declaration = Declaration(
        "stages",
        {"stem": ["narrow", "wide"], "body": Stage(layer=layer, depths=[1, 2, 3])},
        rules=[lambda named: named["stem"] == "wide" or named["body1.kernel"] == "k3"],
    )
    space = declared_space(declaration)()
    everything = list(space.enumerate())
    values = [
        sum(architecture.operations) + architecture.operations[0] * architecture.operations[-1]
        for architecture in everything
    ]
    learnt = PropertyPredictor(space, "value").fit(everything, np.array(values, dtype=float))
    # Of one batch: with the size of a batch 32-bit scores change a little.
    scores = dict(zip(everything, learnt.normal_score(everything), strict=True))
    ranked = sorted(scores.values(), reverse=True)
    for seconds in (1.0, len(everything) / WHOLE / 2):
        best = find_best(space, 3, guide=learnt, seconds=seconds)
        reached = [scores[architecture] for architecture in best]
        np.testing.assert_allclose(reached, ranked[:3], atol=1e-4)


def test_a_space_too_large_to_enumerate_is_searched_however_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = declared_space(Declaration("wide", {f"n{k}": ["off", "on"] for k in range(20)}))()
    assert not space.is_enumerable
    seen = space.sample(200, 0)
    values = np.array([float(sum(architecture.operations)) for architecture in seen])
    learnt = PropertyPredictor(space, "ones").fit(seen, values)
    monkeypatch.setattr("diffusionnag.generation.best.WHOLE", 2 * space.combinations)
    best = find_best(space, 1, guide=learnt)
    assert isinstance(best.details, Best)
    assert not best.details.whole


# -- large spaces ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "raised", "limited"),
    [
        (MNASNET, "imagenet_top1", "zcu102_latency_ms"),
        (MOBILENETV3, "macs", "latency:2080ti_64"),
    ],
)
@pytest.mark.parametrize("quantile", [0.02, 0.3])
def test_limits_are_kept_and_draws_are_beaten(
    space: SearchSpace, raised: str, limited: str, quantile: float
) -> None:
    analytic = raised in space.analytic_properties(space.sample(1, 0)[0])
    score = AnalyticProperty(space, raised) if analytic else predictor(space, raised)
    bound = at_quantile(predictor(space, limited), quantile)
    best = find_best(space, 20, guide=maximize(score) + bound)
    assert len(set(best)) == 20
    assert all(map(space.is_valid, best))
    assert bound.keeps(best).all()
    ranked = score.normal_score(best)
    assert (np.diff(ranked) <= 1e-5).all()
    assert ranked[-1] > random_best(score, bound, 1)


def test_no_single_change_of_what_is_handed_out_helps() -> None:
    accuracy = predictor(MNASNET, "imagenet_top1")
    bound = at_quantile(predictor(MNASNET, "zcu102_latency_ms"), 0.2)
    best = find_best(MNASNET, 5, guide=maximize(accuracy) + bound)
    worst = accuracy.normal_score(best).min()
    around = {other for architecture in best for other in MNASNET.neighbours(architecture)} - set(
        best
    )
    allowed = [architecture for architecture in around if bound.keeps([architecture]).all()]
    assert accuracy.normal_score(allowed).max() <= worst + 1e-5


def test_an_exactly_known_limit_is_kept_to_the_last_digit() -> None:
    macs = AnalyticProperty(MOBILENETV3, "macs")
    (reached,) = macs.predict(MOBILENETV3.sample(1, 5))[0]
    best = find_best(MOBILENETV3, 10, guide=maximize(macs) + limit(macs, at_most=float(reached)))
    values, _ = macs.predict(best)
    assert (values <= reached).all()
    assert values.max() > 0.999 * reached


@settings(max_examples=4)
@given(weight=st.sampled_from([1e-3, 1.0, 50.0, 1e6]))
def test_weights_never_break_a_limit(weight: float) -> None:
    accuracy = predictor(MNASNET, "imagenet_top1")
    bound = at_quantile(predictor(MNASNET, "zcu102_latency_ms"), 0.05)
    best = find_best(MNASNET, 4, guide=maximize(accuracy, weight) + bound)
    assert bound.keeps(best).all()
    assert best.architectures == find_best(MNASNET, 4, guide=accuracy + bound).architectures


def test_a_lowered_property_becomes_low() -> None:
    latency = predictor(MNASNET, "zcu102_latency_ms")
    best = find_best(MNASNET, 3, guide=minimize(latency))
    assert latency.predict(best)[0].max() < latency.predict(MNASNET.sample(2_000, 1))[0].min()


def test_a_seed_decides() -> None:
    guide = predictor(MOBILENETV3, "latency:v100_1") + at_quantile(
        predictor(MOBILENETV3, "latency:2080ti_64"), 0.3
    )
    first, again = (find_best(MOBILENETV3, 7, guide=guide, seconds=4, seed=4) for _ in range(2))
    assert first.architectures == again.architectures
    assert first.details == again.details


@pytest.mark.parametrize("space", [NASBENCH201, MNASNET])
def test_diverse_ones_differ_in_their_share_of_nodes(space: SearchSpace) -> None:
    guide = predictor(space, "cifar10" if space is NASBENCH201 else "imagenet_top1")
    best = find_best(space, 8, guide=guide, diverse=0.3)
    free = find_best(space, 8, guide=guide)
    assert all(differing(space, a, b) >= 0.3 for a, b in itertools.combinations(best, 2))
    assert best[0] == free[0]
    assert guide.normal_score(best).mean() < guide.normal_score(free).mean()


def test_caution_prefers_what_the_predictor_is_sure_of() -> None:
    rng = np.random.default_rng(0)
    cells = NASBENCH201.sample(40, rng)
    values = predictor(NASBENCH201, "cifar10").predict(cells)[0]
    learnt = PropertyPredictor(NASBENCH201, "accuracy").fit(cells, values + rng.normal(size=40))
    bold, careful = (find_best(NASBENCH201, 20, guide=learnt, cautious=k) for k in (0.0, 2.0))
    assert learnt.predict(careful)[1].mean() < learnt.predict(bold)[1].mean()


def test_a_generator_hands_out_the_same() -> None:
    guide = predictor(NASBENCH201, "cifar10")
    best = Generator.from_pretrained("nasbench201").best(5, guide=guide, seed=3)
    assert best.architectures == find_best(NASBENCH201, 5, guide=guide, seed=3).architectures


# -- what cannot be -------------------------------------------------------------------------------


def test_only_what_nothing_keeps_fails() -> None:
    accuracy = predictor(NASBENCH201, "cifar10")
    latency = predictor(NASBENCH201, "latency:pixel3")
    everything = list(NASBENCH201.enumerate())
    values = latency.predict(everything)[0]
    bound = limit(latency, at_most=float(np.sort(values)[20]))
    keeping = int(bound.keeps(everything).sum())
    assert len(find_best(NASBENCH201, keeping, guide=1e6 * accuracy + bound)) == keeping
    with pytest.raises(DiffusionNAGError, match=f"only {keeping} nasbench201 .* exist"):
        find_best(NASBENCH201, keeping + 1, guide=accuracy + bound)
    with pytest.raises(DiffusionNAGError, match="no nasbench201 architecture was found"):
        find_best(NASBENCH201, 1, guide=accuracy + limit(accuracy, at_least=1e4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "at least 1"),
        ({"count": 15_626}, "15625 architectures"),
        ({"seconds": 0.0}, "no time"),
        ({"diverse": 1.5}, "share of the nodes"),
        ({"cautious": -1.0}, "from 0 upwards"),
        ({"guide": limit(AnalyticProperty(NASBENCH201, "macs"), at_most=50)}, "limits alone"),
        ({"guide": AnalyticProperty(MNASNET, "macs")}, "predicts mnasnet"),
    ],
)
def test_what_cannot_be_asked_for_is_told(wrong: dict[str, object], message: str) -> None:
    asked = {"count": 1, "guide": AnalyticProperty(NASBENCH201, "macs")} | wrong
    count = asked.pop("count")
    with pytest.raises(DiffusionNAGError, match=message):
        find_best(NASBENCH201, count, **asked)  # type: ignore[arg-type]
