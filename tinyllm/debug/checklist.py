"""Everything one looks at when a model does not learn, in the order in which it pays to look.

batch       do the targets follow their inputs?        units       do the hidden units take part?
start       is the loss ln V before the first step?    updates     how far does a step move the weights?
future      can a later token be seen?                 gradients   are they fresh at each step?
rows        can another row be seen?                   overfit     can one batch be learned by heart?
flow        does the gradient reach every layer?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..models import GPT
from . import batch, causality, dead, flow, fresh, initial, overfit, updates
from .finding import STATES, Finding
from .trial import Make, Step, Told, adamw, plain_step, refuse_bad_batch

CHECKS = ("batch", "start", "influence", "flow", "units", "updates", "gradients", "overfit")
_ROWS, _LENGTH = 4, 64  # of the batch that is learned by heart


@dataclass(frozen=True)
class Looked:
    """One check, done.

    Attributes:
        name: one of CHECKS.
        findings: what it has to say.
        data: what it measured, the dataclass of that check; None where it could not be done.
    """

    name: str
    findings: tuple[Finding, ...]
    data: Any


@dataclass(frozen=True)
class Checklist:
    """All checks, done.

    Attributes:
        looked: in their order.
    """

    looked: tuple[Looked, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What all checks have to say."""
        return tuple(finding for one in self.looked for finding in one.findings)

    @property
    def worst(self) -> str:
        """The worst state of all findings: "ok", "note" or "fix"."""
        return max((finding.state for finding in self.findings), key=STATES.index, default="ok")

    def data(self, name: str) -> Any:
        """Return what the check of this name measured."""
        return next((one.data for one in self.looked if one.name == name), None)


def run_checklist(
    model: GPT,
    x: Any,
    y: Any,
    lr: float = 1e-3,
    make: Make | None = None,
    step: Step = plain_step,
    untrained: GPT | None = None,
    steps: int = 20,
    overfit_steps: int = 200,
    told: Told | None = None,
) -> Checklist:
    """Run every check on a model and a batch, each on a copy.

    Args:
        model: a GPT or Llama, trained or not; it stays as it is.
        x, y: token ids and the ones that come next (B, T).
        lr: learning rate of the AdamW that is made where ``make`` is not given.
        make: makes the optimizer of your training for a model.
        step: makes one update as your training does, with the signature of ``plain_step``.
        untrained: the model as it was before training, for its loss at the start; ``model`` itself if not given.
        steps: how many to watch the updates for.
        overfit_steps: how many the batch may take to be learned; its first 4 rows of 64 tokens are taken.
        told: is told how far it is.

    Raises:
        ShapeError, DataError: the batch cannot be used.

    Example:
        >>> import numpy as np
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=2, n_head=1, n_embd=8)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> run_checklist(model, [[1, 2, 3]], [[2, 3, 4]], lr=1e-2).worst
        'ok'
        >>> model.blocks[0].attn.causal = False
        >>> found = run_checklist(model, [[1, 2, 3]], [[2, 3, 4]], lr=1e-2)
        >>> [finding.check for finding in found.findings if finding.bad]
        ['future']
    """
    return Checklist(tuple(checks(model, x, y, lr, make, step, untrained, steps, overfit_steps, told)))


def checks(
    model: GPT,
    x: Any,
    y: Any,
    lr: float = 1e-3,
    make: Make | None = None,
    step: Step = plain_step,
    untrained: GPT | None = None,
    steps: int = 20,
    overfit_steps: int = 200,
    told: Told | None = None,
) -> Iterator[Looked]:
    """Yield the checks of ``run_checklist`` as they are done; parameters as there."""
    x, y = refuse_bad_batch("checklist", model, x, y)
    few = x[:_ROWS, :_LENGTH], y[:_ROWS, :_LENGTH]
    make = make or adamw(lr)
    looks: dict[str, Callable[[], Any]] = {
        "batch": lambda: batch.batch_facts(model, x, y),
        "start": lambda: initial.start_of(model if untrained is None else untrained, x, y),
        "influence": lambda: causality.influence(model, x),
        "flow": lambda: flow.gradient_flow(model, x, y),
        "units": lambda: dead.dead_units(model, x),
        "updates": lambda: updates.update_ratios(model, x, y, steps, make=make, step=step, told=told),
        "gradients": lambda: fresh.fresh_gradients(model, x, y, make, step),
        "overfit": lambda: overfit.overfit_batch(model, *few, overfit_steps, told=told),
    }
    for i, name in enumerate(CHECKS):
        if told:
            told(f"checking {name}", i, len(CHECKS))
        yield _safely(name, looks[name])


def _safely(name: str, look: Callable[[], Any]) -> Looked:
    """A model that breaks under a check is itself a finding, and no reason not to look further."""
    try:
        data = look()
        return Looked(name, data.findings(), data)
    except Exception as error:
        seen = f"it broke: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        return Looked(name, (Finding(name, "fix", seen, "the model runs", "mend this first"),), None)
