"""The tokenizer's kernels in Numba: text cut into pieces, pieces merged into tokens, merges learned from counts.

Their references, in plain Python, are ``tinyllm/tokenizer/split.py`` and ``tinyllm/tokenizer/bytepair.py``: read those
first. Importing this package loads nothing; importing one of its modules loads numba.
"""

from __future__ import annotations

from ..threads import prepare

prepare()  # before any module of this package imports numba: its thread pool reads the environment once
