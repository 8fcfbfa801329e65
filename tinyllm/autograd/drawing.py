"""A graph as data, as text, and as DOT; ``viz.graph`` draws the same data with matplotlib."""

from __future__ import annotations

from dataclasses import dataclass

from .graph import toposort
from .tensor import Tensor


@dataclass(frozen=True)
class GraphNode:
    """A leaf or an op: its number in the graph, its name, and the shape of its (first) result."""

    number: int
    name: str
    shape: tuple[int, ...]
    kind: str  # "leaf" or "op"
    inputs: tuple[int, ...] = ()  # numbers of the nodes it reads, in the order of its arguments


def graph_nodes(root: Tensor, names: dict[str, Tensor] | None = None) -> list[GraphNode]:
    """List the nodes that ``root`` depends on, each after the nodes it reads; constants are left out.

    Args:
        root: a Tensor with a live graph.
        names: what to call leaves: ``{"x": x, "w": w}``; others are called ``leaf``.

    Example:
        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> [node.name for node in graph_nodes((x * x).exp(), {"x": x})]
        ['x', 'mul', 'exp']
    """
    called = {id(tensor): name for name, tensor in (names or {}).items()}
    numbers: dict[int, int] = {}
    nodes: list[GraphNode] = []

    def leaf(tensor: Tensor) -> int:
        if id(tensor) not in numbers:
            numbers[id(tensor)] = len(nodes)
            nodes.append(GraphNode(len(nodes), called.get(id(tensor), "leaf"), tensor.shape, "leaf"))
        return numbers[id(tensor)]

    if root.node is None:
        leaf(root)
        return nodes
    for op in toposort(root.node):
        inputs = []
        for source in op.sources:
            if isinstance(source, tuple):
                inputs.append(numbers[id(source[0])])
            elif source is not None:
                inputs.append(leaf(source))
        numbers[id(op)] = len(nodes)
        nodes.append(GraphNode(len(nodes), op.name, op.outputs[0][0], "op", tuple(inputs)))
    return nodes


def graph_text(root: Tensor, names: dict[str, Tensor] | None = None) -> str:
    """Write the graph as a numbered list, one node a line.

    Example:
        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> print(graph_text((x * x).exp(), {"x": x}))
        %0  x                 (2,)
        %1  mul(%0, %0)       (2,)
        %2  exp(%1)           (2,)
    """
    lines = []
    for node in graph_nodes(root, names):
        call = node.name + (f"({', '.join(f'%{i}' for i in node.inputs)})" if node.kind == "op" else "")
        lines.append(f"%{node.number:<2} {call:<17} {node.shape}")
    return "\n".join(lines)


def graph_dot(root: Tensor, names: dict[str, Tensor] | None = None) -> str:
    """Write the graph in the DOT language of Graphviz: leaves as boxes, ops as ellipses, arrows forward.

    Example:
        >>> x = Tensor(1.0, requires_grad=True)
        >>> print(graph_dot(-x, {"x": x}))
        digraph {
          rankdir=LR;
          n0 [label="x\\n()", shape=box];
          n1 [label="neg\\n()", shape=ellipse];
          n0 -> n1;
        }
    """
    lines = ["digraph {", "  rankdir=LR;"]
    for node in graph_nodes(root, names):
        name = node.name.replace("\\", "\\\\").replace('"', '\\"')
        shape = "box" if node.kind == "leaf" else "ellipse"
        lines.append(f'  n{node.number} [label="{name}\\n{node.shape}", shape={shape}];')
        lines += [f"  n{i} -> n{node.number};" for i in node.inputs]
    return "\n".join([*lines, "}"])
