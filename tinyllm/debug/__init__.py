"""What one does when a model does not learn: a checklist, each item of it a function that returns what it measured.

from tinyllm import debug

found = debug.run_checklist(model, x, y, lr=1e-3)
for finding in found.findings:
    ...  # finding.state, finding.seen, finding.usual, finding.advice

Every check works on a copy: the model that is looked at stays as it is, to the last bit.
"""

from __future__ import annotations

from ..bootstrap import Interval, bca, percentile
from .ablation import Ablation, Arm, ablate, trained
from .batch import BatchFacts, batch_facts
from .causality import Influence, influence
from .checklist import Checklist, Looked, checks, run_checklist
from .dead import DeadUnits, LayerUnits, dead_units
from .finding import Finding
from .flow import GradientFlow, ParameterGradient, gradient_flow
from .fresh import FreshGradients, fresh_gradients
from .initial import Start, start_of
from .overfit import Overfit, lowest_loss, overfit_batch
from .trial import adamw, copy_of, plain_step
from .updates import UpdateRatios, update_ratios

__all__ = [
    "Ablation",
    "Arm",
    "BatchFacts",
    "Checklist",
    "DeadUnits",
    "Finding",
    "FreshGradients",
    "GradientFlow",
    "Influence",
    "Interval",
    "LayerUnits",
    "Looked",
    "Overfit",
    "ParameterGradient",
    "Start",
    "UpdateRatios",
    "ablate",
    "adamw",
    "batch_facts",
    "bca",
    "checks",
    "copy_of",
    "dead_units",
    "fresh_gradients",
    "gradient_flow",
    "influence",
    "lowest_loss",
    "overfit_batch",
    "percentile",
    "plain_step",
    "run_checklist",
    "start_of",
    "trained",
    "update_ratios",
]
