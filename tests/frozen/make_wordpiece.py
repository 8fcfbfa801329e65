"""Make the folder of tests/tokenizer/files/test_bert.py with transformers: python tests/frozen/make_wordpiece.py

A tokenizer of BERT's kind with a small vocabulary, as transformers saves it: tokenizer.json, and no vocab.txt; beside
it the ids that it gives a few texts. What is printed at the end, the files' sha256, goes into the test.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FOLDER = Path(__file__).with_name("wordpiece")
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "owl", "##s", "un", "##aff", "##able", "!", ",", "uber"]
TEXTS = ["", "The owls, the OWL!", "unaffable\u00a0owl", "\u00fcber the unaffables", "the x", "owl\u200bs \u6771"]


def main() -> None:
    """Write the folder."""
    from transformers import BertTokenizer

    tokenizer = BertTokenizer(vocab={token: i for i, token in enumerate(VOCAB)}, model_max_length=9)
    tokenizer.save_pretrained(FOLDER)
    ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    pair = tokenizer("the owl", "owls")["input_ids"]
    (FOLDER / "expected.json").write_text(json.dumps({"texts": TEXTS, "ids": ids, "pair": pair}))
    for path in sorted(FOLDER.iterdir()):
        print(f'    "{path.name}": "{hashlib.sha256(path.read_bytes()).hexdigest()}",')


if __name__ == "__main__":
    main()
