"""What importing the client costs: no third-party module, and its names when they are used."""

from __future__ import annotations

import subprocess
import sys

import tinyllm as tl
from tinyllm import client


def test_the_first_client_loads_no_third_party_module():
    code = (
        "import sys\nimport tinyllm.client\nassert 'ssl' not in sys.modules and 'http.client' not in sys.modules\n"
        "tinyllm.client.Client(environ={'GROQ_API_KEY': 'k'}).stream('Hi', 'auto', 'm')\n"
        "bad = {name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - {'tinyllm', '__main__'}\n"
        "print(sorted(name for name in bad if not name.startswith(('_', 'sitecustomize'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "[]\n")


def test_every_name_is_there():
    for name in client.__all__:
        assert getattr(client, name) is not None
    assert tl.complete is client.complete and tl.stream is client.stream
