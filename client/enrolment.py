"""A device's own key and certificate: asked for once with a token, renewed by the device before they end.

What lives here: making keys and signing requests, the two requests to the platform, and replacing the files.
What does not: when connections take the new files into use (`client.renewal`).

A key never leaves the device. The package `cryptography` is needed:

    pip install 'digital-twin-stack[enrolment]'

    python -m client.enrolment --platform https://dtwin.example.com --token TOKEN --out credentials
"""

import argparse
import base64
import contextlib
import datetime as dt
import hashlib
import logging
import os
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2

from client.errors import ConfigurationError, DigitalTwinError, EnrolmentError
from client.messaging.security import KafkaSecurity

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_log = logging.getLogger(__name__)

PLATFORM_VARIABLE: Final = "DTWIN_PLATFORM__URL"
CA_VARIABLE: Final = "DTWIN_PLATFORM__CA_FILE"
_ENROLMENT: Final = "/api/v1/credentials/enrolment"
_RENEWAL: Final = "/api/v1/credentials/renewal"
# First line of what is signed: a signature made for something else never counts there.
_LABEL: Final = "dtwin-renewal-v1"
_PART_LEFT: Final = 3  # renewed when a third of the life is left
_TIMEOUT_S: Final = 15.0
_FIRST_PAUSE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 3600.0
_NEW: Final = ".new"


