"""Images from an address, of a server on this machine."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from tradeoffs.errors import UserError
from tradeoffs.inference import address
from tradeoffs.inference.address import at_hand


class Server(BaseHTTPRequestHandler):
    """Gives what stands in `content`; `cut` promises more than it gives."""

    content: dict[str, tuple[str, bytes]] = {}  # noqa: RUF012 - filled by a fixture

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path not in self.content:
            self.send_error(404)
            return
        kind, data = self.content[path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) + 100 * path.startswith("/cut")))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, clip: Path) -> Iterator[str]:
    Image.fromarray(np.full((20, 40, 3), 204, dtype=np.uint8)).save(tmp_path / "a.png")
    photo = (tmp_path / "a.png").read_bytes()
    Server.content = {
        "/a.png": ("image/png", photo),
        "/cut.png": ("image/png", photo),
        "/photo": ("image/png", photo),
        "/clip.avi": ("video/x-msvideo", clip.read_bytes()),
        "/text.jpg": ("text/html", b"no image"),
    }
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_an_image(server, model):
    for name in ("a.png", "a.png?size=large", "photo"):
        found = model(f"{server}/{name}")
        assert found.scores.tolist() == pytest.approx([0.8]) and found.name.stem in ("a", "photo")
        assert found.draw().width == 480  # its pixels are kept
    assert [found.file for found in model.stream(f"{server}/a.png")] == [None]
    assert len(model([f"{server}/a.png", f"{server}/a.png"])) == 2


def test_a_video(server, model):
    assert len(list(model.stream(f"{server}/clip.avi"))) == 10


def test_the_file_is_gone_afterwards(server):
    with at_hand(f"{server}/photo") as path:
        assert path.name == "photo.png" and path.is_file()
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gone.png", "cannot fetch .*/gone.png: the server answers 404 Not Found"),
        ("cut.png", "cannot fetch .*/cut.png: the connection was closed early"),
        ("text.jpg", r"cannot read the image http://127\.0\.0\.1:\d+/text.jpg: it is truncated or not an image"),
    ],
)
def test_what_can_go_wrong(server, model, name, line):
    with pytest.raises(UserError, match=line):
        model(f"{server}/{name}")


def test_limits(server, monkeypatch):
    monkeypatch.setattr(address, "LARGEST", 10)
    with pytest.raises(UserError, match="it is larger than 1e-08 GB"), at_hand(f"{server}/a.png"):
        pass


@pytest.mark.parametrize(
    "source", ["ftp://127.0.0.1/a.jpg", "file:///etc/passwd", "http://127.0.0.1:1/a.jpg", "http://"]
)
def test_out_of_reach(source):
    with (
        pytest.raises(UserError, match=f"{source} is no address that is read|cannot fetch {source}: "),
        at_hand(source),
    ):
        pass
