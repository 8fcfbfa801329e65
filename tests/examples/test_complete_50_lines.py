"""The fifty lines: they are no more, and on a good day they work."""

from __future__ import annotations

import ast
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from .conftest import EXAMPLES, load

REPLIES = {
    "/v1/chat/completions": {"choices": [{"message": {"content": "4 °C"}}]},
    "/v1/messages": {"content": [{"type": "text", "text": "4 "}, {"type": "thinking"}, {"type": "text", "text": "°C"}]},
    "/api/chat": {"message": {"content": "4 °C"}},
}


@pytest.fixture(scope="module")
def fifty():
    return load(EXAMPLES / "complete_50_lines.py")


@pytest.fixture(scope="module")
def server():
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, dict(self.headers), body))
            good = body["model"] == "m"
            data = json.dumps(REPLIES[self.path] if good else {"error": "no such model"}).encode()
            self.send_response(200 if good else 404)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    served = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}", seen
    served.shutdown()
    thread.join()
    served.server_close()


def test_they_are_fifty(examples):
    text = (examples / "complete_50_lines.py").read_text("utf-8")
    prose = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node):
            prose |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    assert sum(bool(line.strip()) for n, line in enumerate(text.splitlines(), 1) if n not in prose) <= 50


@pytest.mark.parametrize(("provider", "path"), [("openai", "/v1"), ("anthropic", ""), ("ollama", "")])
def test_a_good_day(fifty, server, monkeypatch, provider, path):
    monkeypatch.setenv("OPENAI_API_KEY", "k-1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k-2")
    url, seen = server
    assert fifty.complete("Wie kalt?", provider, "m", url=url + path, temperature=0.5) == "4 °C"
    _, headers, body = seen[-1]
    assert body["messages"] == [{"role": "user", "content": "Wie kalt?"}]
    assert {"openai": "Authorization", "anthropic": "x-api-key"}.get(provider, "Host") in headers
    with pytest.raises(RuntimeError, match=r"404.*no such model"):
        fifty.complete("Wie kalt?", provider, "other", url=url + path)


def test_auto_is_the_first_key(fifty, server, monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    url, seen = server
    assert fifty.complete("Hi", model="m", url=url) == "4 °C" and seen[-1][0] == "/api/chat"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    assert fifty.complete("Hi", model="m", url=url) == "4 °C" and seen[-1][0] == "/v1/messages"
