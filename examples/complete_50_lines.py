"""One function for any model in fifty lines: raw HTTP over a socket, no SDK, nothing to install.

    OPENAI_API_KEY=... python examples/complete_50_lines.py "Why is the sky blue?" openai MODEL

It works on a good day. What happens on the others, and the one idea that mends each, is the
package tinyllm/client.
"""

import json
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def post(url, headers, body):
    """Send JSON, return JSON."""
    at, data = urlsplit(url), json.dumps(body).encode()
    headers = {"Host": at.netloc, "Content-Length": len(data), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line = socket.create_connection((at.hostname, at.port or {"https": 443}.get(at.scheme, 80)), 60)
    if at.scheme == "https":
        line = ssl.create_default_context().wrap_socket(line, server_hostname=at.hostname)
    with line:
        line.sendall(f"POST {at.path} HTTP/1.0\r\n{head}\r\n".encode() + data)
        reply = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, reply = reply.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise RuntimeError(f"{at.hostname}: {head.splitlines()[0].decode()} {reply.decode()[:200]}")
    return json.loads(reply)


def openai(body, key, url="https://api.openai.com/v1"):
    """Ask by chat completions, which most providers speak."""
    found = post(url + "/chat/completions", {"Authorization": f"Bearer {key}"}, body)
    return found["choices"][0]["message"]["content"]


def anthropic(body, key, url="https://api.anthropic.com"):
    """Ask by Anthropic's messages."""
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    found = post(url + "/v1/messages", headers, {"max_tokens": 1024, **body})
    return "".join(part.get("text", "") for part in found["content"])


def ollama(body, key, url="http://127.0.0.1:11434"):
    """Ask a model on this machine."""
    return post(url + "/api/chat", {}, {**body, "stream": False})["message"]["content"]


def complete(prompt, provider="auto", model="", url=None, **settings):
    """Ask a provider; "auto" is the first whose key is set."""
    if provider == "auto":
        provider = next((name for name, key in KEYS.items() if key in os.environ), "ollama")
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **settings}
    ask = {"openai": openai, "anthropic": anthropic, "ollama": ollama}[provider]
    return ask(body, os.environ.get(KEYS.get(provider, "")), *([url] if url else []))


if __name__ == "__main__":
    print(complete(*sys.argv[1:]))
