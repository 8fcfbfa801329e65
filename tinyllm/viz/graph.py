"""The graph picture: which value was computed from which, from the inputs at the top to the result at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, PathPatch
from matplotlib.path import Path

from ..errors import ConfigError, GraphError, nearest
from .layers import layout
from .style import BLUE, GRAY, GREEN, ORANGE, WIDTH, figure, styled

# kind -> (fill, edge, shape of the corners, name in the legend): the shape says what the color says
_KINDS = {
    "input": ("#DCEBF5", BLUE, "square,pad=0", "input"),
    "op": ("#FFFFFF", GRAY, "round,pad=0,rounding_size=0.14", "operation"),
    "parameter": ("#D9F0E8", GREEN, "square,pad=0", "parameter"),
    "result": ("#FBEBCB", ORANGE, "round4,pad=0,rounding_size=0.08", "result"),
}
_LINE = 0.19  # inches from one line of text to the next
_LETTER = 0.083  # inches a letter takes
_ROOM = 0.21  # half of the free space between two layers
_MOST = 150


@dataclass(frozen=True)
class Node:
    """A box.

    Attributes:
        key: what edges call it.
        label: its first line, in bold: the name of an operation or of a value.
        lines: more lines: a shape, a value, a gradient.
        kind: "input", "parameter", "op" or "result".
    """

    key: str
    label: str
    lines: Sequence[str] = ()
    kind: str = "op"

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            close = nearest(self.kind, _KINDS)
            raise ConfigError(f"Node {self.key}: no kind {self.kind!r}", hint=close or " or ".join(_KINDS))


@dataclass(frozen=True)
class Edge:
    """An arrow from the node whose value is used to the node that uses it, with a word beside it if need be."""

    source: str
    target: str
    label: str = ""


class Numbered(Protocol):
    """A node as ``autograd.drawing.graph_nodes`` lists them: it names the numbers of the nodes that it reads."""

    number: int
    name: str
    shape: tuple[int, ...]
    kind: str
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """Boxes and arrows. The arrows may not form a circle.

    Attributes:
        nodes: the boxes.
        edges: the arrows, by the keys of the boxes.
        title: of the picture.
        subtitle: one line below the title.
    """

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    title: str = "Graph"
    subtitle: str = ""

    def __post_init__(self) -> None:
        keys = [node.key for node in self.nodes]
        if len(set(keys)) < len(keys):
            raise GraphError("Graph: two nodes have the same key")
        known = set(keys)
        for edge in self.edges:
            if unknown := {edge.source, edge.target} - known:
                raise GraphError(f"Graph: an edge names {unknown.pop()!r}, which is no node")

    @classmethod
    def of(cls, nodes: Sequence[Numbered], title: str = "Graph", subtitle: str = "") -> Graph:
        """Take over a graph that the engine listed; its last node is the result."""
        boxes = [
            Node(
                str(n.number),
                n.name,
                [str(n.shape)],
                "input" if n.kind == "leaf" else "result" if n is nodes[-1] else "op",
            )
            for n in nodes
        ]
        arrows = [Edge(str(i), str(n.number)) for n in nodes for i in n.inputs]
        return cls(boxes, arrows, title, subtitle)


@styled
def draw_graph(graph: Graph) -> Figure:
    """Draw a graph from its inputs at the top down to its result.

    Raises:
        GraphError: the edges form a circle, or there are too many nodes to read.

    Example:
        >>> nodes = [Node("x", "x", ["3.0"], "input"), Node("m", "mul", ["9.0"], "result")]
        >>> fig = draw_graph(Graph(nodes, [Edge("x", "m"), Edge("x", "m")], title="x * x"))
        >>> [text.get_text() for text in fig.axes[0].texts]
        ['x', '3.0', 'mul', '9.0']
    """
    if len(graph.nodes) > _MOST:
        raise GraphError(
            f"draw_graph: {len(graph.nodes)} nodes are more than a picture can show ({_MOST})",
            hint="draw a smaller input, or write the graph as text",
        )
    widths = {node.key: _width(node) for node in graph.nodes}
    place = layout([(edge.source, edge.target) for edge in graph.edges], widths)
    tallest = max((_height(node) for node in graph.nodes), default=0.4)
    step = tallest + 2 * _ROOM
    scale = min(1.0, (WIDTH - 0.3) / max(place.width, 1e-9))  # a graph wider than the picture is drawn smaller
    height = max(place.depth, 1) * step * scale + 0.95
    fig = figure(height, graph.title, graph.subtitle, alt=_in_words(graph))
    ax = fig.subplots()
    ax.set_axis_off()
    free = (WIDTH - 0.3) / scale
    left = (place.width - free) / 2
    ax.set_xlim(left, left + free)
    ax.set_ylim(-(max(place.depth, 1) - 0.5) * step, 0.5 * step)
    ax.set_aspect("equal")
    by_key = {node.key: node for node in graph.nodes}
    routes = zip(graph.edges, place.routes, _sides(graph.edges), strict=True)
    for edge, route, side in routes:
        _arrow(ax, edge, route, side, step, _height(by_key[edge.source]), _height(by_key[edge.target]), scale)
    for node in graph.nodes:
        x, depth = place.places[node.key]
        _box(ax, node, x, -depth * step, widths[node.key], scale)
    kinds = [kind for kind in _KINDS if any(node.kind == kind for node in graph.nodes)]
    boxes = [Patch(facecolor=_KINDS[kind][0], edgecolor=_KINDS[kind][1], label=_KINDS[kind][3]) for kind in kinds]
    if boxes:
        fig.legend(handles=boxes, loc="upper right", ncols=len(boxes), fontsize=9, borderaxespad=0.2)
    return fig


def _width(node: Node) -> float:
    return 0.24 + _LETTER * max(len(node.label) * 1.15, *(len(line) for line in node.lines), 3)


def _height(node: Node) -> float:
    return 0.16 + _LINE * (1 + len(node.lines))


def _sides(edges: Sequence[Edge]) -> list[float]:
    """Two arrows between the same boxes (x * x) are bent apart, one to each side."""
    pairs = [(edge.source, edge.target) for edge in edges]
    sides = []
    for i, pair in enumerate(pairs):
        count, before = pairs.count(pair), pairs[:i].count(pair)
        sides.append(before - (count - 1) / 2)
    return sides


def _box(ax: Axes, node: Node, x: float, y: float, width: float, scale: float) -> None:
    fill, edge, corners, _ = _KINDS[node.kind]
    height = _height(node)
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle=corners,
            facecolor=fill,
            edgecolor=edge,
            linewidth=1.4 * scale,
            zorder=2,
        )
    )
    top = y + _LINE * len(node.lines) / 2
    for i, line in enumerate([node.label, *node.lines]):
        ax.text(
            x, top - i * _LINE, line, ha="center", va="center", zorder=3, fontsize=9.5 * scale,
            fontweight="bold" if i == 0 else "normal", color="black" if i == 0 else GRAY,
        )  # fmt: skip


def _arrow(
    ax: Axes,
    edge: Edge,
    route: list[tuple[float, int]],
    side: float,
    step: float,
    above: float,
    below: float,
    scale: float,
) -> None:
    """A line that curves between the layers and runs straight down past the boxes of a layer, with a head."""
    bend = 0.24 * side
    x, depth = route[0]
    points = [(x + bend, -depth * step - above / 2)]
    codes = [int(Path.MOVETO)]
    for i, (x, depth) in enumerate(route[1:], start=1):
        last = i == len(route) - 1
        start, (x, y) = points[-1], (x + bend * last, -depth * step + (below / 2 if last else step / 2 - _ROOM))
        middle = -(depth - 0.5) * step
        points += [(start[0], middle), (x, middle), (x, y)]
        codes += [int(Path.CURVE4)] * 3
        if not last:
            points.append((x, -(depth + 0.5) * step + _ROOM))
            codes.append(int(Path.LINETO))
    x, y = points[-1]
    ax.add_patch(PathPatch(Path(points, codes), facecolor="none", edgecolor=GRAY, linewidth=1.2 * scale, zorder=1))
    ax.fill([x - 0.055, x + 0.055, x], [y + 0.11, y + 0.11, y], color=GRAY, zorder=2, linewidth=0)
    if edge.label:
        ax.text(
            x + 0.08, y + 0.2, edge.label, fontsize=8.5 * scale, color=GRAY, ha="left", va="center", zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip


def _in_words(graph: Graph) -> str:
    used = [f"{node.label} from {', '.join(_sources(graph, node))}" for node in graph.nodes if _sources(graph, node)]
    return f"Graph of {len(graph.nodes)} nodes: " + "; ".join(used[:40]) + "."


def _sources(graph: Graph, node: Node) -> list[str]:
    labels = {n.key: n.label for n in graph.nodes}
    return [labels[edge.source] for edge in graph.edges if edge.target == node.key]
