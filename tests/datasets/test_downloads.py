"""Published archives: fetched once, believed by their checksum."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.datasets import (
    arrays,
    downloads,
    registry,
)
from cnnlab.spec import LabError
from tests.datasets.examples import (
    as_folder,
    as_tar,
    cifar100_files,
)


@pytest.fixture
def host(tmp_path):
    """A web server for the files in a folder; `/short/NAME` breaks off, as throttled hosts do."""
    served = tmp_path / "served"
    served.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(served))

        def do_GET(self):
            if not self.path.startswith("/short/"):
                return super().do_GET()
            data = (served / self.path.removeprefix("/short/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            return self.wfile.write(data[: len(data) // 2])

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield served, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def publish(monkeypatch, host, where="/", **changes):
    """Let cifar100 come from the local host: the published file, changed as a test needs it."""
    served, url = host
    data = as_tar(served / "cifar-100-python.tar.gz", cifar100_files()).read_bytes()
    file = downloads.Published(
        "cifar-100-python.tar.gz",
        f"{url}{where}cifar-100-python.tar.gz",
        hashlib.sha256(data).hexdigest(),
        len(data),
    )
    file = dataclasses.replace(file, **changes)
    entry = dataclasses.replace(datasets.REGISTRY["cifar100"], files=(file,))
    monkeypatch.setitem(datasets.REGISTRY, "cifar100", entry)
    return file


def leftovers(home: Path) -> list[str]:
    return [path.name for path in (home / "datasets").rglob("*") if path.is_file()]


def test_a_published_archive_is_downloaded_once(monkeypatch, host, home, capsys):
    publish(monkeypatch, host)
    assert not datasets.info("cifar100").ready
    said: list[tuple[float | None, str]] = []
    facts = datasets.fetch("cifar100", lambda share, what: said.append((share, what)))
    assert facts.ready
    assert any(what.startswith("downloading") and share == 1.0 for share, what in said)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(downloads, "obtain", lambda *_: pytest.fail("asked for it again"))
    assert datasets.load("cifar100").labels.tolist() == [99, 0, 1, 2, 3, 4]
    assert not [name for name in leftovers(home) if name.startswith(".")]


def test_an_archive_that_the_owner_put_there_is_used(monkeypatch, host, home):
    file = publish(monkeypatch, host, url="http://127.0.0.1:9/gone")
    as_folder(home / "datasets", {file.path: (host[0] / file.path).read_bytes()})
    assert len(datasets.load("cifar100").images) == 6
    assert "cifar-100-python.tar.gz" not in [facts.name for facts in datasets.known()]


def test_an_archive_with_another_checksum_is_refused_and_left_alone(monkeypatch, host, home):
    file = publish(monkeypatch, host)
    as_folder(home / "datasets", {file.path: b"something else"})
    with pytest.raises(LabError, match="not the published archive"):
        datasets.load("cifar100")
    assert (home / "datasets" / file.path).read_bytes() == b"something else"


@pytest.mark.parametrize(
    ("where", "changes", "says"),
    [
        ("/", {"sha256": "0" * 64}, "SHA-256"),
        ("/", {"size": 100}, "SHA-256"),
        ("/short/", {}, "broke off"),
        ("/missing/", {}, "404"),
        ("/", {"url": "http://127.0.0.1:9/x"}, "cannot be reached"),
        ("/", {"url": "http://no-such-host.invalid/x"}, "cannot be reached"),
    ],
)
def test_a_failed_download_says_what_to_do_and_leaves_nothing(
    monkeypatch, host, home, where, changes, says
):
    publish(monkeypatch, host, where, **changes)
    with pytest.raises(LabError) as caught:
        datasets.load("cifar100")
    message = str(caught.value)
    assert says in message
    assert "cifar100" in message
    assert str(home / "datasets" / "cifar-100-python.tar.gz") in message
    assert "shapes" in message
    assert leftovers(home) == []


def test_a_silent_host_is_given_up(monkeypatch, home):
    import socket

    monkeypatch.setattr(downloads, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        file = downloads.Published("x.npz", url, "0" * 64, 10)
        with pytest.raises(LabError, match="said nothing"):
            downloads.obtain("mnist", file, lambda share, what: None)
    assert leftovers(home) == []


def test_fashion_mnist_is_read_from_its_own_files(tmp_path):
    import gzip

    def written(name, pixels, classes):
        head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
        images, labels = tmp_path / f"{name}-x.gz", tmp_path / f"{name}-y.gz"
        images.write_bytes(gzip.compress(head + pixels.tobytes()))
        count = len(classes).to_bytes(4, "big")
        labels.write_bytes(gzip.compress(b"\0\0\x08\x01" + count + bytes(classes)))
        return images, labels

    pixels = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
    train = written("train", pixels, (9, 0, 5))
    test = written("test", pixels[1:], (3, 4))
    plan = arrays.idx(train, test, registry.FASHION)
    for part, count in ((plan, 3), (plan.test, 2)):
        out = np.empty((count, *plan.shape[1:]), np.uint8)
        part.fill(out)
        assert np.array_equal(out[..., 0], pixels[-count:])
    assert plan.labels.tolist() == [9, 0, 5]
    assert plan.test.labels.tolist() == [3, 4]
    train[1].write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x03" + bytes((9, 0))))
    with pytest.raises(LabError, match="corrupt"):
        arrays.idx(train, test, registry.FASHION)


def keras_literals(module: str) -> set[str]:
    import importlib.util

    spec = importlib.util.find_spec("keras")
    source = (Path(spec.origin).parent / "src" / "datasets" / f"{module}.py").read_text()
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "fashion_mnist"])
def test_places_and_checksums_are_those_that_keras_names(name):
    literals = keras_literals(name)
    for file in datasets.REGISTRY[name].files:
        assert any(file.url.startswith(text) for text in literals if text.startswith("https:"))
        assert file.sha256 in literals or name == "fashion_mnist"
