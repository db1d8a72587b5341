"""The command line and what the pages say about it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.command_tree import OWN_OPTIONS, PAGE, commands, page
from tests.house.documents import ROOT, blocks, pages, prose

_INLINE = re.compile(r"`((?:\./)?dtwin [^`]*)`")
_SETTING = re.compile(r"[A-Z_]+=\S*")


def mentions() -> Iterator[tuple[str, str]]:
    """Every use of `dtwin` in the pages: where, and the whole command."""
    for path in pages():
        for command in _INLINE.findall(prose(path)):
            yield str(path), command
    for block in blocks("bash"):
        lines = block.code.replace("\\\n", " ").splitlines()
        for line in lines:
            if re.match(r"([A-Z_]+=\S* )*(\./)?dtwin\b", line.strip()):
                yield str(block), line.strip()


def words_of(command: str) -> list[str]:
    """Its words after `dtwin`, up to a pipe or a redirection."""
    words = [word for word in shlex.split(command, comments=True) if not _SETTING.fullmatch(word)]
    assert words[0] in {"dtwin", "./dtwin"}
    ends = [words.index(sign) for sign in ("|", "<", ">", "2>") if sign in words]
    return words[1 : min(ends, default=len(words))]


def longest_first(words: list[str]) -> list[str]:
    """What the command could be called: its first three words, two, one."""
    return [" ".join(words[:count]) for count in (3, 2, 1)]


@pytest.mark.parametrize(("where", "command"), sorted(set(mentions())))
def test_commands_in_pages_exist_with_their_options(where: str, command: str) -> None:
    words = words_of(command)
    known = commands()
    if words in (["..."], [*words[:1], "..."]) or set(words) <= OWN_OPTIONS:
        return
    name = next((one for one in longest_first(words) if one in known), " ".join(words[:2]))
    assert name in known, f"{where}: {command}"
    options = {option for parameter in known[name].params for option in parameter.opts}
    options |= {option for parameter in known[name].params for option in parameter.secondary_opts}
    used = {word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)}
    passed_on = {"-k"} if name == "test" else set()
    assert used <= options | passed_on | {"--help", "-h"}, f"{where}: {command}"


def test_the_page_of_the_command_line_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.house.command_tree"


def test_the_readme_names_the_command_that_the_build_machine_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Two commands", 1)[1].split("\n## ", 1)[0]
    commands_shown = re.findall(r"^\./dtwin \w+", section, flags=re.MULTILINE)
    assert commands_shown == ["./dtwin demo", "./dtwin test"]
    build = Path(ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^exec \./dtwin test\b", build, flags=re.MULTILINE)
