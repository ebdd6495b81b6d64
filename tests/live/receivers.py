"""A mail server and a webhook that keep what they are sent."""

import base64
import email
import email.policy
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Letter:
    """A mail as it came in: whom the envelope names, and the message."""

    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Its subject."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """Its plain text."""
        return str(self.message.get_content())


@dataclass
class Received:
    """What came in so far.

    Attributes:
        smtp_port: Of the mail server.
        http_port: Of the webhook.
        letters: The mails.
        logins: User and password of each login.
        posts: Path and JSON of each call of the webhook.
        refuse: Answer mails and calls with an error.
    """

    smtp_port: int = 0
    http_port: int = 0
    letters: list[Letter] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuse: bool = False


class MailServer(socketserver.ThreadingTCPServer):
    """As much of RFC 5321 as Python's smtplib speaks; with a certificate it insists on STARTTLS before all else."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, address: str, received: Received, certificate: ssl.SSLContext | None) -> None:
        self.received, self.certificate = received, certificate
        super().__init__((address, 0), MailHandler)


class MailHandler(socketserver.StreamRequestHandler):
    """One connection."""

    server: MailServer

    def handle(self) -> None:
        """Answer until the client goes."""
        is_open, recipients = self.server.certificate is None, []
        self._say("220 receiver")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            if verb in ("EHLO", "HELO"):
                self._say("250-receiver", "250 AUTH PLAIN" if is_open else "250 STARTTLS")
            elif verb == "STARTTLS" and self.server.certificate:
                self._say("220 go on")
                try:
                    self.request = self.server.certificate.wrap_socket(self.request, server_side=True)
                except ssl.SSLError:
                    return  # the client does not trust us
                self.setup()
                is_open = True
            elif verb == "QUIT":
                self._say("221 bye")
                return
            elif not is_open or self.server.received.refuse:
                self._say("451 try again later")
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                self.server.received.logins.append((user, password))
                self._say("235 welcome")
            elif verb == "RCPT":
                recipients.append(line.partition("<")[2].partition(">")[0])
                self._say("250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                message = email.message_from_bytes(self._body(), policy=email.policy.default)
                self.server.received.letters.append(Letter(tuple(recipients), message))
                self._say("250 ok")
            elif verb in ("MAIL", "RSET", "NOOP"):
                recipients = []
                self._say("250 ok")
            else:
                self._say("502 what?")

    def finish(self) -> None:
        """Close the connection, which STARTTLS has wrapped without the server's knowledge."""
        super().finish()
        self.request.close()

    def _body(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class WebhookServer(ThreadingHTTPServer):
    """Takes what is posted to any path."""

    daemon_threads = True

    def __init__(self, address: str, received: Received) -> None:
        self.received = received
        super().__init__((address, 0), WebhookHandler)


class WebhookHandler(BaseHTTPRequestHandler):
    """One call."""

    server: WebhookServer

    def do_POST(self) -> None:
        """Keep the JSON."""
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.server.received.refuse:
            self.server.received.posts.append((self.path, content))
        self.send_response(503 if self.server.received.refuse else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receivers(address: str = "127.0.0.1", certificate: ssl.SSLContext | None = None) -> Iterator[Received]:
    """Run both until the block ends.

    Args:
        address: Where they listen.
        certificate: With one, the mail server takes mail only over STARTTLS.
    """
    received = Received()
    with MailServer(address, received, certificate) as mail, WebhookServer(address, received) as webhook:
        received.smtp_port, received.http_port = mail.server_address[1], webhook.server_address[1]
        threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in (mail, webhook)]
        for thread in threads:
            thread.start()
        try:
            yield received
        finally:
            for server in (mail, webhook):
                server.shutdown()
