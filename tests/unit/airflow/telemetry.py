"""Where measurements and spans arrive in tests: a StatsD daemon and a stand-in for an OpenTelemetry collector."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE_SECONDS = 10.0


class StatsdDaemon:
    """Hears packets and remembers them."""

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening
        self.port: int = listening.getsockname()[1]
        self._heard: list[str] = []

    def hear(self, word: str) -> str:
        """Return the first packet that holds a word."""
        while True:
            for packet in self._heard:
                if word in packet:
                    return packet
            self._heard.append(self._socket.recv(65536).decode())


@contextmanager
def statsd_daemon() -> Iterator[StatsdDaemon]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(PATIENCE_SECONDS)
        yield StatsdDaemon(listening)


class Collector(http.server.ThreadingHTTPServer):
    """A stand-in for an OpenTelemetry collector: takes OTLP over HTTP and keeps what it was sent, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _CollectorHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.bodies: dict[str, list[bytes]] = {"/v1/metrics": [], "/v1/traces": []}


class _CollectorHandler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.bodies[self.path].append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
