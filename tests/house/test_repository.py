"""Nothing in the repository tells where it was made, or fetches from a fixed place."""

import re
from pathlib import Path

import pytest

from tests.house.documents import ROOT, read, text_files

_FORBIDDEN = {
    "a home folder": re.compile(r"(?<![\w.])/(?:root|home/[a-z][a-z0-9_-]*|Users/[A-Za-z]+)/"),
    "a package registry": re.compile(
        r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|maven\.org|maven\.apache\.org/maven2|repo\.maven\."
    ),
}
_THIS_FILE = Path(__file__).resolve().relative_to(ROOT)  # it must name what it looks for


@pytest.mark.parametrize("what", _FORBIDDEN)
def test_no_file_holds_an_address_that_is_only_ours(what: str) -> None:
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in text_files()
        if path != _THIS_FILE
        for number, line in enumerate(read(path).splitlines(), 1)
        if _FORBIDDEN[what].search(line)
    ]
    assert found == []


@pytest.mark.parametrize("text", ["/root/x", "see /home/sue/x", "'/Users/Sue/x'"])
def test_home_folders_are_recognised(text: str) -> None:
    assert _FORBIDDEN["a home folder"].search(text)


@pytest.mark.parametrize("text", ["https://pypi.org/simple", "//registry.npmjs.org/a", "repo1.maven.org"])
def test_package_registries_are_recognised(text: str) -> None:
    assert _FORBIDDEN["a package registry"].search(text)
