"""Checking that the parts of a search space fit together, before anything is built on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.search_space import SearchSpace


def check_parts(space: type[SearchSpace]) -> None:
    """Raise DiffusionNAGError, saying what is wrong, unless a space's parts fit together."""
    label = f"the search space {space.__name__}"
    if not isinstance(getattr(space, "name", None), str):
        raise DiffusionNAGError(f"{label} has no `name`; give it one, a string")
    for part in ("nodes", "operations", "edges"):
        value = getattr(space, part, None)
        if not isinstance(value, tuple) or not value:
            raise DiffusionNAGError(f"{label} needs `{part}`, a tuple with at least one entry")
        if len(set(value)) < len(value):
            raise DiffusionNAGError(f"{label} has an entry twice in `{part}`")
    for edge in space.edges:
        if not isinstance(edge, tuple) or len(edge) != 2:
            raise DiffusionNAGError(f"{label} has the edge {edge!r}; an edge is a pair (i, j)")
        source, target = edge
        if not 0 <= source < target < len(space.nodes):
            raise DiffusionNAGError(
                f"{label} has the edge ({source}, {target}); an edge (i, j) leads from a node to a "
                f"later one, 0 <= i < j < {len(space.nodes)}"
            )
    with _asking_for("__init__", label):
        made = space()
    with _asking_for("choices", label):
        choices = [list(made.choices(number)) for number in range(len(space.nodes))]
    for node, allowed in zip(space.nodes, choices, strict=True):
        unknown = [choice for choice in allowed if choice not in space.operations]
        if unknown or not allowed:
            wrong = f"the unknown {unknown[0]!r}" if unknown else "nothing"
            raise DiffusionNAGError(f"{label} allows {wrong} at node {node}; see its `choices`")
    with _asking_for("edge_condition", label):
        conditions = {
            (source, target): {
                node: list(names) for node, names in made.edge_condition(source, target).items()
            }
            for source, target in space.edges
        }
    for (source, target), condition in conditions.items():
        for node, names in condition.items():
            unknown = [name for name in names if name not in space.operations]
            if node not in space.nodes or unknown:
                missing = f"operation {unknown[0]!r}" if unknown else f"node {node!r}"
                raise DiffusionNAGError(
                    f"{label} has the edge ({source}, {target}) depend on an unknown {missing}; see "
                    "its `edge_condition`"
                )
    with _asking_for("rule", label):
        made.rule([allowed[0] for allowed in choices])


@contextmanager
def _asking_for(part: str, label: str) -> Iterator[None]:
    """Raise DiffusionNAGError where a part of a space, which is a user's own code, fails."""
    try:
        yield
    except Exception as error:  # whatever that code raises
        reason = f"{type(error).__name__}: {error}"
        raise DiffusionNAGError(f"`{part}` of {label} failed: {reason}") from error
