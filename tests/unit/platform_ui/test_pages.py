"""Small pure parts of pages: where a log-in leads, and how numbers are shown."""

import re

import pytest

from platform_ui import errors
from platform_ui.accounts.pages import following
from platform_ui.errors import STATUS_OF, PlatformError, status_of
from platform_ui.web import format_number, templates


@pytest.mark.parametrize("path", ["/", "/systems/a.bb.cc.dd", "/apps?x=1"])
def test_a_login_leads_to_where_one_wanted_to_go(path: str) -> None:
    assert following(path) == path


@pytest.mark.parametrize(
    "path",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "", "/a\nb", "/a\\b"],
)
def test_a_login_never_leads_to_another_site(path: str) -> None:
    assert following(path) == "/"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\N{EN DASH}"), (0, "0"), (999, "999"), (1234567, "1\u202f234\u202f567"), (2.5, "2.5")],
)
def test_numbers_are_grouped_and_nothing_is_a_dash(value: float | None, text: str) -> None:
    assert format_number(value) == text


def test_every_platform_error_has_a_status() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlatformError)
    ]
    # A child has the status of its nearest parent.
    assert all(any(parent in STATUS_OF for parent in kind.__mro__) for kind in set(kinds) - {PlatformError})
    assert set(STATUS_OF) <= set(kinds)
    assert status_of(PlatformError("x")) == 500


@pytest.mark.parametrize("name", templates().list_templates())
def test_every_template_compiles_and_has_no_inline_script_or_style(name: str) -> None:
    templates().get_template(name)
    loader = templates().loader
    assert loader is not None
    source, _, _ = loader.get_source(templates(), name)
    assert "<style" not in source
    assert " style=" not in source
    assert " onclick=" not in source
    assert "<script>" not in source
    cut = re.findall(r"<(?:input|textarea)[^>]*\bmaxlength=", source)
    searches = re.findall(r'<input[^>]*(?:type="search"|role="combobox")[^>]*\bmaxlength=', source)
    assert len(cut) == len(searches), "maxlength cuts what is pasted, and nobody says so"
