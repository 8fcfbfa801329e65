"""The first stop: one neuron, its gradient by the backward pass, and the same gradient measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .stop import Stop, Tour


def visit(tour: Tour) -> None:
    """Differentiate loss = (tanh(w x + b) - target)^2 in two ways, and draw its graph."""
    import tinyllm as tl

    from ...viz import Graph, draw_graph

    x = tl.Tensor(np.float64(0.7), requires_grad=True)
    w = tl.Tensor(np.float64(-1.3), requires_grad=True)
    b = tl.Tensor(np.float64(0.4), requires_grad=True)
    names = {"x": x, "w": w, "b": b}
    steps: list[tl.Tensor] = []  # the results of the operations, in order

    def keep(y: tl.Tensor) -> tl.Tensor:
        steps.append(y.retain_grad())
        return y

    y = keep(keep(keep(keep(keep(w * x) + b).tanh()) - 0.25) ** 2)
    nodes = tl.graph_nodes(y, names)
    for line in tl.graph_text(y, names).splitlines():
        tour.screen.line(f"    {line}")
    y.backward()
    tour.screen.line()
    tour.screen.line(f"    {'':<4}{'backward pass':>18}{'measured slope':>18}")
    for i, (name, leaf) in enumerate(names.items()):
        tour.screen.line(f"    {name:<4}{leaf.grad.item():>18.12f}{_slope(_loss, [x, w, b], i):>18.12f}")
    report = tl.gradcheck(_loss, [x, w, b], names=list(names))
    tour.screen.line()
    tour.screen.paragraph(
        f"tl.gradcheck agrees to {report.error:.0e} by {report.method}, "
        "and would have rejected a gradient that is 0.1 % off."
    )
    shown = iter(steps)
    values = {str(n.number): names[n.name] if n.kind == "leaf" else next(shown) for n in nodes}
    plain = Graph.of(nodes, "loss = (tanh(w x + b) - 0.25)^2", "values are computed downwards, gradients back up")
    boxes = [replace(box, lines=_numbers(values[box.key])) for box in plain.nodes]
    fig = draw_graph(replace(plain, nodes=boxes))
    tour.screen.line(f"    picture: {tour.keep(fig, 'graph.png')}")


def _numbers(tensor: Any) -> list[str]:
    return [f"value {tensor.item():.4f}", f"gradient {tensor.grad.item():.4f}"]


def _loss(x: Any, w: Any, b: Any) -> Any:
    return ((w * x + b).tanh() - 0.25) ** 2


def _slope(loss: Callable[..., Any], leaves: list[Any], i: int, h: float = 1e-6) -> float:
    """Nudge one number up and down and look what the loss does."""
    import tinyllm as tl

    values = [leaf.data for leaf in leaves]
    up, down = ([v + sign * h * (k == i) for k, v in enumerate(values)] for sign in (1, -1))
    with tl.no_grad():
        return float((loss(*map(tl.Tensor, up)).item() - loss(*map(tl.Tensor, down)).item()) / (2 * h))


STOP = Stop(
    "slope",
    "A slope you can trust",
    "A graph of five operations; its gradient comes from the backward pass, and once more from nudging each number.",
    visit,
)
