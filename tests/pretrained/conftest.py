"""A model cache that is empty, and a maker's address on this machine."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

import pytest

from aver.pretrained import cache, catalogue


@pytest.fixture
def user_cache(monkeypatch, tmp_path):
    """The user's cache folder, not yet there; AVER_MODELS is not set."""
    monkeypatch.setattr(cache, "user_folder", lambda: tmp_path / "cache" / "models")
    monkeypatch.delenv("AVER_MODELS", raising=False)
    return tmp_path / "cache" / "models"


class Maker:
    """A web server on loopback that answers every path with the same bytes."""

    def __init__(self):
        self.body, self.status, self.promised, self.asked = b"", 200, None, 0
        maker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                maker.asked += 1
                self.send_response(maker.status)
                length = len(maker.body) if maker.promised is None else maker.promised
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(maker.body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/network.onnx"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def maker():
    maker = Maker()
    yield maker
    maker.server.shutdown()
    maker.server.server_close()


@pytest.fixture
def pin(monkeypatch):
    """Replace fields of a catalogue entry for one test."""

    def pin_fields(name, **fields):
        model = replace(catalogue.CATALOGUE[name], **fields)
        models = MappingProxyType({**catalogue.CATALOGUE, name: model})
        monkeypatch.setattr(catalogue, "CATALOGUE", models)
        monkeypatch.setattr(cache, "CATALOGUE", models)
        return model

    return pin_fields


@pytest.fixture
def offered(maker, pin):
    """YuNet's entry now names 200,000 bytes that the maker serves."""
    maker.body = bytes(range(250)) * 800
    pin(
        "yunet",
        url=maker.url,
        size=len(maker.body),
        sha256=hashlib.sha256(maker.body).hexdigest(),
    )
    return maker
