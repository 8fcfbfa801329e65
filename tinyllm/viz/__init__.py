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
    from .cache_cost import CacheCost, cache_panel
    from .compression import Compression, draw_compression
    from .dependency import Feeds, draw_dependencies
    from .dependency_page import dependency_page
    from .descent import Descent, descent_lines, draw_descent
    from .distributions import Distributions, distribution_lines, draw_distributions
    from .explorer import attention_page, attention_panel
    from .flow import FlowMap, draw_flow, flow_lines
    from .forest import Forest, draw_forest, forest_lines
    from .gradient import GradientErrors, draw_gradient_check
    from .graph import Edge, Graph, Node, draw_graph
    from .heads import HeadTables, draw_heads, heads_lines
    from .ladder import Ladder, draw_ladder
    from .lens import LensTable, draw_lens, lens_lines
    from .lens_page import LensWords, lens_panel
    from .loss import LossCurve, draw_loss
    from .merges import Merge, MergeTrace, merges_page, staircase
    from .merges_figure import draw_merges
    from .next_tokens import NextTokens, sampling_panel
    from .overfit import OverfitCurve, draw_overfit, overfit_lines
    from .panel import Panel, panels_page
    from .retrieval import RetrievalLadder, draw_retrieval_ladder, retrieval_ladder_lines
    from .scatter import Scatter, draw_scatter, scatter_lines
    from .scatter_page import TokenMap, map_panel
    from .scorecard import Scorecard, draw_scorecard
    from .stack import StackMap, Stage, draw_stack, stack_lines, stack_page
    from .steps import StepErrors, draw_step_errors
    from .style import save
    from .terminal import curve, sparkline
    from .tokens import TokenText, tokens_page
    from .tokens_figure import draw_tokens
    from .units import UnitMap, draw_units, units_lines
    from .updates import UpdateMap, draw_updates, updates_lines
    from .walk import QueryWalk, draw_walk

_HOMES = {
    "AttentionMaps": "attention",
    "Beside": "beside",
    "Bigram": "bigram",
    "CacheCost": "cache_cost",
    "Compression": "compression",
    "Descent": "descent",
    "Distributions": "distributions",
    "Edge": "graph",
    "Feeds": "dependency",
    "FlowMap": "flow",
    "Forest": "forest",
    "GradientErrors": "gradient",
    "Graph": "graph",
    "HeadTables": "heads",
    "Ladder": "ladder",
    "LensTable": "lens",
    "LensWords": "lens_page",
    "LossCurve": "loss",
    "Merge": "merges",
    "MergeTrace": "merges",
    "NextTokens": "next_tokens",
    "Node": "graph",
    "OverfitCurve": "overfit",
    "Panel": "panel",
    "QueryWalk": "walk",
    "RetrievalLadder": "retrieval",
    "Scatter": "scatter",
    "Scorecard": "scorecard",
    "StackMap": "stack",
    "Stage": "stack",
    "StepErrors": "steps",
    "TokenMap": "scatter_page",
    "TokenText": "tokens",
    "UnitMap": "units",
    "UpdateMap": "updates",
    "attention_page": "explorer",
    "attention_panel": "explorer",
    "cache_panel": "cache_cost",
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
    "draw_flow": "flow",
    "draw_forest": "forest",
    "draw_gradient_check": "gradient",
    "draw_graph": "graph",
    "draw_heads": "heads",
    "draw_ladder": "ladder",
    "draw_lens": "lens",
    "draw_loss": "loss",
    "draw_merges": "merges_figure",
    "draw_overfit": "overfit",
    "draw_retrieval_ladder": "retrieval",
    "draw_scatter": "scatter",
    "draw_scorecard": "scorecard",
    "draw_stack": "stack",
    "draw_step_errors": "steps",
    "draw_tokens": "tokens_figure",
    "draw_units": "units",
    "draw_updates": "updates",
    "draw_walk": "walk",
    "flow_lines": "flow",
    "forest_lines": "forest",
    "heads_lines": "heads",
    "lens_lines": "lens",
    "lens_panel": "lens_page",
    "map_panel": "scatter_page",
    "merges_page": "merges",
    "overfit_lines": "overfit",
    "panels_page": "panel",
    "retrieval_ladder_lines": "retrieval",
    "sampling_panel": "next_tokens",
    "save": "style",
    "scatter_lines": "scatter",
    "sparkline": "terminal",
    "stack_lines": "stack",
    "stack_page": "stack",
    "staircase": "merges",
    "tokens_page": "tokens",
    "units_lines": "units",
    "updates_lines": "updates",
}

__all__ = [
    "AttentionMaps",
    "Beside",
    "Bigram",
    "CacheCost",
    "Compression",
    "Descent",
    "Distributions",
    "Edge",
    "Feeds",
    "FlowMap",
    "Forest",
    "GradientErrors",
    "Graph",
    "HeadTables",
    "Ladder",
    "LensTable",
    "LensWords",
    "LossCurve",
    "Merge",
    "MergeTrace",
    "NextTokens",
    "Node",
    "OverfitCurve",
    "Panel",
    "QueryWalk",
    "RetrievalLadder",
    "Scatter",
    "Scorecard",
    "StackMap",
    "Stage",
    "StepErrors",
    "TokenMap",
    "TokenText",
    "UnitMap",
    "UpdateMap",
    "attention_page",
    "attention_panel",
    "cache_panel",
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
    "draw_flow",
    "draw_forest",
    "draw_gradient_check",
    "draw_graph",
    "draw_heads",
    "draw_ladder",
    "draw_lens",
    "draw_loss",
    "draw_merges",
    "draw_overfit",
    "draw_retrieval_ladder",
    "draw_scatter",
    "draw_scorecard",
    "draw_stack",
    "draw_step_errors",
    "draw_tokens",
    "draw_units",
    "draw_updates",
    "draw_walk",
    "flow_lines",
    "forest_lines",
    "heads_lines",
    "lens_lines",
    "lens_panel",
    "map_panel",
    "merges_page",
    "overfit_lines",
    "panels_page",
    "retrieval_ladder_lines",
    "sampling_panel",
    "save",
    "scatter_lines",
    "sparkline",
    "stack_lines",
    "stack_page",
    "staircase",
    "tokens_page",
    "units_lines",
    "updates_lines",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.viz' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
