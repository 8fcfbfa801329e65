"""``tinyllm data``: what there is, whether it is whole, and fetched from a server of our own, never from the net."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import threading
import urllib.request

import pytest

from tinyllm import assets
from tinyllm.cli import data
from tinyllm.cli.screen import Screen

CONTENT = {"verses": b"The owl and the pussycat\n" * 9000, "song": b"Over the hills and far away\n" * 3}


class Quiet(http.server.ThreadingHTTPServer):
    """Does not mind when whoever asked goes away."""

    def handle_error(self, *_: object) -> None:
        pass


class Server:
    """Answers on the loopback interface."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.instead: dict[str, bytes] = {}
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.strip("/")
                server.asked.append(name)
                body = server.instead.get(name, CONTENT.get(name))
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    """Two small files, published by nobody but us."""
    running = Server()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    small = {
        name: assets.Asset(
            name, f"texts/{name}.txt", f"{running.url}/{name}", hashlib.sha256(body).hexdigest(), len(body), f"a {name}"
        )
        for name, body in CONTENT.items()
    }
    monkeypatch.setattr(assets, "ASSETS", small)
    monkeypatch.setattr(assets, "MODELS", {})
    yield running
    running.stop()


def at(tmp_path, name):
    return tmp_path / "cache" / "texts" / f"{name}.txt"


def test_list_says_what_there_is_and_how_to_get_it(tinyllm, server, tmp_path):
    done = tinyllm("data", "list")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split() == ["verses", "0.2", "MB", "a", "verses"]
    assert lines[1].strip() == "not here; tinyllm data get verses"
    assert lines[-1] == f"0 of 2 are here and whole, 0.0 MB; downloads go to {tmp_path / 'cache'}"
    assert tinyllm("data").out == done.out
    assert server.asked == []


def test_get_fetches_once_and_list_sees_it(tinyllm, server, tmp_path):
    done = tinyllm("data", "get", "verses", "song", "verses")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"verses: 0.2 MB from {server.url}/verses",
        f"verses: fetched, {at(tmp_path, 'verses')}",
        f"song: 0.0 MB from {server.url}/song",
        f"song: fetched, {at(tmp_path, 'song')}",
    ]
    assert at(tmp_path, "verses").read_bytes() == CONTENT["verses"]
    again = tinyllm("data", "get", "song")
    assert (again.code, again.out) == (0, f"song: is here already, {at(tmp_path, 'song')}\n")
    assert server.asked == ["verses", "song"]
    assert "2 of 2 are here and whole" in tinyllm("data", "list").out


def test_json(tinyllm, server, tmp_path):
    got = [json.loads(line) for line in tinyllm("data", "get", "song", "--json").out.splitlines()]
    assert got == [{"name": "song", "state": "fetched", "path": str(at(tmp_path, "song")), "error": None}]
    found = {one["name"]: one for one in map(json.loads, tinyllm("data", "list", "--json").out.splitlines())}
    assert (found["song"]["state"], found["verses"]["state"]) == ("here", "missing")
    assert found["song"]["sha256"] == assets.ASSETS["song"].sha256
    assert [json.loads(line)["name"] for line in tinyllm("data", "list", "song", "--json").out.splitlines()] == ["song"]


def test_a_file_of_tinyllm_data_is_found_and_an_altered_one_is_shown(tinyllm, server, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYLLM_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "texts").mkdir(parents=True)
    (tmp_path / "data" / "texts" / "song.txt").write_bytes(CONTENT["song"])
    (tmp_path / "data" / "texts" / "verses.txt").write_bytes(CONTENT["song"])
    done = tinyllm("data", "list")
    assert done.code == 0
    assert f"ALTERED {tmp_path}/data/texts/verses.txt: is not verses as it was published: sha256 is" in done.out
    assert f"Try: get it again from {server.url}/verses" in done.out
    assert "1 of 2 are here and whole" in done.out
    done = tinyllm("data", "get", "verses", "song")
    assert done.code == 1 and done.err.count("\n") == 1 and "is not verses as it was published" in done.err
    assert (
        done.out == f"song: is here already, {tmp_path}/data/texts/song.txt\n"
    )  # the one does not keep the other back


def test_a_damaged_download_is_fetched_again(tinyllm, server, tmp_path):
    at(tmp_path, "song").parent.mkdir(parents=True)
    at(tmp_path, "song").write_bytes(b"Over the hi")
    assert f"ALTERED {at(tmp_path, 'song')}: is not song as it was published. Try: tinyllm data get song" in (
        tinyllm("data", "list").out
    )
    assert tinyllm("data", "get", "song").code == 0
    assert at(tmp_path, "song").read_bytes() == CONTENT["song"]


@pytest.mark.parametrize("body", [b"", b"a proxy's page", CONTENT["verses"][:-1], CONTENT["verses"] + b"x"])
def test_what_is_not_what_it_should_be_is_not_kept(tinyllm, server, tmp_path, body):
    server.instead["verses"] = body
    done = tinyllm("data", "get", "verses")
    assert done.code == 1
    assert "sent another file than it should" in done.err and done.err.count("\n") == 1
    assert not at(tmp_path, "verses").exists()


def test_offline_says_which_file_to_put_where(tinyllm, server, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    done = tinyllm("data", "get", "verses", "song")
    assert done.code == 1
    lines = done.err.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ("verses", "song"), strict=True):
        assert "the download failed (no route to host)" in line
        assert line.endswith(f"Try: put {server.url}/{name} at {at(tmp_path, name)} by other means")
    failed = json.loads(tinyllm("data", "get", "song", "--json").out)
    assert failed["state"] == "failed" and "no route to host" in failed["error"]


