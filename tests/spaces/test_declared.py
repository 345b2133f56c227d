"""Declared spaces: what follows from random declarations, YAML files, and mistakes in them."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from diffusionnag import DiffusionNAGError, SearchSpace, get_search_space, register_search_space
from diffusionnag.spaces.declared import Declaration, Edges, Stage

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_COMBINATIONS = 1_000
SMALLEST_P = 1e-4


def ends_differ(operations: Mapping[str, str]) -> bool:
    """The first node and the last one differ."""
    first, *_, last = (name for node, name in operations.items() if ">" not in node)
    return first != last


def operation_lists(*operations: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(operations), min_size=1, max_size=3, unique=True)


single_nodes = operation_lists("a", "b", "none")
stages = st.builds(
    Stage,
    st.dictionaries(
        st.sampled_from(("x", "y")), operation_lists("a", "b", "c"), min_size=1, max_size=2
    ),
    st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True),
)


@st.composite
def declarations(draw: st.DrawFn) -> Declaration:
    """Nodes and stages; a chain, free edges, or a number of inputs; perhaps a rule."""
    kind = draw(st.sampled_from(("chain", "free", "some free", "inputs")))
    parts = single_nodes | stages if kind == "chain" else single_nodes
    count = draw(st.integers(2, 5 if kind == "inputs" else 4))
    nodes = {f"node{number}": draw(parts) for number in range(count)}
    skips = [pair for pair in itertools.combinations(nodes, 2) if draw(st.booleans())]
    chain = set(itertools.pairwise(nodes))
    edges = {
        "chain": Edges(fixed="chain"),
        "free": Edges(free="all"),
        "some free": Edges(fixed="chain", free=[pair for pair in skips if pair not in chain]),
        "inputs": Edges(inputs=draw(st.integers(1, 2))),
    }[kind]
    rules = [ends_differ] if draw(st.booleans()) and kind != "inputs" else []
    declaration = Declaration("random-of-the-tests", nodes, edges, rules)
    assume(any(True for _ in expected(declaration)))
    return declaration


def placed(declaration: Declaration) -> Iterator[dict[str, str]]:
    """Yield the operations of all nodes, by name, that the nodes and stages allow."""
    parts: list[list[dict[str, str]]] = []
    for name, value in declaration.nodes.items():
        if not isinstance(value, Stage):
            parts.append([{name: operation} for operation in value])
            continue
        ways = []
        for depth in value.depths:
            there = [
                (f"{name}{i}.{n}", o) for i in range(1, depth + 1) for n, o in value.layer.items()
            ]
            rest = {
                f"{name}{i}.{n}": "none"
                for i in range(depth + 1, max(value.depths) + 1)
                for n in value.layer
            }
            for row in itertools.product(*(operations for _, operations in there)):
                ways.append(dict(zip((node for node, _ in there), row, strict=True)) | rest)
        parts.append(ways)
    for combination in itertools.product(*parts):
        yield {node: operation for part in combination for node, operation in part.items()}


def wirings(declaration: Declaration) -> Iterator[frozenset[tuple[str, str]]]:
    """Yield the edges that there may be together, by the names of their nodes."""
    names = list(next(placed(declaration)))
    chain = set(itertools.pairwise(names))
    edges = declaration.edges
    if edges.inputs:
        inner = names[1:-1]
        choices = [
            list(itertools.combinations(names[: i + 1], min(edges.inputs, i + 1)))
            for i in range(len(inner))
        ]
        for chosen in itertools.product(*choices):
            links = {
                (source, node) for node, way in zip(inner, chosen, strict=True) for source in way
            }
            fed = {source for source, _ in links}
            yield frozenset(links | {(node, names[-1]) for node in names[:-1] if node not in fed})
        return
    free = set(itertools.combinations(names, 2)) if edges.free == "all" else set(edges.free)
    fixed = chain if edges.fixed == "chain" else set()
    for count in range(len(free) + 1):
        for some in itertools.combinations(sorted(free), count):
            links = fixed | set(some)
            fed = {target for _, target in links}
            feeding = {source for source, _ in links}
            if fed == set(names[1:]) and feeding == set(names[:-1]):
                yield frozenset(links)


def expected(
    declaration: Declaration,
) -> Iterator[tuple[tuple[str, ...], frozenset[tuple[str, str]]]]:
    """Yield every architecture that a declaration means: operations and edges."""
    for operations in placed(declaration):
        if all(rule(operations) for rule in declaration.rules):
            for links in wirings(declaration):
                yield tuple(operations.values()), links


def space_of(declaration: Declaration) -> SearchSpace:
    return register_search_space(declaration)()


@settings(max_examples=60)
@given(declarations())
def test_a_space_holds_what_its_declaration_means(declaration: Declaration) -> None:
    space = space_of(declaration)
    assume(space.combinations <= MOST_COMBINATIONS)
    everything = list(space.enumerate())
    count = len(next(expected(declaration))[0])
    enumerated = [
        (
            tuple(space.operation_names(architecture)[:count]),
            frozenset((space.nodes[i], space.nodes[j]) for i, j in architecture.edges),
        )
        for architecture in everything
    ]
    assert Counter(enumerated) == Counter(expected(declaration))
    assert space.size == len(everything)
    options = (np.flatnonzero(row).tolist() for row in space.allowed)
    combined = space.architectures(np.array(list(itertools.product(*options))))
    assert {architecture for architecture in combined if space.is_valid(architecture)} == set(
        everything
    )


@settings(max_examples=60)
@given(declarations(), st.integers(0, 2**32))
def test_draws_are_valid_and_are_read_back(declaration: Declaration, seed: int) -> None:
    space = space_of(declaration)
    drawn = space.sample(20, seed)
    assert all(space.is_valid(architecture) for architecture in drawn)
    assert space.decode(space.encode(drawn)) == drawn
    assert [space.parse(space.format(architecture)) for architecture in drawn] == drawn


@settings(max_examples=60)
@given(declarations(), st.integers(0, 2**32))
def test_a_mutation_is_valid_and_different(declaration: Declaration, seed: int) -> None:
    space = space_of(declaration)
    (parent,) = space.sample(1, seed)
    if list(space.neighbours(parent)):
        child = space.mutate(parent, seed)
        assert child != parent
        assert space.is_valid(child)
    else:
        with pytest.raises(DiffusionNAGError, match="no single change"):
            space.mutate(parent, seed)


def test_a_mutation_may_add_or_remove_a_layer() -> None:
    stage = Stage({"x": ["a", "b"], "y": ["c", "d"]}, depths=[1, 3, 2])
    space = space_of(Declaration("deep-of-the-tests", {"in": ["a"], "body": stage}))
    near = {
        space.format(architecture)
        for architecture in space.neighbours(space.parse("a|a|c|b|d|none|none"))
    }
    assert {"a|a|c|none|none|none|none", "a|a|c|b|d|b|d"} <= near
    assert len(near) == 2 + 4


def test_depths_are_drawn_uniformly_and_counted_exactly() -> None:
    body = Stage({"kernel": ["3", "5", "7"], "width": ["16", "32"]}, depths=range(1, 13))
    space = space_of(Declaration("tall-of-the-tests", {"stem": ["a", "b"], "body": body}))
    assert not space.is_enumerable
    assert space.size == 2 * sum(6**depth for depth in range(1, 13))
    drawn = space.sample(6_000, 0)
    absent = space.operations.index("none")
    depths = Counter(12 - architecture.operations.count(absent) // 2 for architecture in drawn)
    assert chisquare([depths[depth] for depth in range(1, 13)]).pvalue > SMALLEST_P


def test_the_size_of_a_large_space_with_rules_is_estimated() -> None:
    body = Stage({"kernel": ["3", "5", "7"]}, depths=(1, 5, 9))
    nodes = {f"node{number}": list("abcde") for number in range(6)}

    def starts_small(operations: Mapping[str, str]) -> bool:
        return operations["body1.kernel"] == "3"

    space = space_of(
        Declaration("large-of-the-tests", {**nodes, "body": body}, rules=[starts_small])
    )
    exact = 5**6 * (3 + 3**5 + 3**9) // 3
    # Of 10,000 draws a third is valid: two hundredths are four standard deviations.
    assert space.size == pytest.approx(exact, rel=4 * math.sqrt(2 / 10_000))


# -- files ------------------------------------------------------------------------------------------


YAML = """
name: pipeline-of-the-tests
description: Two branches.
nodes:
  stem: [no, 012, 1e3]
  body:
    depths: [1, 2]
    layer: {kernel: [3, 5]}
  head: [linear]
