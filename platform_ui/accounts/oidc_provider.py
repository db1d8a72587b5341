"""The other service by which people log in, as OpenID Connect wants it spoken to.

What lives here: discovery, the address to log in at, the exchange of a code, the checks of what comes back.
What does not: accounts (``oidc``) and pages (``oidc_pages``).

Source: OpenID Connect Core 1.0, clause 3.1 "Authentication using the Authorization Code Flow"; RFC 7636
(PKCE); RFC 9207 (issuer identification); RFC 9700 (best current practice).
"""

import base64
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx2
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from platform_ui.errors import LogInRefusedError, LogInServiceError
from platform_ui.settings import LOOPBACK_HOSTS, OidcSettings

# Signatures by the service's own key only: never "none", never one made with a secret that we hold too.
ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SCOPE: Final = "openid email profile"
TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 256 * 1024
FRESH_S: Final = 3600.0  # how long the service's description counts
CLOCK_SKEW_S: Final = 60
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_AGAIN: Final = "Log in again; nothing was changed."


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one log-in keeps on our side: each is random, and is compared when the browser comes back."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def fresh(cls) -> "Secrets":
        """Return new ones, of 256 bits each."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


class OidcProvider:
    """One issuer; its description and keys are fetched when they are first needed, and again every hour."""

    def __init__(self, settings: OidcSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self.settings = settings
        self._transport = transport
        self._described: tuple[float, dict[str, Any], KeySet] | None = None

    async def address(self, kept: Secrets, redirect_uri: str) -> str:
        """Return where a browser goes to log in.

        Raises:
            LogInServiceError: the service does not describe itself.
        """
        metadata, _ = await self._description()
        challenge = create_s256_code_challenge(kept.verifier)
        return str(
            prepare_grant_uri(
                metadata["authorization_endpoint"],
                self.settings.client_id,
                "code",
                redirect_uri,
                SCOPE,
                kept.state,
                nonce=kept.nonce,
                code_challenge=challenge,
                code_challenge_method="S256",
            )
        )

    async def leaving_address(self, redirect_uri: str) -> str | None:
        """Return where a browser goes to log out of the service too, when it offers that.

        Source: OpenID Connect RP-Initiated Logout 1.0, clause 2.

        Raises:
            LogInServiceError: the service does not describe itself.
        """
        metadata, _ = await self._description()
        end = metadata.get("end_session_endpoint")
        if not isinstance(end, str) or not _is_safe(end):
            return None
        mark = "&" if "?" in end else "?"
        client = quote(self.settings.client_id, safe="")
        return f"{end}{mark}client_id={client}&post_logout_redirect_uri={quote(redirect_uri, safe='')}"

    async def claims(
        self, kept: Secrets, redirect_uri: str, code: str, issuer: str | None
    ) -> Mapping[str, Any]:
        """Exchange a code and return what the service says about the person.

        Args:
            kept: what the log-in began with.
            redirect_uri: the same as at the beginning.
            code: what the browser brought back.
            issuer: the parameter ``iss`` that it brought back.

        Raises:
            LogInRefusedError: the code, the token or who made it is not what the log-in began with.
            LogInServiceError: the service does not answer as it should.
        """
        metadata, keys = await self._description()
        says_issuer = metadata.get("authorization_response_iss_parameter_supported") is True
        if (issuer is not None or says_issuer) and issuer != self.settings.issuer:
            raise LogInRefusedError("This log-in was begun with another service.", hint=_AGAIN)
        answer = await self._exchange(metadata, kept, redirect_uri, code)
        claims = await self._verified(answer, kept, keys)
        if "email" not in claims and "userinfo_endpoint" in metadata:
            more = await self._get_json(metadata["userinfo_endpoint"], str(answer.get("access_token", "")))
            if more.get("sub") != claims["sub"]:
                raise LogInRefusedError("The service speaks about somebody else.", hint=_AGAIN)
            claims = {**more, **claims}
        return claims

    async def _exchange(
        self, metadata: Mapping[str, Any], kept: Secrets, redirect_uri: str, code: str
    ) -> dict[str, Any]:
        body = prepare_token_request(
            "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=kept.verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        ours = (self.settings.client_id, self.settings.client_secret)
        if "client_secret_basic" in methods:
            pair = ":".join(quote(part, safe="") for part in ours)  # RFC 6749, clause 2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            body += f"&client_id={quote(ours[0], safe='')}&client_secret={quote(ours[1], safe='')}"
        status, answer = await self._send("POST", metadata["token_endpoint"], headers, body)
        if status != HTTPStatus.OK or not isinstance(answer.get("id_token"), str):
            raise LogInRefusedError("The service did not confirm this log-in.", hint=_AGAIN)
        return answer

    async def _verified(self, answer: Mapping[str, Any], kept: Secrets, keys: KeySet) -> dict[str, Any]:
        token = answer["id_token"]
        try:
            try:
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            except InvalidKeyIdError:  # the service has changed its keys
                self._described = None
                _, keys = await self._description()
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                    "sub": {"essential": True},
                },
                {
                    "nonce": kept.nonce,
                    "client_id": self.settings.client_id,
                    "access_token": answer.get("access_token"),
                },
            )
            claims.validate(leeway=CLOCK_SKEW_S)
        except (JoseError, ValueError) as error:
            # The kind of fault, never the token: it would let whoever reads the log act as the person.
            raise LogInRefusedError(
                f"The service's word about you does not hold ({type(error).__name__}).", hint=_AGAIN
            ) from None
        return dict(claims)

    async def _description(self) -> tuple[dict[str, Any], KeySet]:
        if self._described is None or time.monotonic() - self._described[0] > FRESH_S:
            metadata = await self._get_json(get_well_known_url(self.settings.issuer, external=True))
            if metadata.get("issuer") != self.settings.issuer:
                raise LogInServiceError("The service for log-ins calls itself by another name.")
            if not all(_is_safe(metadata.get(name)) for name in _ENDPOINTS):
                raise LogInServiceError("The service for log-ins has no protected addresses.")
            keys = await self._get_json(metadata["jwks_uri"])
            try:
                key_set = KeySet.import_key_set({"keys": keys.get("keys") or []})
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise LogInServiceError("The service for log-ins has no readable keys.") from error
            self._described = (time.monotonic(), metadata, key_set)
        return self._described[1], self._described[2]

    async def _get_json(self, address: str, token: str = "") -> dict[str, Any]:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        status, answer = await self._send("GET", address, headers)
        if status != HTTPStatus.OK:
            raise LogInServiceError(f"The service for log-ins answers with status {status}.")
        return answer

    async def _send(
        self, method: str, address: str, headers: Mapping[str, str], body: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        try:
            async with (
                httpx2.AsyncClient(timeout=TIMEOUT_S, transport=self._transport) as http,
                http.stream(method, address, headers=dict(headers), content=body) as answer,
            ):
                text = b""
                async for part in answer.aiter_bytes():
                    text += part
                    if len(text) > MAX_ANSWER_BYTES:
                        raise LogInServiceError("The service for log-ins says too much.")
                parsed = httpx2.Response(answer.status_code, content=text).json()
        except (httpx2.HTTPError, ValueError) as error:
            raise LogInServiceError(
                "The service for log-ins does not answer.", hint="Try again, or log in with your password."
            ) from error
        if not isinstance(parsed, dict):
            raise LogInServiceError("The service for log-ins does not answer with an object.")
        return answer.status_code, parsed


def _is_safe(address: object) -> bool:
    """Return whether an address is protected, or of this machine."""
    if not isinstance(address, str):
        return False
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)
