"""The edges of a declared space, and the nodes that decide on those that vary."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from diffusionnag.spaces.architecture import Edge
from diffusionnag.spaces.declared.declaration import Declaration, Link

PRESENT, MISSING = "edge", "no_edge"


@dataclass(frozen=True)
class DeclaredWiring:
    """What decides which edges there are."""

    conditions: dict[Edge, dict[str, list[str]]]
    """Each edge that there may be, with the operations of wiring nodes on which it depends."""
    wiring_nodes: dict[str, tuple[str, ...]]
    """The operations of each wiring node."""
    open_ends: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Wiring nodes one of which must say that its edge is there, and what is wrong if none does."""

    @classmethod
    def of(cls, declaration: Declaration) -> DeclaredWiring:
        """Return the wiring that a declaration's edges ask for."""
        names = list(declaration.operations_by_node)
        if declaration.edges.inputs:
            return _wiring_of_inputs(names, declaration.edges.inputs)
        fixed, free = declaration.fixed_links, declaration.free_links
        conditions: dict[Link, dict[str, list[str]]] = {link: {} for link in fixed}
        conditions |= {link: {_switch(link): [PRESENT]} for link in free}
        return cls(
            {
                (names.index(source), names.index(target)): of
                for (source, target), of in conditions.items()
            },
            {_switch(link): (PRESENT, MISSING) for link in free},
            tuple(_open_ends(names, fixed, free)),
        )


def _switch(link: Link) -> str:
    return ">".join(link)


def _open_ends(
    names: Sequence[str], fixed: Sequence[Link], free: Sequence[Link]
) -> list[tuple[tuple[str, ...], str]]:
    ends = []
    for end, fault in ((1, "has no input"), (0, "leads nowhere")):
        certain = {link[end] for link in fixed}
        for name in names:
            switches = tuple(_switch(link) for link in free if link[end] == name)
            if switches and name not in certain:
                ends.append((switches, f"{name} {fault}"))
    return ends


def _wiring_of_inputs(names: Sequence[str], inputs: int) -> DeclaredWiring:
    conditions: dict[Edge, dict[str, list[str]]] = {}
    ways: dict[str, list[tuple[str, ...]]] = {}
    last = len(names) - 1
    for target in range(1, last):
        if target <= inputs:
            conditions |= {(source, target): {} for source in range(target)}
            continue
        chooser = _chooser(names[target])
        ways[chooser] = list(itertools.combinations(names[:target], inputs))
        for source in range(target):
            taking = ["+".join(way) for way in ways[chooser] if names[source] in way]
            conditions[source, target] = {chooser: taking}
    # What feeds no other node for certain feeds the last one, if no other takes it.
    for source in range(min(inputs, last - 1), last):
        later = [_chooser(names[target]) for target in range(max(source, inputs) + 1, last)]
        conditions[source, last] = {
            chooser: ["+".join(way) for way in ways[chooser] if names[source] not in way]
            for chooser in later
        }
    joined = {chooser: tuple(map("+".join, chosen)) for chooser, chosen in ways.items()}
    return DeclaredWiring(conditions, joined)


def _chooser(name: str) -> str:
    return f"inputs of {name}"
