"""The forms of credentials, and what devices send; limits are those of the columns."""

from typing import Annotated

from pydantic import StringConstraints

from platform_ui.credentials.models import MAX_REASON
from platform_ui.fields import Form

MAX_PEM = 16384  # characters; a request with an RSA key of 16384 bits has about 6,000

Pem = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PEM)]


class RequestForm(Form):
    """A certificate signing request, PKCS #10 as PEM (RFC 2986; RFC 7468, clause 7)."""

    request: Pem


class RevocationForm(Form):
    """Why all certificates are taken back; for those who read it later."""

    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""


class RenewalForm(Form):
    """What a device sends to have its certificate renewed."""

    certificate: Pem
    request: Pem
    time: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    signature: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class EnrolmentForm(Form):
    """What a device sends to get its first certificate."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    request: Pem
