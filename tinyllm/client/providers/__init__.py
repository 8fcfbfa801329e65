"""One file a wire format: a call becomes a request, and the bytes of the reply become deltas."""

from __future__ import annotations
