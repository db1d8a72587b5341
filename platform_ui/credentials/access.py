"""Dependencies of the handlers of credentials: the authority, and what certificates are made with."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.credentials.service import Issuer, TokenMaker
from platform_ui.errors import ConflictError, NotFoundError
from platform_ui.pki.authority import Authority
from platform_ui.settings import CurrentSettings


def _authority(request: Request) -> Authority | None:
    return cast("Authority | None", request.app.state.authority)


def _token_maker(request: Request) -> TokenMaker | None:
    return cast("TokenMaker | None", request.app.state.client_token)


ClientTokens = Annotated[TokenMaker | None, Depends(_token_maker)]
MaybeAuthority = Annotated[Authority | None, Depends(_authority)]


def _known_authority(authority: MaybeAuthority) -> Authority:
    if authority is None:
        raise NotFoundError(
            "This platform has no certificate authority.",
            code="credential.no_authority",
            hint="Its operator sets DTWIN_PKI__DIRECTORY and DTWIN_PKI__PASSPHRASE.",
        )
    return authority


KnownAuthority = Annotated[Authority, Depends(_known_authority)]


def _issuer(request: Request, authority: MaybeAuthority, settings: CurrentSettings) -> Issuer:
    if authority is None:
        raise ConflictError(
            "This platform issues no certificates: it has no authority.",
            code="credential.no_authority",
            hint="Its operator sets DTWIN_PKI__DIRECTORY and DTWIN_PKI__PASSPHRASE.",
        )
    return Issuer(authority, settings, settings.url or str(request.base_url).rstrip("/"))


CurrentIssuer = Annotated[Issuer, Depends(_issuer)]