class Renewal:
    """Renews the certificate of a client when a third of its life is left; calling it does what is due.

    Args:
        platform: Address of the platform, `https://host`.
        certificate_file: The present certificate, PEM; replaced.
        key_file: Its key, PEM; replaced.
        http: A client to use instead of an own one for each renewal.
        ca_file: Authority of the platform's own TLS certificate, PEM; those of the machine when None.
        now: The clock, aware.

    Raises:
        ConfigurationError: `cryptography` is not installed.
        EnrolmentError: A file cannot be read or written.
    """

    def __init__(
        self,
        platform: str,
        certificate_file: Path,
        key_file: Path,
        *,
        http: httpx2.Client | None = None,
        ca_file: str | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        _need_cryptography()
        self._platform = platform.rstrip("/")
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._http = http
        self._ca_file = ca_file
        if http is None:
            _http(ca_file).close()  # a file that cannot be used is told at the start, not in weeks
        self._now = now
        self._pause_s = _FIRST_PAUSE_S
        self._next_try = now()
        finish_replacing(certificate_file, key_file)

    def __call__(self) -> None:
        """Renew the certificate if it is time; after a failure the next try waits, up to an hour.

        Raises:
            EnrolmentError: The platform refuses or does not answer, or the files cannot be read or written.
        """
        present = self._now()
        if present < self._next_try:
            return
        certificate = self._certificate()
        life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        if certificate.not_valid_after_utc - present > life / _PART_LEFT:
            return
        try:
            self.renew(certificate)
        except EnrolmentError:
            self._next_try = present + dt.timedelta(seconds=self._pause_s)
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
            raise
        self._pause_s = _FIRST_PAUSE_S

    def renew(self, certificate: "x509.Certificate | None" = None) -> None:
        """Renew the certificate now.

        Raises:
            EnrolmentError: The platform refuses or does not answer, or the files cannot be read or written.
        """
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra

        present = certificate or self._certificate()
        key, request = _new_key_and_request()
        time = self._now().astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        digest = hashlib.sha256(request.public_bytes(serialization.Encoding.DER)).hexdigest()
        lines = (_LABEL, time, digest, f"{present.serial_number:x}")
        body = {
            "certificate": present.public_bytes(serialization.Encoding.PEM).decode(),
            "request": request.public_bytes(serialization.Encoding.PEM).decode(),
            "time": time,
            "signature": self._sign("".join(f"{line}\n" for line in lines).encode()),
        }
        with _given_or_own(self._http, self._ca_file) as http:
            answer = _post(http, f"{self._platform}{_RENEWAL}", body)
        replace_files(self._certificate_file, answer["certificate"], self._key_file, _pem(key))
        _log.info("renewed the certificate in %s", self._certificate_file)

    def _certificate(self) -> "x509.Certificate":
        from cryptography import x509  # noqa: PLC0415 - an extra

        try:
            return x509.load_pem_x509_certificate(self._certificate_file.read_bytes())
        except (OSError, ValueError) as error:
            raise EnrolmentError(
                f"{self._certificate_file} cannot be read as a certificate: {error}"
            ) from error

    def _sign(self, text: bytes) -> str:
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa  # noqa: PLC0415

        try:
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise EnrolmentError(f"{self._key_file} cannot be read as a key: {error}") from error
        if isinstance(key, ec.EllipticCurvePrivateKey):
            signature = key.sign(text, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
            signature = key.sign(text, pss, hashes.SHA256())
        elif isinstance(key, ed25519.Ed25519PrivateKey):
            signature = key.sign(text)
        else:
            raise EnrolmentError(f"{self._key_file} holds a key of a kind that cannot sign a renewal")
        return base64.b64encode(signature).decode()


def renewal_of(security: KafkaSecurity, environment: Mapping[str, str] | None = None) -> Renewal | None:
    """Return the renewal of a client's certificate by the platform that the environment names, if it does.

    Args:
        security: Names the files.
        environment: Where `DTWIN_PLATFORM__URL` is looked up; the process's environment when left out.

    Without the package `cryptography` nothing is renewed, and a warning says so.
    """
    source = os.environ if environment is None else environment
    platform = source.get(PLATFORM_VARIABLE, "")
    if not platform or security.certificate_file is None or security.key_file is None:
        return None
    files = Path(security.certificate_file), Path(security.key_file)
    try:
        return Renewal(platform, *files, ca_file=source.get(CA_VARIABLE))
    except ConfigurationError as error:
        _log.warning("%s will end without being renewed: %s", files[0], error)
        return None


def enrol(platform: str, token: str, folder: Path, http: httpx2.Client | None = None) -> list[Path]:
    """Make a key and get the first certificate for it, with a token from the client app's page.

    Args:
        platform: Address of the platform, `https://host`.
        token: Counts once, for an hour.
        folder: Where `ca.pem`, `certificate.pem` and `key.pem` go.
        http: A client to use instead of an own one.

    Returns:
        The files.

    Raises:
        ConfigurationError: `cryptography` is not installed.
        EnrolmentError: The platform refuses or does not answer, or the files cannot be written.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra

    key, request = _new_key_and_request()
    body = {"token": token, "request": request.public_bytes(serialization.Encoding.PEM).decode()}
    with _given_or_own(http) as used:
        answer = _post(used, f"{platform.rstrip('/')}{_ENROLMENT}", body)
    files = [folder / name for name in ("ca.pem", "certificate.pem", "key.pem")]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files[0].write_text(answer["ca"], encoding="utf-8")
    except OSError as error:
        raise EnrolmentError(f"{folder} cannot be written: {error}") from error
    replace_files(files[1], answer["certificate"], files[2], _pem(key))
    return files


def replace_files(certificate_file: Path, certificate: str, key_file: Path, key: str) -> None:
    """Replace certificate and key; after a crash in the middle `finish_replacing` does the rest.

    Raises:
        EnrolmentError: They cannot be written.
    """
    try:
        # Both are whole under other names before the first name changes, the certificate last.
        _write(key_file, key)
        _write(certificate_file, certificate)
        _move(key_file)
        _move(certificate_file)
    except OSError as error:
        raise EnrolmentError(f"{certificate_file} and {key_file} cannot be replaced: {error}") from error


def finish_replacing(certificate_file: Path, key_file: Path) -> None:
    """Finish what a crash interrupted: a new certificate that is whole replaces the old one, with its key.

    Raises:
        EnrolmentError: The files cannot be written.
    """
    try:
        if _beside(certificate_file).exists():
            if _beside(key_file).exists():
                _move(key_file)
            _move(certificate_file)
        else:
            _beside(key_file).unlink(missing_ok=True)
    except OSError as error:
        raise EnrolmentError(f"{certificate_file} and {key_file} cannot be replaced: {error}") from error


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}{_NEW}")


def _write(file: Path, text: str) -> None:
    fresh = file.with_name(f"{file.name}.part")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as open_file:
        open_file.write(text)
        open_file.flush()
        os.fsync(open_file.fileno())
    fresh.replace(_beside(file))


def _move(file: Path) -> None:
    _beside(file).replace(file)


def _new_key_and_request() -> "tuple[ec.EllipticCurvePrivateKey, x509.CertificateSigningRequest]":
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    # The platform knows whose it is; what a request says about that counts for nothing.
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return key, request


def _pem(key: "ec.EllipticCurvePrivateKey") -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            "certificates are made and renewed with the package cryptography, which is not installed: "
            "pip install 'digital-twin-stack[enrolment]'",
            setting=PLATFORM_VARIABLE,
        ) from error


def _http(ca_file: str | None = None) -> httpx2.Client:
    try:
        trusted = ssl.create_default_context(cafile=ca_file) if ca_file else True
    except OSError as error:
        raise EnrolmentError(f"{ca_file} cannot be read as certificates: {error}") from error
    return httpx2.Client(timeout=_TIMEOUT_S, verify=trusted)


@contextlib.contextmanager
def _given_or_own(http: httpx2.Client | None, ca_file: str | None = None) -> Iterator[httpx2.Client]:
    """Lend a client that somebody else closes, or one that is closed after its one request."""
    if http is not None:
        yield http
        return
    with _http(ca_file) as own:
        yield own


def _post(http: httpx2.Client, url: str, body: Mapping[str, str]) -> dict[str, Any]:
    try:
        answer = http.post(url, json=body)
        document = answer.json()
    except httpx2.HTTPError as error:
        raise EnrolmentError(f"{url} does not answer: {error}") from error
    except ValueError as error:
        raise EnrolmentError(
            f"{url} answers {answer.status_code} without JSON: is it the platform?"
        ) from error
    if answer.is_error or not isinstance(document, dict):
        said = document if isinstance(document, dict) else {}
        reason = " ".join(str(said[part]) for part in ("detail", "hint") if said.get(part))
        raise EnrolmentError(f"{url} answers {answer.status_code}: {reason or answer.text[:200]}")
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    """Get the first certificate of a device; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m client.enrolment", description=main.__doc__)
    parser.add_argument("--platform", required=True, help="address of the platform, https://host")
    parser.add_argument("--token", required=True, help="from the client app's page; counts once, for an hour")
    parser.add_argument("--out", type=Path, default=Path("credentials"), help="folder for the three files")
    parser.add_argument("--ca-file", help="authority of the platform's own TLS certificate, PEM")
    given = parser.parse_args(arguments)
    try:
        ca, certificate, key = enrol(given.platform, given.token, given.out, _http(given.ca_file))
    except DigitalTwinError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    sys.stdout.write(
        f"DTWIN_KAFKA__SECURITY_PROTOCOL=SSL\nDTWIN_KAFKA__SSL_CA_FILE={ca}\n"
        f"DTWIN_KAFKA__SSL_CERTIFICATE_FILE={certificate}\nDTWIN_KAFKA__SSL_KEY_FILE={key}\n"
        f"{PLATFORM_VARIABLE}={given.platform}\n"
    )
    if given.ca_file:
        sys.stdout.write(f"{CA_VARIABLE}={given.ca_file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
