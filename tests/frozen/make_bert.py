"""Make the tiny encoder of tests/models/test_bert_frozen.py with transformers: python tests/frozen/make_bert.py

A folder as transformers saves it, every parameter moved by noise (std 0.2), and what transformers makes in float64 of a
padded batch: the vectors of all tokens, its pooler's, the texts' own, and the gradient of each tensor for a random
cotangent of the first. What is printed at the end, the files' sha256, goes into the test.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).with_name("bert")


def main() -> None:
    """Write the folder."""
    import torch
    from safetensors.numpy import save_file
    from transformers import BertConfig, BertModel

    torch.manual_seed(20_260_101)
    config = BertConfig(
        vocab_size=29,
        hidden_size=15,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=17,
        max_position_embeddings=11,
        layer_norm_eps=1e-7,
    )
    config._attn_implementation = "eager"
    model = BertModel(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.2 * torch.randn_like(p)
    model.save_pretrained(FOLDER)
    model = model.double()
    lengths = torch.tensor([4, 11, 1, 7])
    mask = (torch.arange(11) < lengths[:, None]).long()
    ids, types = torch.randint(1, 29, (4, 11)) * mask, torch.randint(0, 2, (4, 11)) * mask
    out = model(ids, attention_mask=mask, token_type_ids=types)
    kept = mask[..., None].double()
    x, cotangent = out.last_hidden_state * kept, torch.randn(4, 11, 15, dtype=torch.float64) * kept
    texts = torch.nn.functional.normalize(x.sum(1) / kept.sum(1), dim=1)
    (x * cotangent).sum().backward()
    arrays = {"ids": ids, "mask": mask, "types": types, "x": x, "pooled": out.pooler_output, "texts": texts}
    arrays["cotangent"] = cotangent
    arrays |= {f"d {name}": p.grad for name, p in model.named_parameters() if p.grad is not None}
    save_file(
        {name: np.ascontiguousarray(a.detach().numpy()) for name, a in arrays.items()}, FOLDER / "expected.safetensors"
    )
    for path in sorted(FOLDER.iterdir()):
        print(f'    "{path.name}": "{hashlib.sha256(path.read_bytes()).hexdigest()}",')


if __name__ == "__main__":
    main()
