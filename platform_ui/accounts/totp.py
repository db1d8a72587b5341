"""Time-based one-time passwords, as authenticator apps make them.

What lives here: the arithmetic. What does not: whose secret it is, which codes were used (``second_factor``).

Source: RFC 6238 with RFC 4226; SHA-1, 6 digits and 30 s, because that is all that every app understands.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final
from urllib.parse import quote, urlencode

STEP_S: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20  # RFC 4226, clause 4, R6
DRIFT_STEPS: Final = 1  # RFC 6238, clause 5.2: at most one step for the way


def new_secret() -> str:
    """Return a fresh secret in base32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def step_at(time_s: float) -> int:
    """Return the number of the time step in which a time lies [s since 1970]."""
    return int(time_s // STEP_S)


def code_at(secret: str, step: int, digits: int = DIGITS) -> str:
    """Return the code of a time step.

    Source: RFC 4226, clause 5.3.
    """
    digest = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: str, code: str, time_s: float, *, after: int) -> int | None:
    """Return the time step that a code belongs to, or nothing.

    Args:
        secret: that of the person, in base32.
        code: what was typed.
        time_s: now [s since 1970].
        after: the step of the last code that was used; older ones and itself do not count any more.
    """
    present = step_at(time_s)
    found = None
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def address_of(secret: str, account: str, issuer: str) -> str:
    """Return the address that a QR code tells an authenticator app.

    Source: Key URI Format of Google Authenticator, which all apps read.
    """
    label = quote(f"{issuer}:{account}")
    return f"otpauth://totp/{label}?" + urlencode({"secret": secret, "issuer": issuer}, quote_via=quote)
