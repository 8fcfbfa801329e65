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
    from .beside import Beside, draw_beside
    from .bigram import Bigram, draw_bigram
    from .compression import Compression, draw_compression
    from .dependency import Feeds, draw_dependencies
    from .dependency_page import dependency_page
    from .descent import Descent, descent_lines, draw_descent
    from .distributions import Distributions, distribution_lines, draw_distributions
    from .explorer import attention_page
    from .gradient import GradientErrors, draw_gradient_check
    from .graph import Edge, Graph, Node, draw_graph
    from .heads import HeadTables, draw_heads, heads_lines
    from .ladder import Ladder, draw_ladder
    from .lens import LensTable, draw_lens, lens_lines
    from .loss import LossCurve, draw_loss
    from .merges import Merge, MergeTrace, merges_page, staircase
    from .merges_figure import draw_merges
    from .scatter import Scatter, draw_scatter, scatter_lines
    from .scorecard import Scorecard, draw_scorecard
    from .stack import StackMap, Stage, draw_stack, stack_lines, stack_page
    from .steps import StepErrors, draw_step_errors
    from .style import save
    from .terminal import curve, sparkline
    from .tokens import TokenText, tokens_page
    from .tokens_figure import draw_tokens
    from .walk import QueryWalk, draw_walk

_HOMES = {
    "AttentionMaps": "attention",
    "Beside": "beside",
    "Bigram": "bigram",
    "Compression": "compression",
    "Descent": "descent",
    "Distributions": "distributions",
    "Edge": "graph",
    "Feeds": "dependency",
    "GradientErrors": "gradient",
    "Graph": "graph",
    "HeadTables": "heads",
    "Ladder": "ladder",
    "LensTable": "lens",
    "LossCurve": "loss",
    "Merge": "merges",
    "MergeTrace": "merges",
    "Node": "graph",
    "QueryWalk": "walk",
    "Scatter": "scatter",
    "Scorecard": "scorecard",
    "StackMap": "stack",
    "Stage": "stack",
    "StepErrors": "steps",
    "TokenText": "tokens",
    "attention_page": "explorer",
    "curve": "terminal",
    "dependency_page": "dependency_page",
    "descent_lines": "descent",
    "distribution_lines": "distributions",
    "draw_attention": "attention",
    "draw_beside": "beside",
    "draw_bigram": "bigram",
    "draw_compression": "compression",
    "draw_dependencies": "dependency",
    "draw_descent": "descent",
    "draw_distributions": "distributions",
    "draw_gradient_check": "gradient",
    "draw_graph": "graph",
    "draw_heads": "heads",
    "draw_ladder": "ladder",
    "draw_lens": "lens",
    "draw_loss": "loss",
    "draw_merges": "merges_figure",
    "draw_scatter": "scatter",
    "draw_scorecard": "scorecard",
    "draw_stack": "stack",
    "draw_step_errors": "steps",
    "draw_tokens": "tokens_figure",
    "draw_walk": "walk",
    "heads_lines": "heads",
    "lens_lines": "lens",
    "merges_page": "merges",
    "save": "style",
    "scatter_lines": "scatter",
    "sparkline": "terminal",
    "stack_lines": "stack",
    "stack_page": "stack",
    "staircase": "merges",
    "tokens_page": "tokens",
}

__all__ = [
    "AttentionMaps",
    "Beside",
    "Bigram",
    "Compression",
    "Descent",
    "Distributions",
    "Edge",
    "Feeds",
    "GradientErrors",
    "Graph",
    "HeadTables",
    "Ladder",
    "LensTable",
    "LossCurve",
    "Merge",
    "MergeTrace",
    "Node",
    "QueryWalk",
    "Scatter",
    "Scorecard",
    "StackMap",
    "Stage",
    "StepErrors",
    "TokenText",
    "attention_page",
    "curve",
    "dependency_page",
    "descent_lines",
    "distribution_lines",
    "draw_attention",
    "draw_beside",
    "draw_bigram",
    "draw_compression",
    "draw_dependencies",
    "draw_descent",
    "draw_distributions",
    "draw_gradient_check",
    "draw_graph",
    "draw_heads",
    "draw_ladder",
    "draw_lens",
    "draw_loss",
    "draw_merges",
    "draw_scatter",
    "draw_scorecard",
    "draw_stack",
    "draw_step_errors",
    "draw_tokens",
    "draw_walk",
    "heads_lines",
    "lens_lines",
    "merges_page",
    "save",
    "scatter_lines",
    "sparkline",
    "stack_lines",
    "stack_page",
    "staircase",
    "tokens_page",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.viz' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
