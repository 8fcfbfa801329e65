"""Every picture of the house: data first, then a matplotlib figure, and a small curve for the terminal.

    from tinyllm import viz

    fig = viz.draw_loss(viz.LossCurve(steps=[0, 1, 2], train=[4.2, 3.1, 2.9]))
    viz.save(fig, "loss.png")

A picture is a dataclass that holds plain numbers and strings, and a function that draws it. Nothing here knows a model,
and matplotlib is loaded by the first picture, not by this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attention import AttentionMaps, draw_attention
    from .compression import Compression, draw_compression
    from .dependency import Feeds, draw_dependencies
    from .explorer import attention_page
    from .gradient import GradientErrors, draw_gradient_check
    from .graph import Edge, Graph, Node, draw_graph
    from .loss import LossCurve, draw_loss
    from .merges import Merge, MergeTrace, merges_page, staircase
    from .merges_figure import draw_merges
    from .style import save
    from .terminal import curve, sparkline
    from .tokens import TokenText, tokens_page
    from .tokens_figure import draw_tokens
    from .walk import QueryWalk, draw_walk

_HOMES = {
    "AttentionMaps": "attention",
    "Compression": "compression",
    "Edge": "graph",
    "Feeds": "dependency",
    "GradientErrors": "gradient",
    "Graph": "graph",
    "LossCurve": "loss",
    "Merge": "merges",
    "MergeTrace": "merges",
    "Node": "graph",
    "QueryWalk": "walk",
    "TokenText": "tokens",
    "attention_page": "explorer",
    "curve": "terminal",
    "draw_attention": "attention",
    "draw_compression": "compression",
    "draw_dependencies": "dependency",
    "draw_gradient_check": "gradient",
    "draw_graph": "graph",
    "draw_loss": "loss",
    "draw_merges": "merges_figure",
    "draw_tokens": "tokens_figure",
    "draw_walk": "walk",
    "merges_page": "merges",
    "save": "style",
    "sparkline": "terminal",
    "staircase": "merges",
    "tokens_page": "tokens",
}

__all__ = [
    "AttentionMaps",
    "Compression",
    "Edge",
    "Feeds",
    "GradientErrors",
    "Graph",
    "LossCurve",
    "Merge",
    "MergeTrace",
    "Node",
    "QueryWalk",
    "TokenText",
    "attention_page",
    "curve",
    "draw_attention",
    "draw_compression",
    "draw_dependencies",
    "draw_gradient_check",
    "draw_graph",
    "draw_loss",
    "draw_merges",
    "draw_tokens",
    "draw_walk",
    "merges_page",
    "save",
    "sparkline",
    "staircase",
    "tokens_page",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.viz' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
