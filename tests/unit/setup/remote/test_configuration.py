from pathlib import Path

import pytest

from setup.remote.configuration import LOCAL, address_of, configure
from setup.remote.errors import UsageError
from setup.remote.profiles import Profile, ProfileFile, text_of

HOST = "https://twin.example.org"


@pytest.fixture
def file(tmp_path: Path) -> ProfileFile:
    return ProfileFile(tmp_path / "dtwin" / "config.toml")


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    return {"DTWIN_HOME": str(tmp_path / "home")}


def test_without_anything_the_platform_of_this_machine_counts(
    file: ProfileFile, nowhere: dict[str, str]
) -> None:
    found = configure(file, environment=nowhere)
    assert (found.url.text, found.url.origin, found.token.text) == (LOCAL, "default", "")


def test_a_flag_comes_before_the_environment_and_that_before_the_profile(
    file: ProfileFile, nowhere: dict[str, str]
) -> None:
    file.put("work", Profile(HOST, token="kept"))
    assert configure(file, environment=nowhere).url.text == HOST
    environment = nowhere | {"DTWIN_PLATFORM__URL": "https://other.example.org/"}
    assert configure(file, environment=environment).url.text == "https://other.example.org"
    found = configure(file, url="http://127.0.0.1:1", environment=environment)
    assert (found.url.text, found.url.origin) == ("http://127.0.0.1:1", "--url")


def test_a_profile_is_chosen_by_flag_then_variable_then_use(
    file: ProfileFile, nowhere: dict[str, str]
) -> None:
    for name in ("one", "two", "three"):
        file.put(name, Profile(f"https://{name}.example.org"))
    file.use("two")
    assert configure(file, environment=nowhere).profile.text == "two"
    environment = nowhere | {"DTWIN_PROFILE": "three"}
    assert configure(file, environment=environment).profile.text == "three"
    assert configure(file, profile="one", environment=environment).profile.text == "one"
    with pytest.raises(UsageError, match=r"no profile named four .*one, three, two"):
        configure(file, profile="four", environment=environment)


def test_the_token_of_a_profile_never_goes_to_another_address(
    file: ProfileFile, nowhere: dict[str, str]
) -> None:
    file.put("work", Profile(HOST, token="kept"))
    assert configure(file, environment=nowhere).token.text == "kept"
    assert configure(file, url="https://evil.example.org", environment=nowhere).token.text == ""


def test_a_token_of_the_environment_comes_before_that_of_the_profile(
    file: ProfileFile, nowhere: dict[str, str], tmp_path: Path
) -> None:
    file.put("work", Profile(HOST, token="kept"))
    (tmp_path / "token").write_text("of a file\n")
    environment = nowhere | {"DTWIN_TOKEN_FILE": str(tmp_path / "token")}
    assert configure(file, environment=environment).token.text == "of a file"
    assert configure(file, environment=environment | {"DTWIN_TOKEN": "given"}).token.text == "given"
    with pytest.raises(UsageError, match="cannot be read"):
        configure(file, environment=nowhere | {"DTWIN_TOKEN_FILE": str(tmp_path / "none")})


def test_only_its_owner_may_read_the_file(file: ProfileFile) -> None:
    file.put("work", Profile(HOST, token="kept"))
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_what_is_written_is_read_again(file: ProfileFile) -> None:
    profile = Profile(HOST, 'ä "quoted" \\ name\x7f', "token", "refresh", 12.5)
    file.put("with blank", profile)
    found = file.read()
    assert found.known == {"with blank": profile}
    assert text_of(found) == file.path.read_text()


def test_a_removed_profile_is_used_no_more(file: ProfileFile) -> None:
    file.put("one", Profile(HOST))
    file.put("two", Profile(HOST), use=True)
    file.remove("two")
    assert file.read().current == "one"
    with pytest.raises(UsageError, match="no profile named two"):
        file.remove("two")


def test_a_broken_file_is_named(file: ProfileFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("profiles = 7")
    with pytest.raises(UsageError, match=r"config\.toml cannot be read"):
        file.read()


@pytest.mark.parametrize("text", ["twin.example.org", "ftp://host", "https://", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        address_of(text)
