"""Entity tags: what they name, and when one matches."""

import pytest

from platform_ui.rest.etags import matches, tag_of


def test_a_tag_names_the_content_but_for_what_moves_by_itself() -> None:
    moving = frozenset({"lag"})
    assert tag_of(b'{"a": 1}') == tag_of(b'{"a": 1}') != tag_of(b'{"a": 2}')
    assert tag_of(b'{"a": 1, "lag": 2}', moving) == tag_of(b'{"lag": 3, "a": 1}', moving)
    assert tag_of(b'{"a": 1, "lag": 2}', moving) != tag_of(b'{"a": 2, "lag": 2}', moving)
    assert tag_of(b"{}").startswith('"')
    assert tag_of(b"{}").endswith('"')


@pytest.mark.parametrize(
    ("header", "strong", "weak"),
    [
        ('"a"', True, True),
        ('"b", "a"', True, True),
        ('"b","a"', True, True),
        ('W/"a"', False, True),
        ("*", True, True),
        (" * ", True, True),
        ("a", False, False),
        ('"ab"', False, False),
        ("", False, False),
        ('"b, a"', False, False),
    ],
)
def test_a_list_of_tags_matches_as_the_standard_says(header: str, strong: bool, weak: bool) -> None:
    assert matches(header, '"a"') is strong
    assert matches(header, '"a"', is_weak=True) is weak
