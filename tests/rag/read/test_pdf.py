"""PDF, by pypdf: pages, titles, and files that cannot be read."""

from __future__ import annotations

import contextlib
import io
import sys

import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.read import pdf, read


def made(pages, title=None):
    """A PDF with a line of text on each page, written by hand."""
    parts = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    parts.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    parts.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for i, text in enumerate(pages):
        resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 300 300]"
        parts.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {5 + 2 * i} 0 R >>".encode())
        drawn = f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode() if text else b""
        parts.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
    info = ""
    if title:
        parts.append(f"<< /Title ({title}) >>".encode())
        info = f"/Info {len(parts)} 0 R "
    out, starts = io.BytesIO(b""), []
    out.write(b"%PDF-1.4\n")
    for number, part in enumerate(parts, 1):
        starts.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, part))
    xref = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % start for start in starts))
    out.write(f"trailer << /Size {len(parts) + 1} /Root 1 0 R {info}>>\nstartxref\n{xref}\n%%EOF\n".encode())
    return out.getvalue()


def test_without_pypdf_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(ConfigError, match=r'a\.pdf: to read PDF takes the package pypdf.*pip install "tinyllm\[pdf\]"'):
        pdf("a.pdf", made(["Ducks swim."]))


def test_pages_and_title(tmp_path):
    pytest.importorskip("pypdf")
    (tmp_path / "a.pdf").write_bytes(made(["Ducks swim.", "", "Cats do not."], "Animals"))
    document = read(tmp_path / "a.pdf")
    assert (document.id, document.title, document.text) == ("a.pdf", "Animals", "Ducks swim.\n\n\n\nCats do not.")
    assert document.meta == {"pages": [0, 13, 15]}
    assert [document.text[start:][:4] for start in (0, 15)] == ["Duck", "Cats"]
    (tmp_path / "misnamed.txt").write_bytes(made(["Ducks swim."]))
    assert read(tmp_path / "misnamed.txt").title == "misnamed"


def test_what_cannot_be_read():
    pypdf = pytest.importorskip("pypdf")
    whole = made(["Ducks swim."])
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(whole))
    writer.encrypt("secret", algorithm="RC4-128")
    locked = io.BytesIO()
    writer.write(locked)
    for data, message in {
        locked.getvalue(): "wants a password",
        made(["", ""]): "no text on its 2 pages",
        b"%PDF-1.4\n": "cannot be read as PDF",
        b"": "cannot be read as PDF",
        whole[:150]: "cannot be read as PDF",
    }.items():
        with pytest.raises(DataError, match=message) as caught:
            pdf("a.pdf", data)
        assert "\n" not in str(caught.value)
    for at in range(0, len(whole), 7):
        with contextlib.suppress(DataError):
            pdf("a.pdf", whole[:at] + b"\xff" + whole[at + 1 :])
