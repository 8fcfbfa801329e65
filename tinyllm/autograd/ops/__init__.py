"""The ops: importing this package declares them all."""

from . import elementwise

__all__ = ["elementwise"]
