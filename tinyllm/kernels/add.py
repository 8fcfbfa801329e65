r"""Adding arrays of one shape: where a block joins the residual stream, and where gradients of one value meet."""

from __future__ import annotations

from .table import Array, kernel


@kernel
def add(x: Array, y: Array) -> Array:
    r"""Return x + y.

    Example:
        >>> import numpy as np
        >>> add(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
        array([4., 6.])
    """
    return x + y


@kernel
def add_to(x: Array, y: Array) -> None:
    r"""Add y to x in place.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0])
        >>> add_to(x, np.array([3.0, 4.0]))
        >>> x
        array([4., 6.])
    """
    x += y
