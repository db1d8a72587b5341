"""Client certificates that this service's own TLS has checked, made visible to the application.

What lives here: the settings of TLS and a protocol that notes the peer's certificate in the ASGI scope. What
does not: what a certificate means (`sensorthings.access.certificates`).

The certificate is at `scope["extensions"]["tls"]["client_certificate"]`, as DER; the place is the one of the
ASGI TLS extension, the form is ours: DER needs no conversion.
"""

import asyncio
import ssl
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CertificateProtocol(HttpToolsProtocol):
    """HTTP that tells the application which certificate the client has shown."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the certificate of a new connection; TLS has verified it, or there is none."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self._certificate: bytes | None = tls.getpeercert(binary_form=True) if tls is not None else None

    def on_message_begin(self) -> None:
        """Note the certificate in the scope of a new request."""
        super().on_message_begin()
        if self._certificate is not None:
            self.scope["extensions"] = {"tls": {"client_certificate": self._certificate}}


def tls_options(certificate: Path | None, key: Path | None, client_ca: Path | None) -> dict[str, Any]:
    """Give the options with which uvicorn serves TLS; none when there is no certificate.

    Args:
        certificate: PEM file of the service's certificate, with its chain.
        key: PEM file of its key; None when it is in the same file.
        client_ca: PEM file of the authorities whose client certificates count; None to ask for none.
    """
    if certificate is None:
        return {}
    options: dict[str, Any] = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key) if key else None}
    if client_ca is None:
        return options
    return options | {
        "ssl_ca_certs": str(client_ca),
        # Optional: who shows none may still send a token. A certificate that is not signed is refused.
        "ssl_cert_reqs": int(ssl.CERT_OPTIONAL),
        "http": CertificateProtocol,
    }
