"""Identities: subject, principal, and the way back; nothing else is taken for one of ours."""

import re

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from platform_ui.pki.names import Identity, Kind, principal_mapping_rules

CAR = Identity(Kind.CLIENT, "cz.icecars.CarFleet.Car1.car_1")
LONG = "a" * 21 + "." + "b" * 30 + "." + "c" * 20 + "." + "d" * 20
names = st.lists(
    st.text("abcABC019-_", min_size=1, max_size=8).filter(lambda part: part.strip("~")),
    min_size=1,
    max_size=5,
).map(".".join)
identities = st.builds(Identity, st.sampled_from(Kind), names, st.integers(1, 999_999_999))


@given(identities)
def test_subject_and_principal_lead_back_to_the_identity(identity: Identity) -> None:
    assert Identity.of_subject(identity.subject) == identity
    assert Identity.of_principal(identity.principal) == identity


def mapped(subject: str) -> str:
    """What the broker makes of a subject: the first rule that fits, as Kafka does it."""
    for rule in principal_mapping_rules().removeprefix("RULE:").split(",RULE:"):
        pattern, replacement, _ = rule.split("/")
        found = re.match(pattern, subject)
        if found:
            return found.expand(replacement.replace("$", "\\"))
    return subject


@given(identities)
def test_the_broker_makes_the_same_principal_of_the_subject(identity: Identity) -> None:
    # Kafka shows a subject as RFC 2253 does: the last part of the DER first.
    assert f"User:{mapped(identity.subject.rfc4514_string())}" == identity.principal


def test_a_long_name_stands_whole_in_the_user_id() -> None:
    identity = Identity(Kind.CLIENT, LONG, 3)
    common = identity.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert common == LONG[:64]
    assert identity.principal == f"User:client.{LONG}~3"


@pytest.mark.parametrize("name", ["", ".", "a..b", "a b", "a,OU=dt-service", "a/b", "ü", "a~2", "a\n", "a+b"])
def test_a_name_that_could_change_a_subject_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name for a certificate"):
        Identity(Kind.CLIENT, name)


def subject(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


ORG, OU, CN, UID = (
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.COMMON_NAME,
    NameOID.USER_ID,
)


@pytest.mark.parametrize(
    "forged",
    [
        subject((CN, "broker")),
        subject((ORG, "dt"), (OU, "dt-service"), (CN, "x"), (UID, "broker")),
        subject((ORG, "other"), (OU, "dt-service"), (CN, "broker"), (UID, "broker")),
        subject((ORG, "dt"), (OU, "dt-client"), (OU, "dt-service"), (CN, "broker"), (UID, "broker")),
        subject((ORG, "dt"), (OU, "dt-king"), (CN, "broker"), (UID, "broker")),
        subject((UID, "broker"), (CN, "broker"), (OU, "dt-service"), (ORG, "dt")),
    ],
)
def test_a_subject_of_another_form_is_none_of_ours(forged: x509.Name) -> None:
    with pytest.raises(ValueError, match="no subject of this platform"):
        Identity.of_subject(forged)


@pytest.mark.parametrize(
    "forged",
    [
        subject((ORG, "dt"), (OU, "dt-client"), (CN, "a,OU=dt-service,O=dt"), (UID, "a")),
        subject((ORG, "dt,OU=dt-service"), (CN, "broker"), (UID, "broker")),
        subject((ORG, "other"), (OU, "dt-service"), (CN, "broker"), (UID, "broker")),
        subject((CN, "broker")),
    ],
)
def test_the_broker_gives_no_power_to_a_forged_subject(forged: x509.Name) -> None:
    assert mapped(forged.rfc4514_string()) == "nobody"


@pytest.mark.parametrize(
    "principal", ["User:ANONYMOUS", "User:king.a", "User:client.", "User:client.a~1", "client"]
)
def test_other_principals_are_none_of_ours(principal: str) -> None:
    with pytest.raises(ValueError, match=r"principal of this platform|name for a certificate"):
        Identity.of_principal(principal)


def test_epochs_begin_with_one() -> None:
    with pytest.raises(ValueError, match="epochs begin with 1"):
        Identity(Kind.CLIENT, CAR.name, 0)
