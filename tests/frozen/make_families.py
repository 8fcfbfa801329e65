"""Make the decoders of tests/models/test_frozen_families.py with transformers: python tests/frozen/make_families.py

For each family a folder as transformers saves it, every parameter moved by noise (std 0.2), and beside it what
transformers makes of 2 texts of 23 ids in float64: the logits, and the gradient of each tensor for a random cotangent
of them. Sizes are such that a swapped axis cannot pass. What is printed at the end, the files' sha256, goes into the
test.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
T = 23
COMMON = {
    "vocab_size": 29, "hidden_size": 12, "intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 3,
    "num_key_value_heads": 1, "max_position_embeddings": 31, "rms_norm_eps": 1e-5,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 50.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
SLIDING = {"use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1}
MARKS = {"bos_token_id": 0, "eos_token_id": 0}
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {"vocab_size": 29, "n_embd": 15, "n_head": 3, "n_layer": 2, "n_positions": 31, "n_inner": 17, **MARKS},
    "llama": {**COMMON, "rope_parameters": LLAMA3, "attention_bias": True, "mlp_bias": True},
    "mistral": {**COMMON, "sliding_window": 5, "head_dim": 6},
    "qwen2": {**COMMON, **SLIDING, "tie_word_embeddings": True},
    "qwen3": {**COMMON, **SLIDING, "head_dim": 6, "rope_parameters": {"rope_type": "default", "rope_theta": 300.0}},
}
CLASSES = {"gpt2": "GPT2", "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}


def main() -> None:
    """Write a folder for each family."""
    import torch
    import transformers
    from safetensors.numpy import save_file

    for number, (family, sizes) in enumerate(FAMILIES.items()):
        torch.manual_seed(20_260_200 + number)
        config = getattr(transformers, f"{CLASSES[family]}Config")(**sizes)
        config._attn_implementation = "eager"
        name = f"{CLASSES[family]}LMHeadModel" if family == "gpt2" else f"{CLASSES[family]}ForCausalLM"
        model = getattr(transformers, name)(config).eval()
        with torch.no_grad():
            for p in model.parameters():
                p += 0.2 * torch.randn_like(p)
        model.save_pretrained(FOLDER / family)
        model = model.double()
        ids, cotangent = torch.randint(0, 29, (2, T)), torch.randn(2, T, 29, dtype=torch.float64)
        logits = model(ids).logits
        (logits * cotangent).sum().backward()
        arrays = {"ids": ids, "logits": logits, "cotangent": cotangent}
        arrays |= {f"d {name}": p.grad for name, p in model.named_parameters()}
        save_file(
            {name: np.ascontiguousarray(a.detach().numpy()) for name, a in arrays.items()},
            FOLDER / family / "expected.safetensors",
        )
        for path in sorted((FOLDER / family).iterdir()):
            print(f'    "{family}/{path.name}": "{hashlib.sha256(path.read_bytes()).hexdigest()}",')


if __name__ == "__main__":
    main()