def test_a_missing_page(tinyllm, server, monkeypatch):
    monkeypatch.delitem(CONTENT, "song")
    done = tinyllm("data", "get", "song")
    assert done.code == 1 and "404" in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["get"], 1, "tinyllm: E-CONFIG data get needs a name. Try: tinyllm data get verses, or another name"),
        (["get", "song", "verse"], 1, "tinyllm: E-CONFIG there is no data called 'verse'. Try: verses"),
        (["list", "sing"], 1, "tinyllm: E-CONFIG there is no data called 'sing'. Try: song"),
        (["fetch"], 2, "tinyllm data: argument ACTION: invalid choice: 'fetch'"),
    ],
)
def test_what_is_misspelled(tinyllm, server, arguments, code, line):
    done = tinyllm("data", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(line)
    assert server.asked == []  # nothing is fetched before all names are known


def test_ctrl_c_leaves_nothing_behind(tinyllm, server, tmp_path, monkeypatch):
    def interrupt(self, done, total):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(data._Lines, "update", interrupt)
        done = tinyllm("data", "get", "verses")
    assert (done.code, done.err) == (130, "\ntinyllm: interrupted\n")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert tinyllm("data", "get", "verses").code == 0


def test_plain_lines_tell_of_a_long_download(server, monkeypatch):
    monkeypatch.setattr(data, "_PATIENCE", 0)
    screen = Screen(io.StringIO(), plain=True, unicode=True, width=80)
    data.get(["verses"], screen, as_json=False)
    lines = screen.stream.getvalue().splitlines()
    assert lines[1] == "verses: 0.1 MB of 0.2 MB" and lines[-2] == "verses: 0.2 MB of 0.2 MB"
    assert "\x1b" not in screen.stream.getvalue()


@pytest.mark.parametrize("fails", [False, True])
def test_a_bar_on_a_terminal_is_gone_in_the_end(server, capsys, fails):
    if fails:
        server.instead["verses"] = b"x"
    screen = Screen(io.StringIO(), plain=False, unicode=True, width=80)
    assert data.get(["verses"], screen, as_json=False) == int(fails)
    shown = screen.stream.getvalue()
    assert "verses" in shown and "kB" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is hidden, and comes back
    assert ("sent another file" in capsys.readouterr().err) == fails


@pytest.fixture
def toy(server, monkeypatch):
    """A model of two files, published by nobody but us."""
    files = [
        assets.Asset(
            f"toy/{name}", f"models/toy/{name}", f"{server.url}/{name}", hashlib.sha256(body).hexdigest(), len(body), ""
        )
        for name, body in CONTENT.items()
    ]
    monkeypatch.setattr(assets, "MODELS", {"toy": assets.ModelAsset("toy", tuple(files), "a toy")})


def test_a_model_is_fetched_as_a_whole(tinyllm, server, toy, tmp_path):
    folder = tmp_path / "cache" / "models" / "toy"
    lines = tinyllm("data", "list", "toy").out.splitlines()
    assert lines[0].split() == ["toy", "0.2", "MB", "a", "toy"]
    assert lines[1].strip() == "not here; tinyllm data get toy"
    done = tinyllm("data", "get", "toy", "song")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"toy/verses: 0.2 MB from {server.url}/verses"
    assert f"toy: fetched, {folder}" in done.out.splitlines()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == CONTENT
    assert tinyllm("data", "get", "toy").out == f"toy: is here already, {folder}\n"
    assert server.asked == ["verses", "song", "song"]
    assert tinyllm("data", "list", "toy").out.splitlines()[1].strip() == str(folder)
    (found,) = map(json.loads, tinyllm("data", "list", "toy", "--json").out.splitlines())
    assert (found["state"], found["size"]) == ("here", sum(map(len, CONTENT.values())))
    assert [file["name"] for file in found["files"]] == ["toy/verses", "toy/song"]


def test_a_model_that_cannot_be_had(tinyllm, server, toy, tmp_path, monkeypatch):
    server.instead["song"] = b"x" * len(CONTENT["song"])
    done = tinyllm("data", "get", "toy", "--json")
    assert done.code == 1 and "another file than it should" in json.loads(done.out)["error"]
    monkeypatch.setenv("TINYLLM_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "models" / "toy").mkdir(parents=True)
    for name, body in CONTENT.items():
        (tmp_path / "data" / "models" / "toy" / name).write_bytes(body[::-1])
    assert "ALTERED" in tinyllm("data", "list", "toy").out


def test_a_folder_that_cannot_be_written(tinyllm, server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    done = tinyllm("data", "get", "song")
    assert done.code == 1 and done.err.count("\n") == 1
    assert "cannot be kept at" in done.err and "TINYLLM_CACHE=a folder you may write to" in done.err


def test_info_and_doctor_know_what_is_here(tinyllm, tmp_path):
    (tmp_path / "cache" / "encodings").mkdir(parents=True)
    altered = tmp_path / "cache" / "encodings" / "r50k_base.tiktoken"
    altered.write_bytes(b"IQ== 0\n")
    published = json.loads(tinyllm("info", "--json").out)["data"]["published"]
    assert set(published) == set(assets.ASSETS)
    assert (published["r50k_base"], published["cl100k_base"]) == ("altered", "missing")
    assert "none: 0 of 7 are here" in tinyllm("info").out
    from tinyllm.cli import doctor

    (bad,) = [finding for finding in doctor.published() if finding.state == "fix"]
    assert bad.text.startswith(str(altered)) and bad.fix == "tinyllm data get r50k_base"
