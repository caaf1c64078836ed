"""A small issuer of tokens as OpenID Connect has them: its keys over HTTP, rotated when told to."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://login.example.test", "the-platform"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Issuer:
    """`url` is where its keys are; `asked` how often somebody looked. While it `fails`, it answers 500."""

    url: str = ""
    asked: int = 0
    fails: bool = False
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    signing: str = ""

    def rotate(self, *, kid: str, algorithm: str = "ES256", keep: bool = True) -> None:
        """Signs with a new key from now on; without `keep` the others are no longer published."""
        key: PrivateKey = (
            ec.generate_private_key(ec.SECP256R1())
            if algorithm == "ES256"
            else rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        )
        self.keys = {**(self.keys if keep else {}), kid: key}
        self.signing = kid

    def jwk(self, kid: str) -> dict[str, Any]:
        """The public part of a key."""
        key = self.keys[kid]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "ES256"}
        return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}

    def token(self, *, now: datetime, sub: Any = "user-1", kid: str | None = None, **claims: Any) -> str:
        """A token for five minutes; a claim of None is left out."""
        kid = kid or self.signing
        key = self.keys[kid]
        content = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": sub,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=5)).timestamp()),
            **claims,
        }
        return jwt.encode(
            {name: value for name, value in content.items() if value is not None},
            key,
            algorithm="ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256",
            headers={"kid": kid},
        )


@contextlib.contextmanager
def running_issuer() -> Iterator[Issuer]:
    """On a port of this machine, until the end."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            body = json.dumps({"keys": [issuer.jwk(kid) for kid in issuer.keys]}).encode()
            self.send_response(500 if issuer.fails else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    issuer.url = f"http://127.0.0.1:{server.server_port}/keys"
    issuer.rotate(kid="first")
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
