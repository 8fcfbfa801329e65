"""Constrained decoding: tokens that could not lead to a wanted form get no chance to be drawn.

regular.py       regular languages by derivatives: what may still come, after these bytes?
pattern.py       a regular expression, read
schema.py        a JSON schema as a regular language
constraint.py    bytes become tokens: which of a vocabulary may come next
"""

from __future__ import annotations

from .form import Form, following, matching

__all__ = ["Form", "following", "matching"]
