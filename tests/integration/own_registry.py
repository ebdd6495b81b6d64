"""A registry on a free port of this machine, for one test: what skopeo needs of the OCI distribution specification."""

import hashlib
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "OwnRegistry"

    def do_GET(self) -> None:
        name, kind, what = self._parts()
        store = self.server.manifests if kind == "manifests" else self.server.blobs
        found = store.get(self.server.tags.get(f"{name}:{what}", what))
        if self.path.rstrip("/") == "/v2":
            self._answer(200, b"{}")
        elif found is None:
            code = "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN"
            self._answer(404, json.dumps({"errors": [{"code": code, "message": "manifest unknown"}]}).encode())
        else:
            content, media = found
            self._answer(200, content, **{"Content-Type": media, "Docker-Content-Digest": _digest(content)})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.server.uploads[upload := uuid.uuid4().hex] = b""
        self._answer(202, Location=f"{self.path.rstrip('/')}/{upload}", Range="0-0")

    def do_PATCH(self) -> None:
        upload = self.path.rpartition("/")[2]
        self.server.uploads[upload] += self._body()
        self._answer(202, Location=self.path, Range=f"0-{len(self.server.uploads[upload])}")

    def do_PUT(self) -> None:
        name, kind, what = self._parts()
        body = self._body()
        if kind == "manifests":
            digest = _digest(body)
            self.server.manifests[digest] = body, self.headers["Content-Type"]
            self.server.tags[f"{name}:{what}"] = digest
            self.server.pushed.append(f"{name}:{what}")
        else:
            body = self.server.uploads.pop(what) + body
            self.server.blobs[_digest(body)] = body, "application/octet-stream"
        self._answer(201, Location=self.path, **{"Docker-Content-Digest": _digest(body)})

    def _parts(self) -> tuple[str, str, str]:
        path = self.path.partition("?")[0].removeprefix("/v2/").rstrip("/")
        for kind in ("/manifests/", "/blobs/uploads/", "/blobs/"):
            if kind in path:
                name, _, what = path.partition(kind)
                return name, kind.strip("/"), what
        return path, "", ""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        pass


class OwnRegistry(ThreadingHTTPServer):
    """What was pushed to it, by tag and digest."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, tuple[bytes, str]] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.tags: dict[str, str] = {}
        self.uploads: dict[str, bytes] = {}
        self.pushed: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


@contextmanager
def own_registry() -> Iterator[OwnRegistry]:
    """Run one for a block."""
    with OwnRegistry() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
