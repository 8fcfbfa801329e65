"""The engine: Op (one declaration per operation), Tensor, and the backward pass that joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import ops
from .drawing import GraphNode, graph_dot, graph_nodes, graph_text
from .functions import publish
from .gradcheck import gradcheck
from .hvp import hvp
from .modes import detect_anomaly, enable_grad, no_grad
from .op import OPS, Op
from .recompute import checkpoint
from .sugar import SUGAR
from .tensor import Tensor

publish(globals())
globals().update(SUGAR)

__all__ = [
    "OPS",
    "GraphNode",
    "Op",
    "Tensor",
    "checkpoint",
    "detect_anomaly",
    "enable_grad",
    "gradcheck",
    "graph_dot",
    "graph_nodes",
    "graph_text",
    "hvp",
    "no_grad",
    "ops",
    *OPS,
    *SUGAR,
]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
