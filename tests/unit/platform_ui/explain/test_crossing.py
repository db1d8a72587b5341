"""Records as somebody writes them into a question."""

import pytest

from platform_ui.explain.crossing import check_record


def test_a_record_is_taken_as_it_is_written() -> None:
    assert check_record(' {"result": 7.0} ') == '{"result": 7.0}'
    assert check_record("  ") == ""


@pytest.mark.parametrize("text", ["[]", "7", "{", "null", "[" * 100_000, "9" * 5000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_record(text)
