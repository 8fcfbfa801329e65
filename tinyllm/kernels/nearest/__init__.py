"""The kernels of nearest-neighbor search in Numba: the best k of many, products with a query, clusters, and graphs.

Their twins in NumPy are topk.py, dot_topk.py, kmeans.py and graph.py one folder up: read those first. Importing this
package loads nothing; importing one of its modules loads numba.
"""

from __future__ import annotations

from ..threads import prepare

prepare()  # before any module of this package imports numba: its thread pool reads the environment once
