"""An OpenID Connect provider of this machine: discovery, code flow with PKCE, signed ID tokens, userinfo.

It logs in whoever `people` names next, without a form. As some real providers do, it tells groups in one place only.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "cronlift", "p:a/s+s w=ü"
KEY_ID = "one"
ID_TOKEN, USERINFO = "id_token", "userinfo"


@dataclass
class Provider:
    """A running provider.

    Attributes:
        port: On localhost.
        person: Claims of who logs in next.
        tells_groups_in: `ID_TOKEN` or `USERINFO`.
        faults: What a client did against the rules.
    """

    port: int = 0
    person: dict[str, Any] = field(default_factory=dict)
    tells_groups_in: str = ID_TOKEN
    faults: list[str] = field(default_factory=list)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def claims(self, place: str) -> dict[str, Any]:
        """Return what it says of the person in a place."""
        return {key: value for key, value in self.person.items() if key != "groups" or place == self.tells_groups_in}

    def discovery(self) -> dict[str, Any]:
        """Return the discovery document."""
        return {
            "issuer": self.issuer,
            **{f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")},
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> dict[str, Any]:
        """Return the public keys."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def code_for(self, asked: dict[str, str]) -> str:
        """Log the person in and return a code."""
        code = uuid4().hex
        self.codes[code] = asked
        return code

    def tokens_for(self, given: dict[str, str]) -> dict[str, Any]:
        """Return tokens for a code, once; notes what is against the rules."""
        asked = self.codes.pop(given["code"])
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked.get("code_challenge"):
            self.faults.append("PKCE: the verifier is not that of the challenge")
        now, access = int(time.time()), uuid4().hex
        self.tokens[access] = self.claims(USERINFO)
        claims = {
            **self.claims(ID_TOKEN), "iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "nonce": asked.get("nonce"),
        }  # fmt: skip
        signed = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": KEY_ID})
        return {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": signed}


@contextmanager
def running() -> Iterator[Provider]:
    """Run a provider until the block ends."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self, content: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            asked = {key: values[0] for key, values in query.items()}
            if path == "/.well-known/openid-configuration":
                self.answer(provider.discovery())
            elif path == "/keys":
                self.answer(provider.keys())
            elif path == "/userinfo":
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                known = provider.tokens.get(token)
                self.answer(known or {"error": "invalid_token"}, 200 if known else 401)
            elif path == "/authorization":
                back = urlencode({"code": provider.code_for(asked), "state": asked["state"]})
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?{back}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self.answer({"error": "not_found"}, 404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            given = {key: values[0] for key, values in parse_qs(body).items()}
            self.answer(provider.tokens_for(given))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
