"""Identities: one name for a client app, stream app or service in certificates and in Kafka.

What lives here: the subject of a certificate, the Kafka principal, the rules by which a broker gets from one
to the other, and the way back. What does not: making certificates (``authority``), and who may do what.

A subject is ``UID=<uid>,CN=<uid>,OU=dt-<kind>,O=dt``. The common name holds at most 64 characters (RFC 5280,
appendix A.1, ``ub-common-name``) and names of ours up to 134; so the whole name stands in UID (RFC 4519,
clause 2.39), and the common name shows as much of it as fits.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

ORGANIZATION: Final = "dt"
UNIT_PREFIX: Final = "dt-"
PRINCIPAL_TYPE: Final = "User:"
POWERLESS: Final = "nobody"
"""Kafka name of whoever shows a certificate whose subject is none of ours."""
MAX_COMMON_NAME: Final = 64
_UID: Final = re.compile(
    r"(?P<name>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(?:~(?P<epoch>[2-9]|[1-9][0-9]{1,8}))?", re.ASCII
)
_RULE: Final = r"^UID=([A-Za-z0-9._~-]+),CN=[A-Za-z0-9._~-]+,OU=dt-{kind},O=dt$"


class Kind(StrEnum):
    """What shows a certificate."""

    CLIENT = "client"
    APP = "app"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """Somebody who can show a certificate; an instance is always valid.

    Attributes:
        kind: What it is.
        name: Client app ``<system>.<client>``, stream app ``<source system>.<app>``, or a service's name.
        epoch: Counts revocations, from 1: what an earlier epoch was given is another, powerless principal.

    Raises:
        ValueError: The name cannot stand in a certificate, or the epoch is below 1.
    """

    kind: Kind
    name: str
    epoch: int = 1

    def __post_init__(self) -> None:
        found = _UID.fullmatch(self.name)
        if found is None or found["epoch"] is not None:
            raise ValueError(
                f"{self.name!r} is no name for a certificate: use letters, digits, '.', '_', '-'"
            )
        if self.epoch < 1:
            raise ValueError(f"the epoch of {self.name} is {self.epoch}, but epochs begin with 1")

    @property
    def uid(self) -> str:
        """The name, with ``~<epoch>`` from the second epoch on."""
        return self.name if self.epoch == 1 else f"{self.name}~{self.epoch}"

    @property
    def principal(self) -> str:
        """The Kafka principal, for instance ``User:client.cz.icecars.CarFleet.Car1.car_1``."""
        return f"{PRINCIPAL_TYPE}{self.kind}.{self.uid}"

    @property
    def subject(self) -> x509.Name:
        """The subject of its certificates, in the order of DER: organization first."""
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{UNIT_PREFIX}{self.kind}"),
                x509.NameAttribute(NameOID.COMMON_NAME, self.uid[:MAX_COMMON_NAME]),
                x509.NameAttribute(NameOID.USER_ID, self.uid),
            ]
        )

    @classmethod
    def of_subject(cls, subject: x509.Name) -> "Identity":
        """Read the subject of a certificate.

        Raises:
            ValueError: It is none of ours.
        """
        parts = {attribute.oid: str(attribute.value) for attribute in subject}
        unit = parts.get(NameOID.ORGANIZATIONAL_UNIT_NAME, "")
        kind, uid = unit.removeprefix(UNIT_PREFIX), parts.get(NameOID.USER_ID, "")
        if kind not in set(Kind):
            raise ValueError(f"{subject.rfc4514_string()} is no subject of this platform")
        found = _of_uid(Kind(kind), uid)
        # Also refuses attributes that stand there twice, or in another order.
        if found.subject != subject:
            raise ValueError(f"{subject.rfc4514_string()} is no subject of this platform")
        return found

    @classmethod
    def of_principal(cls, principal: str) -> "Identity":
        """Read a Kafka principal, with or without ``User:``.

        Raises:
            ValueError: It is none of ours.
        """
        kind, _, uid = principal.removeprefix(PRINCIPAL_TYPE).partition(".")
        if kind not in set(Kind):
            raise ValueError(f"{principal} is no principal of this platform")
        return _of_uid(Kind(kind), uid)


def _of_uid(kind: Kind, uid: str) -> Identity:
    found = _UID.fullmatch(uid)
    if found is None:
        raise ValueError(f"{uid!r} is no name for a certificate")
    return Identity(kind, found["name"], int(found["epoch"] or 1))


def principal_mapping_rules() -> str:
    """Give the broker's ``ssl.principal.mapping.rules``: our subjects, and one powerless name for all else.

    Never ``DEFAULT``: a certificate of the same authority with a made-up subject must stay powerless.

    Source: Apache Kafka 4.1 documentation, "Customizing SSL User Name".
    """
    rules = [f"RULE:{_RULE.format(kind=kind)}/{kind}.$1/" for kind in Kind]
    return ",".join([*rules, f"RULE:^.*$/{POWERLESS}/"])
