"""Where to put the nodes of a graph: in layers, so that every edge goes down and few of them cross.

Four steps, after Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical systems" (1981):
give every node a layer, put a waypoint in each layer that a long edge passes, order the layers so that few edges cross,
and move the nodes sideways so that edges run straight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..errors import GraphError

Key = Any
_SWEEPS = 12


@dataclass(frozen=True)
class Layout:
    """Places in a plane: x grows to the right, layer 0 is on top.

    Attributes:
        places: node -> (x of its center, layer).
        routes: for each edge, in the order given, the points it goes through, from its source to its target.
        width: from the left side of the leftmost node to the right side of the rightmost one; the left side is at 0.
        depth: number of layers.
    """

    places: dict[Key, tuple[float, int]]
    routes: list[list[tuple[float, int]]]
    width: float
    depth: int


def layout(edges: Sequence[tuple[Key, Key]], widths: Mapping[Key, float], gap: float = 0.3) -> Layout:
    """Place the nodes of an acyclic graph.

    Args:
        edges: (source, target) pairs; the source goes above.
        widths: node -> how wide it is drawn; its keys are all the nodes.
        gap: free space between neighbors in a layer.

    Raises:
        GraphError: the edges form a circle.

    Example:
        >>> result = layout([("x", "mul"), ("y", "mul")], {"x": 1.0, "y": 1.0, "mul": 1.0}, gap=1.0)
        >>> result.places
        {'x': (0.5, 0), 'y': (2.5, 0), 'mul': (1.5, 1)}
    """
    level = levels(edges, widths)
    chains = _waypoints(edges, level)
    sizes = {**{point: 0.05 for chain in chains for point in chain[1:-1]}, **widths}
    links = [pair for chain in chains for pair in pairwise(chain)]
    for chain in chains:
        for depth, point in enumerate(chain, start=level[chain[0]]):
            level.setdefault(point, depth)
    rows = _ordered(level, links)
    xs = _straightened(rows, links, sizes, gap)
    left = min((xs[key] - sizes[key] / 2 for key in xs), default=0.0)
    right = max((xs[key] + sizes[key] / 2 for key in xs), default=0.0)
    return Layout(
        places={key: (round(xs[key] - left, 6), level[key]) for key in widths},
        routes=[[(round(xs[point] - left, 6), level[point]) for point in chain] for chain in chains],
        width=right - left,
        depth=len(rows),
    )


def levels(edges: Iterable[tuple[Key, Key]], nodes: Iterable[Key]) -> dict[Key, int]:
    """Give each node the layer below its lowest source; a node without sources goes right above its first user.

    Raises:
        GraphError: the edges form a circle.
    """
    below: dict[Key, list[Key]] = {key: [] for key in nodes}
    missing = dict.fromkeys(below, 0)
    for source, target in edges:
        below[source].append(target)
        missing[target] += 1
    first = [key for key, count in missing.items() if count == 0]
    level = dict.fromkeys(below, 0)
    ready = list(first)
    done = 0
    while ready:
        key = ready.pop()
        done += 1
        for target in below[key]:
            level[target] = max(level[target], level[key] + 1)
            missing[target] -= 1
            if missing[target] == 0:
                ready.append(target)
    if done < len(below):
        raise GraphError("layout: the edges form a circle", hint="a graph of values that depend on earlier ones only")
    for key in first:
        if below[key]:
            level[key] = min(level[target] for target in below[key]) - 1
    return level


def _waypoints(edges: Sequence[tuple[Key, Key]], level: Mapping[Key, int]) -> list[list[Key]]:
    """Turn each edge into a chain with one point per layer."""
    return [
        [source, *(("waypoint", i, depth) for depth in range(level[source] + 1, level[target])), target]
        for i, (source, target) in enumerate(edges)
    ]


def _ordered(level: Mapping[Key, int], links: Sequence[tuple[Key, Key]]) -> list[list[Key]]:
    """Order each layer by the mean place of its neighbors, down and up in turn; keep what crosses least."""
    rows: list[list[Key]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for key, depth in level.items():
        rows[depth].append(key)
    above: dict[Key, list[Key]] = {key: [] for key in level}
    below: dict[Key, list[Key]] = {key: [] for key in level}
    for source, target in links:
        below[source].append(target)
        above[target].append(source)
    best, fewest = [list(row) for row in rows], crossings(rows, below)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        neighbors = above if down else below
        for i in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            fixed = {key: place for place, key in enumerate(rows[i - 1 if down else i + 1])}
            own = {key: place for place, key in enumerate(rows[i])}
            rows[i].sort(key=lambda key: _mean([fixed[n] for n in neighbors[key]], own[key]))
        count = crossings(rows, below)
        if count < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def crossings(rows: Sequence[Sequence[Key]], below: Mapping[Key, Sequence[Key]]) -> int:
    """Count the pairs of links between neighboring layers that cross.

    Example:
        >>> crossings([["a", "b"], ["c", "d"]], {"a": ["d"], "b": ["c"], "c": [], "d": []})
        1
    """
    total = 0
    for upper, lower in pairwise(rows):
        place = {key: i for i, key in enumerate(lower)}
        ends = [end for key in upper for end in sorted(place[target] for target in below[key])]
        total += sum(ends[i] > ends[j] for i in range(len(ends)) for j in range(i + 1, len(ends)))
    return total


def _straightened(
    rows: Sequence[Sequence[Key]], links: Sequence[tuple[Key, Key]], sizes: Mapping[Key, float], gap: float
) -> dict[Key, float]:
    """Pull each node below its sources, then above its users, and so on, keeping the order and the gaps."""
    above: dict[Key, list[Key]] = {key: [] for row in rows for key in row}
    below: dict[Key, list[Key]] = {key: [] for row in rows for key in row}
    for source, target in links:
        above[target].append(source)
        below[source].append(target)
    xs: dict[Key, float] = {}
    for row in rows:
        xs.update(zip(row, spread([0.0] * len(row), [sizes[key] for key in row], gap), strict=True))
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 1  # the last sweep goes down: a chain hangs straight from where it begins
        near = above if down else below
        for row in rows if down else reversed(rows):
            middle = _mean([xs[key] for key in row], 0.0)  # where a node without any neighbor belongs
            own = {key: xs[key] if above[key] or below[key] else middle for key in row}
            wanted = [_mean([xs[n] for n in near[key]], own[key]) for key in row]
            xs.update(zip(row, spread(wanted, [sizes[key] for key in row], gap), strict=True))
    return xs


def spread(wanted: Sequence[float], sizes: Sequence[float], gap: float) -> list[float]:
    """Move centers as little as possible (in squares) so that neighbors keep their order and do not touch.

    Without the space that must lie between them, centers may not decrease: neighbors that would share their mean.

    Example:
        >>> spread([0.0, 0.0], [1.0, 1.0], gap=0.5)
        [-0.75, 0.75]
    """
    offsets = [0.0]
    for one, other in pairwise(sizes):
        offsets.append(offsets[-1] + (one + other) / 2 + gap)
    pools: list[tuple[float, int]] = []  # (sum, count)
    for target, offset in zip(wanted, offsets, strict=False):
        total, count = target - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    centers = [total / count for total, count in pools for _ in range(count)]
    return [center + offset for center, offset in zip(centers, offsets, strict=False)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
