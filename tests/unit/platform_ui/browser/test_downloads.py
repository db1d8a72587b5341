"""Names of files to save."""

import pytest

from platform_ui.browser.downloads import attachment, disposition


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("car_1.zip", "attachment; filename=\"car_1.zip\"; filename*=UTF-8''car_1.zip"),
        ("Zürich.csv", "attachment; filename=\"Z_rich.csv\"; filename*=UTF-8''Z%C3%BCrich.csv"),
        ("../../etc/passwd", "attachment; filename=\"etc_passwd\"; filename*=UTF-8''_.._etc_passwd"),
        ("..", "attachment; filename=\"download\"; filename*=UTF-8''download"),
    ],
)
def test_a_name_is_safe_for_old_and_new_programs(name: str, line: str) -> None:
    assert disposition(name) == line


@pytest.mark.parametrize("name", ['a"; x="b', "a\r\nSet-Cookie: x=y", "a\x00b", "\u202egnp.exe", "a" * 5000])
def test_no_name_breaks_out_of_the_header(name: str) -> None:
    line = disposition(name)
    assert line.isascii()
    assert line.isprintable()
    assert line.count('"') == 2
    assert len(line) < 1000


def test_a_download_is_saved_under_its_name() -> None:
    answer = attachment(b"x", "a.zip", "application/zip")
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-type"] == "application/zip"
