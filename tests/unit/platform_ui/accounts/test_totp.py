"""One-time passwords against the vectors of the RFCs."""

import base64

import pytest

from platform_ui.accounts import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()


# RFC 4226, appendix D, for the counters 0 to 9.
CODES_OF_RFC_4226 = (
    "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
)  # fmt: skip


@pytest.mark.parametrize(("counter", "code"), list(enumerate(CODES_OF_RFC_4226)))
def test_codes_are_those_of_rfc_4226(counter: int, code: str) -> None:
    assert totp.code_at(SECRET, counter) == code


@pytest.mark.parametrize(
    ("time_s", "code"),
    [  # RFC 6238, appendix B, SHA-1
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(time_s: int, code: str) -> None:
    assert totp.code_at(SECRET, totp.step_at(time_s), digits=8) == code


@pytest.mark.parametrize(
    ("late_s", "counts"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)]
)
def test_a_code_counts_one_step_early_or_late(late_s: int, *, counts: bool) -> None:
    time_s = 1_000_000_020.0  # just at the beginning of a step
    code = totp.code_at(SECRET, totp.step_at(time_s))
    assert (totp.matching_step(SECRET, code, time_s + late_s, after=0) is not None) == counts


def test_a_code_does_not_count_after_itself_or_a_later_one() -> None:
    step = totp.step_at(1_000_000_000)
    code = totp.code_at(SECRET, step)
    assert totp.matching_step(SECRET, code, 1_000_000_000, after=step - 1) == step
    assert totp.matching_step(SECRET, code, 1_000_000_000, after=step) is None


@pytest.mark.parametrize("code", ["", "0", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "0000000"])
def test_what_is_no_code_never_matches(code: str) -> None:
    assert totp.matching_step(SECRET, code, 1_000_000_000, after=0) is None


def test_the_address_for_apps_names_account_and_issuer() -> None:
    address = totp.address_of("ABC", "sue@example.com", "Digital Twin Stack")
    assert address == (
        "otpauth://totp/Digital%20Twin%20Stack%3Asue%40example.com?secret=ABC&issuer=Digital%20Twin%20Stack"
    )


def test_every_secret_is_new_and_has_160_bits() -> None:
    first, second = totp.new_secret(), totp.new_secret()
    assert first != second
    assert len(base64.b32decode(first)) == 20
