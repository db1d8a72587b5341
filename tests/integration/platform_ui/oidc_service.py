"""An OpenID Connect service on loopback, strict about what it is asked, and able to lie on demand.

Everybody who comes is logged in at once as the person that the test has set. It checks what a service has to
check (client, secret, redirect address, PKCE, codes count once), so a platform that forgets one fails here.
"""

import base64
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

import uvicorn
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from setup.local.ports import any_free_port

CLIENT_ID = "platform"


@dataclass
class OidcService:
    """The service and what the test wants of it.

    Attributes:
        person: claims of whoever logs in.
        lies: claims that the token gets instead of the right ones; None takes one away.
        algorithm: how the token is signed; ``none``: not at all; ``HS256``: with the secret of the client.
        reuses_codes: whether a code counts more than once.
        seen: parameters of the log-ins that were begun.
    """

    issuer: str
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    person: dict[str, Any] = field(default_factory=dict)
    lies: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    reuses_codes: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)}))
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def forget(self) -> None:
        """Be honest again."""
        self.lies, self.metadata, self.algorithm, self.reuses_codes = {}, {}, "RS256", False
        self._codes.clear()
        self.seen.clear()

    async def describe(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "end_session_endpoint": f"{self.issuer}/leave",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "authorization_response_iss_parameter_supported": True,
            }
            | self.metadata
        )

    async def keys(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.seen.append(asked)
        if asked.get("client_id") != CLIENT_ID or asked.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, 400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    async def token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        given = base64.b64decode(request.headers.get("authorization", "Basic ").split()[-1]).decode()
        client, _, secret = (unquote(part) for part in given.partition(":"))
        code = form.get("code", "")
        asked = self._codes.get(code) if self.reuses_codes else self._codes.pop(code, None)
        if (client, secret) != (CLIENT_ID, self.client_secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        if (
            asked is None
            or form.get("redirect_uri") != asked["redirect_uri"]
            or create_s256_code_challenge(form.get("code_verifier", "")) != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": self._id_token(asked)})

    async def userinfo(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(self.person)

    def _id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        claims |= self.person | self.lies
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid or ""}
        if self.algorithm == "none":
            return ".".join((_part(header), _part(claims), ""))
        if self.algorithm == "HS256":
            return jwt.encode(
                header, claims, OctKey.import_key(self.client_secret.encode()), algorithms=["HS256"]
            )
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class RunningService:
    """The service behind a real socket, in a thread."""

    def __init__(self) -> None:
        port = any_free_port()
        self.service = OidcService(f"http://127.0.0.1:{port}")
        routes = [
            Route("/.well-known/openid-configuration", self.service.describe),
            Route("/keys", self.service.keys),
            Route("/authorize", self.service.authorize),
            Route("/token", self.service.token, methods=["POST"]),
            Route("/userinfo", self.service.userinfo),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> OidcService:
        self._thread.start()
        deadline = time.monotonic() + 60
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self._server.started
        return self.service

    def __exit__(self, *args: object) -> None:
        self._server.should_exit = True
        self._thread.join(60)
