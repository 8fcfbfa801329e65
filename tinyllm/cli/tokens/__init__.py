"""``tinyllm tokens``: how a text is cut into tokens; ``tokens train`` and ``tokens compress`` lie beside it."""

from .show import EXAMPLES, add_arguments, run

__all__ = ["EXAMPLES", "add_arguments", "run"]
