"""Looking into a model: what its layers say, what its heads do, and what its vectors look like in two dimensions.

    from tinyllm import interpret

    lens = interpret.logit_lens(model, ids)              # what each layer would say, if it were the last
    found = interpret.head_importance(model, idx, targets)
    points = interpret.tsne(model.wte.weight.data).points

All of it returns plain arrays, which ``tinyllm.viz`` draws. Attention maps are the model's own:
``model.attention_maps(idx)``.
"""

from __future__ import annotations

from .embedding import analogy, nearest_tokens
from .habits import Habits, head_habits, induction_scores, repeated_tokens
from .handmade import induction_gpt
from .heads import HeadImportance, ablation, gate_slopes, gated, head_importance
from .lens import Lens, logit_lens
from .neighbors import nearest, neighbor_recall, squared_distances
from .pca import PCA, pca
from .still import still
from .temperature import Effect, effect, tempered
from .tsne import TSNE, tsne
from .tsne_gradient import tsne_grad, tsne_loss, tsne_objective
from .tsne_neighbors import tsne_p
from .umap import UMAP, umap
from .umap_graph import local_scales, umap_graph

__all__ = [
    "PCA",
    "TSNE",
    "UMAP",
    "Effect",
    "Habits",
    "HeadImportance",
    "Lens",
    "ablation",
    "analogy",
    "effect",
    "gate_slopes",
    "gated",
    "head_habits",
    "head_importance",
    "induction_gpt",
    "induction_scores",
    "local_scales",
    "logit_lens",
    "nearest",
    "nearest_tokens",
    "neighbor_recall",
    "pca",
    "repeated_tokens",
    "squared_distances",
    "still",
    "tempered",
    "tsne",
    "tsne_grad",
    "tsne_loss",
    "tsne_objective",
    "tsne_p",
    "umap",
    "umap_graph",
]
