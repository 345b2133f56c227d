"""Changes of one node or two that promise most, by the gradients at an architecture."""

from __future__ import annotations

import numpy as np

from diffusionnag.generation._objective import Objective, Pool, value_of

PAIRED = 48
"""Single changes, of each parent, that are joined to pairs."""
SAFETY = (0.0, 0.03, 0.1, 0.3)
"""Standardised; room that moves must leave within every limit, for a share of the moves each.

The best by an estimate are those whose room is overestimated most.
"""
HOPELESS = -1e30
"""The effect of a change that leads to no architecture."""


def promising_moves(pool: Pool[Objective], parents: np.ndarray, moves: int) -> np.ndarray:
    """Return what the best `moves` make of each parent, `rows x N` indices, valid or not.

    `parents` are rows of the pool. What a move does to the score, and to the room within each
    limit, is added up from the gradients at the parent: so one change may pay for another.
    """
    space = pool.objective.space
    operations = pool.operations[parents].astype(np.int64)
    node, name = np.nonzero(space.allowed & (space.allowed.sum(1) > 1)[:, None])
    effect = _effects(pool, operations, node, name)
    chosen = _most_promising(effect, min(PAIRED, len(node)))
    effect = np.take_along_axis(effect, chosen[:, None], axis=2)
    # A last change that changes nothing makes single changes of pairs.
    effect = np.pad(effect, ((0, 0), (0, 0), (0, 1)))
    changed = np.pad(node[chosen], ((0, 0), (0, 1)), constant_values=-1)
    changed_to = np.pad(name[chosen], ((0, 0), (0, 1)))

    first, second = np.triu_indices(effect.shape[2], k=1)
    joint = effect[:, :, first] + effect[:, :, second]
    score = pool.score[parents, None] + joint[:, 0]
    room = pool.room[parents, :, None] + joint[:, 1:]
    hopeless = (score < HOPELESS / 2) | (changed[:, first] == changed[:, second])
    safeties = SAFETY if room.shape[1] else SAFETY[:1]
    share = min(-(-moves // len(safeties)), len(first))
    made = []
    for safety in safeties:
        value = np.where(hopeless, -np.inf, value_of(score, (safety - room).clip(0).sum(1)))
        best = np.argpartition(-value, share - 1, axis=1)[:, :share]
        rows = np.repeat(operations, share, axis=0)
        for pair in (first[best], second[best]):
            where = np.take_along_axis(changed, pair, axis=1).ravel()
            to = np.take_along_axis(changed_to, pair, axis=1).ravel()
            there = np.flatnonzero(where >= 0)
            rows[there, where[there]] = to[there]
        made.append(rows[np.isfinite(np.take_along_axis(value, best, axis=1)).ravel()])
    return np.concatenate(made)


def _effects(
    pool: Pool[Objective], operations: np.ndarray, node: np.ndarray, name: np.ndarray
) -> np.ndarray:
    """Return what each change to a `name` at a `node` does, `parents x (1 + limits) x changes`."""
    space = pool.objective.space
    slopes = pool.objective.slopes(operations)
    here = np.take_along_axis(slopes, operations[:, None, :, None], axis=3)
    hopeless = operations[:, node] == name
    if space.has_rule:
        made = np.repeat(operations[:, None], len(node), axis=1)
        made[:, np.arange(len(node)), node] = name
        kept = space.obeys_rule(made.reshape(-1, operations.shape[1]))
        hopeless |= ~kept.reshape(hopeless.shape)
    return np.where(hopeless[:, None], HOPELESS, (slopes - here)[:, :, node, name])


def _most_promising(effect: np.ndarray, count: int) -> np.ndarray:
    """Return the changes that raise the score, or the room within a limit, most, `parents x count`."""
    ranks = np.argsort(np.argsort(-effect, axis=2), axis=2).min(1)
    return np.argsort(ranks, axis=1, kind="stable")[:, :count]
