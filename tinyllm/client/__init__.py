"""One function for any model: the same messages in, the same deltas out, whoever answers; standard library alone."""

from __future__ import annotations
