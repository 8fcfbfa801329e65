"""The table of formats: what each module offers, and the name of one that is not there."""

from __future__ import annotations

import pytest

from tinyllm.client.errors import BadRequestError
from tinyllm.client.providers import WIRES, wire


@pytest.mark.parametrize("name", WIRES)
def test_each_format_has_what_an_adapter_needs(name):
    module = wire(name)
    decoder = module.Decoder()
    assert callable(module.build_request) and decoder.feed(b"") == [] and not decoder.finished
    assert decoder.close() == []
    assert hasattr(module, "build_embed") == hasattr(module, "decode_embed") == (name != "anthropic")


@pytest.mark.parametrize(
    ("name", "hint"), [("openai-chat", "openai_chat"), ("local", "ollama"), ("adapter", "there are")]
)
def test_no_other_module_is_a_format(name, hint):
    with pytest.raises(BadRequestError) as raised:
        wire(name)
    assert hint in str(raised.value.hint)