rules: [my_rules.py:starts_with_no_5]
"""
RULES = '''
def starts_with_no_5(operations):
    """A body starts with no 5."""
    return operations["body1.kernel"] != "5"

def fails(operations): return operations["tail"] == "5"
def undecided(operations): return None
number = 5
'''


@pytest.fixture
def yaml_file(tmp_path: Path) -> str:
    (tmp_path / "my_rules.py").write_text(RULES)
    (tmp_path / "mine.yaml").write_text(YAML)
    return str(tmp_path / "mine.yaml")


def test_a_file_says_the_same_as_python(yaml_file: str) -> None:
    space = get_search_space(yaml_file)
    assert space.choices(0) == ("no", "012", "1e3")
    assert sorted(map(space.format, space.enumerate())) == sorted(
        f"{stem}|{body}|linear"
        for stem in ("no", "012", "1e3")
        for body in ("3|none", "3|3", "3|5")
    )
    with pytest.raises(DiffusionNAGError, match="A body starts with no 5"):
        space.parse("no|5|none|linear")
    with pytest.raises(DiffusionNAGError, match="node head cannot be 3; it can be linear"):
        space.parse("no|3|none|3")


@pytest.mark.slow
@pytest.mark.usefixtures("quick_training")
def test_a_file_serves_as_a_space_in_commands(
    yaml_file: str, run_main: RunCli, tmp_path: Path
) -> None:
    described = run_main("info", "mine.yaml", "no|3|none|linear", "--out", "drawn.svg")
    assert described.returncode == 0, described.stderr
    assert "body1" in (tmp_path / "drawn.svg").read_text()
    trained = run_main("train-generator", "mine.yaml", "--steps", 30, "--out", "model")
    assert trained.returncode == 0, trained.stderr
    made = run_main("generate", "mine.yaml", "--generator", "model", "-n", 5, "--out", "a.jsonl")
    assert made.returncode == 0, made.stderr
    space = get_search_space(yaml_file)
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert len([space.parse(json.loads(line)["architecture"]) for line in lines]) == 5


def test_a_declaration_in_python_serves_as_well(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from diffusionnag.spaces.declared import Declaration\n"
        "space = Declaration('declared-in-python', {'a': ['x'], 'b': ['y', 'z']})\n"
    )
    result = run_main("info", "mine.py:space", "x|z")
    assert result.returncode == 0, result.stderr


WAYS_EARLY = sum(3**depth * math.comb(depth + 1, 1) for depth in (1, 2, 3))
WAYS_LATE = sum(2**depth * math.comb(depth + 2, 2) for depth in (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("name", "size", "tolerance", "broken", "message"),
    [
        ("tabular_mlp", 2 * 5**3 * 2**3, 0, "", ""),
        # Layers with linear attention alone are excluded with rotary positions.
        (
            "transformer",
            2 * sum(3 * 27**depth - 9**depth for depth in range(2, 7)),
            1e-3,
            "rotary|linear|2|256|linear|2|256" + "|none" * 12 + "|mean",
            "Rotary positions need a layer",
        ),
        # Of 10,000 draws one in eight is valid: four standard deviations are a ninth of that.
        (
            "staged_cnn",
            2 * WAYS_EARLY * 3 * WAYS_LATE * 2,
            0.11,
            "conv5|7|32|3|16|none|none|stride2|5|96" + "|none" * 6 + "|linear",
            "No layer is narrower than the one before it",
        ),
    ],
)
def test_examples_are_what_they_say(
    name: str, size: int, tolerance: float, broken: str, message: str
) -> None:
    space = get_search_space(str(EXAMPLES / f"{name}.yaml"))
    assert space.size == pytest.approx(size, rel=tolerance)
    assert all(space.is_valid(architecture) for architecture in space.sample(200, 0))
    if broken:
        with pytest.raises(DiffusionNAGError, match=message):
            space.parse(broken)


def changed(old: str, new: str) -> str:
    assert old in YAML
    return YAML.replace(old, new)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file needs entries"),
        ("- a\n- b", "the file needs entries"),
        ("name: x", "the file has no `nodes`"),
        ("name: [x", "is no YAML file"),
        ("\x00", "is no YAML file"),
        ("a: " * 5_000, "is no YAML file"),
        ("a: " + "[" * 5_000, "is no YAML file"),
        (YAML + "edge: {}", "unknown key 'edge'"),
        (YAML + "name: again", "line 11 repeats 'name'"),
        (changed("head:", "stem:"), "repeats 'stem'"),
        (changed("name: pipeline-of-the-tests", "name: a/b"), "'a/b' is no name"),
        (changed("name: pipeline-of-the-tests", "name: nasbench201"), "exists already"),
        (changed("name: pipeline-of-the-tests", "name: [a]"), "`name` has ['a']"),
        (changed("head: [linear]", "head: linear"), "node head needs a list"),
        (changed("head: [linear]", "head: []"), "node head needs a list of operations"),
        (changed("head: [linear]", "head: [a, a]"), "node head has an operation twice"),
        (changed("head: [linear]", "head: [a|b]"), "'a|b', which is no name of an operation"),
        (changed("head: [linear]", "head: [[a]]"), "node head has ['a']"),
        (changed("head: [linear]", "2head: [a]"), "'2head' is no name of a node"),
        (changed("{kernel: [3, 5]}", "{}"), "stage body needs a `layer`"),
        (changed("{kernel: [3, 5]}", "[3, 5]"), "`layer` of stage body needs entries"),
        (changed("{kernel: [3, 5]}", "{kernel: [none]}"), "cannot have the operation 'none'"),
        (changed("depths: [1, 2]", "depth: 2"), "stage body has no `depths`"),
        (changed("depths: [1, 2]", "depths: 2"), "`depths` of stage body needs a list"),
        (changed("depths: [1, 2]", "depths: [0, 2]"), "stage body needs `depths`, different"),
        (changed("depths: [1, 2]", "depths: [1, 1000000]"), "1,000,002 nodes in all layers"),
        (changed("depths: [1, 2]", "depths: [1, 1000000000]"), "1,000,000,002 nodes in all layers"),
        (changed("depths: [1, 2]", f"depths: [{'9' * 5000}]"), "where a whole number should be"),
        (changed("depths: [1, 2]", "depths: [१]"), "'१' where a whole number should be"),
        (
            changed("depths: [1, 2]", "depths: [11]").replace(
                "head:", "body1: {layer: {kernel: [3]}, depths: [1]}\n  head:"
            ),
            "the stages body and body1 both have a node body11.kernel",
        ),
        (changed("depths: [1, 2]", "depths: [two]"), "'two' where a whole number should be"),
        (YAML + "edges: {}", "`edges` needs `fixed`, `free`, or both; or `inputs` alone"),
        (YAML + "edges: {fixed: chain, inputs: 1}", "or `inputs` alone"),
        (YAML + "edges: {free: all}", "all nodes must be there"),
        (YAML + "edges: {fixed: [[stem, tail]]}", "the node 'tail'; there are stem, body1.kernel"),
        (YAML + "edges: {fixed: [[head, stem]]}", "head > stem does not lead to a later node"),
        (YAML + "edges: {fixed: [[stem]]}", "has 1 nodes"),
        (YAML + "edges: {fixed: [[stem, head], [stem, head]]}", "is given twice"),
        (YAML + "edges: {inputs: -1}", "'-1' where a whole number should be"),
        (changed(":starts_with_no_5", ""), "'my_rules.py' is no rule"),
        (changed(":starts_with_no_5", ":number"), "defines no function 'number'"),
        (changed("my_rules.py", "other.py"), "no file"),
        (changed(":starts_with_no_5", ":fails"), "the rule fails failed: KeyError: 'tail'"),
        (changed(":starts_with_no_5", ":undecided"), "returned None; a rule returns True or False"),
    ],
)
def test_a_mistake_in_a_file_is_named(
    yaml_file: str, run_main: RunCli, content: str, message: str
) -> None:
    Path(yaml_file).write_text(content)
    assert_fails(run_main("info", "mine.yaml"), 2, message)


def test_a_missing_file_and_one_that_is_no_text_are_named(run_main: RunCli, tmp_path: Path) -> None:
    assert_fails(run_main("info", "missing.yaml"), 2, "no file missing.yaml")
    (tmp_path / "latin.yml").write_bytes(b"name: \xff")
    assert_fails(run_main("info", "latin.yml"), 2, "latin.yml is no YAML file")
    (tmp_path / "folder.yaml").mkdir()
    assert_fails(run_main("info", "folder.yaml"), 1, "cannot read folder.yaml")


def test_too_many_ways_to_choose_inputs_are_refused() -> None:
    nodes = {f"node{number}": ["a"] for number in range(20)}
    with pytest.raises(DiffusionNAGError, match="ways to choose 6 inputs among 18 nodes"):
        Declaration("wide-of-the-tests", nodes, Edges(inputs=6))
