"""Forms: their limits are those of the columns, their messages say what to do."""

import pytest
from sqlalchemy import String

from platform_ui.accounts.forms import LoginForm, MemberForm, SignUpForm
from platform_ui.accounts.models import User
from platform_ui.clients.forms import ClientForm
from platform_ui.clients.models import ClientApp
from platform_ui.companies.forms import CompanyForm
from platform_ui.companies.limits import LimitsForm
from platform_ui.companies.models import Company
from platform_ui.contracts.forms import TermsForm
from platform_ui.errors import FormError
from platform_ui.fields import Form, read_form
from platform_ui.streams.forms import StreamAppForm
from platform_ui.streams.models import StreamApp
from platform_ui.systems.forms import SystemForm
from platform_ui.systems.models import System

SIGN_UP = {
    "first_name": "Ann",
    "last_name": "Lee",
    "email": "Ann.Lee@Example.COM ",
    "password": "really long enough",
    "confirm": "really long enough",
}


def refused(kind: type[Form], values: dict[str, str]) -> dict[str, str]:
    with pytest.raises(FormError) as caught:
        read_form(kind, values)
    return caught.value.fields


def test_an_email_address_is_stored_in_lower_case_without_blanks() -> None:
    assert read_form(SignUpForm, SIGN_UP).email == "ann.lee@example.com"


@pytest.mark.parametrize(
    "text", ["", "ann", "ann@", "@example.com", "a b@example.com", "a@b", "a@b.c\n.d", "a@@b.cc"]
)
def test_what_is_no_email_address_is_refused_at_its_field(text: str) -> None:
    assert list(refused(MemberForm, {"email": text})) == ["email"]


def test_blanks_around_a_password_belong_to_it() -> None:
    form = read_form(LoginForm, {"email": "a@b.cc", "password": " secret "})
    assert form.password == " secret "


def test_two_different_passwords_are_refused() -> None:
    assert refused(SignUpForm, {**SIGN_UP, "confirm": "really long enough "}) == {
        "form": "The two passwords differ."
    }


def test_a_short_password_is_refused_with_the_minimum() -> None:
    fields = refused(SignUpForm, {**SIGN_UP, "password": "short", "confirm": "short"})
    assert fields == {"password": "At least 12 characters."}


@pytest.mark.parametrize(
    ("domain", "enterprise", "wrong"),
    [
        ("", "icecars", ["domain"]),
        ("abcdef", "icecars", ["domain"]),
        ("c.z", "icecars", ["domain"]),
        ("cz", "i", ["enterprise"]),
        ("cz", "ice cars", ["enterprise"]),
        ("cz", "i" * 16, ["enterprise"]),
        ("çz", "ice_cars", ["domain", "enterprise"]),
        ("cz", "icecars\n", []),
    ],
)
def test_the_levels_of_a_company_name_are_checked(domain: str, enterprise: str, wrong: list[str]) -> None:
    values = {"domain": domain, "enterprise": enterprise}
    if wrong:
        assert list(refused(CompanyForm, values)) == wrong
    else:
        assert read_form(CompanyForm, values).name == "cz.icecars"


def test_a_full_name_is_made_of_its_levels() -> None:
    form = read_form(SystemForm, {"company": "cz.icecars", "workcenter": "Fleet", "station": "Car1"})
    assert form.name == "cz.icecars.Fleet.Car1"


@pytest.mark.parametrize(
    "text", ["ftp://x", "http://", "host:1", "http://user@host", "http://a b", "javascript:alert(1)"]
)
def test_a_metadata_address_must_be_a_web_address(text: str) -> None:
    assert list(refused(ClientForm, {"name": "car_1", "metadata_uri": text})) == ["metadata_uri"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("-3", "At least 0."), ("999999999", "At most 100000."), ("many", "This must be a whole number.")],
)
def test_a_number_that_is_refused_is_answered_with_its_bounds(text: str, said: str) -> None:
    assert refused(LimitsForm, {"max_apps": text}) == {"max_apps": said}


@pytest.mark.parametrize(
    ("text", "has"), [("x" * 51, 51), (f"  {'x' * 60} ", 60), ("x" * 100_000, 100_000), ("é" * 51, 51)]
)
def test_a_text_that_is_too_long_is_answered_with_how_long_it_is(text: str, has: int) -> None:
    fields = refused(SignUpForm, SIGN_UP | {"first_name": text})
    assert fields == {"first_name": f"At most 50 characters; this has {has}."}


def test_blanks_count_where_they_belong_to_the_text() -> None:
    fields = refused(LoginForm, {"email": "a@b.cc", "password": f"{'x' * 128} "})
    assert fields == {"password": "At most 128 characters; this has 129."}


def test_an_email_address_that_is_too_long_says_so() -> None:
    address = f"ann@{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 62}.example"
    assert refused(MemberForm, {"email": address}) == {"email": "At most 254 characters; this has 257."}


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "31.12.2026 23:59", "12:00:00"])
def test_what_is_no_time_is_answered_with_an_example(text: str) -> None:
    said = "This must be a time, such as 2026-01-31T12:00:00Z."
    assert refused(TermsForm, {"purpose": "ice", "ends_at": text}) == {"ends_at": said}


@pytest.mark.parametrize("text", ["-app", "_app", "my app", "a/b", "..", "a"])
def test_the_name_of_a_stream_app_is_fit_for_a_folder(text: str) -> None:
    values = {"name": text, "target_system": "a.bb.cc.dd", "statement": "x"}
    assert list(refused(StreamAppForm, values)) == ["name"]


@pytest.mark.parametrize(
    ("form", "model", "names"),
    [
        (SignUpForm, User, {"first_name": "first_name", "last_name": "last_name"}),
        (CompanyForm, Company, {"description": "description"}),
        (SystemForm, System, {"description": "description"}),
        (
            ClientForm,
            ClientApp,
            {"name": "name", "metadata_uri": "metadata_uri", "description": "description"},
        ),
        (StreamAppForm, StreamApp, {"name": "name", "statement": "statement", "description": "description"}),
    ],
)
def test_a_form_accepts_exactly_as_much_as_its_column(
    form: type[Form], model: type[Company], names: dict[str, str]
) -> None:
    schema = form.model_json_schema()["properties"]
    for field, column in names.items():
        kind = model.__table__.columns[column].type
        assert isinstance(kind, String)
        assert schema[field]["maxLength"] == kind.length, field


def test_the_longest_names_fill_the_column_of_a_system() -> None:
    kind = System.__table__.columns["name"].type
    assert isinstance(kind, String)
    longest = ".".join(("d" * 5, "e" * 15, "w" * 30, "s" * 20))
    assert kind.length == len(longest)
