"""How to reach Kafka securely: one frozen settings object, checked before any connection is opened.

What lives here: TLS and SASL settings, where they are read from, and their librdkafka form. What does not:
making certificates (`setup`) and access rules (`platform_ui`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from client.errors import ConfigurationError

_PREFIX: Final = "DTWIN_KAFKA__"
PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
OAUTHBEARER: Final = "OAUTHBEARER"
PASSWORD_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SASL_MECHANISMS: Final = (*PASSWORD_MECHANISMS, OAUTHBEARER)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """Security settings of a connection to Kafka; an instance is complete and its files can be read.

    Files are PEM. Secrets do not show in `repr`.

    Raises:
        ConfigurationError: naming the setting, before any connection.
    """

    protocol: str = "PLAINTEXT"
    ca_file: Path | str | None = None
    certificate_file: Path | str | None = None
    key_file: Path | str | None = None
    key_password: str | None = field(default=None, repr=False)
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    oauth_client_id: str | None = None
    oauth_client_secret: str | None = field(default=None, repr=False)
    oauth_token_url: str | None = None
    oauth_scope: str | None = None
    oauth_ca_file: Path | str | None = None

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise _error("SECURITY_PROTOCOL", f"is {self.protocol!r}; choose one of {', '.join(PROTOCOLS)}")
        if self.uses_tls:
            self._check_tls()
        elif self.ca_file or self.certificate_file or self.key_file:
            raise _error("SECURITY_PROTOCOL", f"is {self.protocol}, but TLS files are given; set it to SSL")
        if self.uses_sasl:
            self._check_sasl()

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def uses_sasl(self) -> bool:
        """Whether the client shows a user name and a password, or a token."""
        return self.protocol.startswith("SASL_")

    @property
    def uses_tokens(self) -> bool:
        """Whether the client gets tokens with its id and secret (OAuth 2.0) and shows these."""
        return self.uses_sasl and self.sasl_mechanism == OAUTHBEARER

    def _check_tls(self) -> None:
        files = {
            "SSL_CA_FILE": self.ca_file,
            "SSL_CERTIFICATE_FILE": self.certificate_file,
            "SSL_KEY_FILE": self.key_file,
        }
        for setting, path in files.items():
            if path is not None:
                _check_readable(setting, Path(path))
        if (self.certificate_file is None) != (self.key_file is None):
            missing = "SSL_KEY_FILE" if self.key_file is None else "SSL_CERTIFICATE_FILE"
            raise _error(missing, "is missing; a client certificate and its key are given together")

    def _check_sasl(self) -> None:
        if self.sasl_mechanism not in SASL_MECHANISMS:
            raise _error(
                "SASL_MECHANISM", f"is {self.sasl_mechanism!r}; choose one of {', '.join(SASL_MECHANISMS)}"
            )
        self._check_secrets()

    def _check_secrets(self) -> None:
        if self.uses_tokens:
            needed = {
                "OAUTH_CLIENT_ID": self.oauth_client_id,
                "OAUTH_CLIENT_SECRET": self.oauth_client_secret,
                "OAUTH_TOKEN_URL": self.oauth_token_url,
            }
        else:
            needed = {"SASL_USERNAME": self.sasl_username, "SASL_PASSWORD": self.sasl_password}
        for setting, value in needed.items():
            if not value:
                raise _error(setting, f"is missing; {self.sasl_mechanism} over {self.protocol} needs it")
        if self.oauth_ca_file is not None:
            _check_readable("OAUTH_CA_FILE", Path(self.oauth_ca_file))
        if self.uses_tokens and urlsplit(self.oauth_token_url).scheme not in {"http", "https"}:
            raise _error(
                "OAUTH_TOKEN_URL", f"is {self.oauth_token_url!r}; give the https address of a token endpoint"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "KafkaSecurity":
        """Read the settings `DTWIN_KAFKA__*`; a secret may also come from a file named by `<setting>_FILE`.

        Args:
            environment: Where to read; the process's environment when left out.

        Raises:
            ConfigurationError: naming the setting.
        """
        source = os.environ if environment is None else environment

        def read(name: str) -> str | None:
            return source.get(_PREFIX + name) or None

        def read_secret(name: str) -> str | None:
            path = read(f"{name}_FILE")
            if path is None:
                return read(name)
            _check_readable(f"{name}_FILE", Path(path))
            return Path(path).read_text(encoding="utf-8").strip()

        return cls(
            protocol=read("SECURITY_PROTOCOL") or "PLAINTEXT",
            ca_file=read("SSL_CA_FILE"),
            certificate_file=read("SSL_CERTIFICATE_FILE"),
            key_file=read("SSL_KEY_FILE"),
            key_password=read_secret("SSL_KEY_PASSWORD"),
            sasl_mechanism=read("SASL_MECHANISM"),
            sasl_username=read("SASL_USERNAME"),
            sasl_password=read_secret("SASL_PASSWORD"),
            oauth_client_id=read("OAUTH_CLIENT_ID"),
            oauth_client_secret=read_secret("OAUTH_CLIENT_SECRET"),
            oauth_token_url=read("OAUTH_TOKEN_URL"),
            oauth_scope=read("OAUTH_SCOPE"),
            oauth_ca_file=read("OAUTH_CA_FILE"),
        )

    def to_librdkafka(self) -> dict[str, str]:
        """Write the settings as librdkafka (and so confluent-kafka) spells them; unset ones are left out.

        Source: librdkafka CONFIGURATION.md; for tokens RFC 7628 and RFC 6749, clause 4.4.
        """
        tokens = {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": self.oauth_client_id,
            "sasl.oauthbearer.client.secret": self.oauth_client_secret,
            "sasl.oauthbearer.token.endpoint.url": self.oauth_token_url,
            "sasl.oauthbearer.scope": self.oauth_scope,
            "https.ca.location": self.oauth_ca_file,
        }
        shows_password = self.uses_sasl and not self.uses_tokens
        settings = {
            "security.protocol": self.protocol,
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
            "ssl.key.password": self.key_password,
            "ssl.endpoint.identification.algorithm": "https" if self.uses_tls else None,
            "sasl.mechanism": self.sasl_mechanism if self.uses_sasl else None,
            "sasl.username": self.sasl_username if shows_password else None,
            "sasl.password": self.sasl_password if shows_password else None,
            **(tokens if self.uses_tokens else {}),
        }
        return {name: str(value) for name, value in settings.items() if value is not None}


def _error(setting: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{_PREFIX}{setting} {problem}", setting=_PREFIX + setting)


def _check_readable(setting: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise _error(setting, f"names {path}, which cannot be read: {error.strerror}") from error
