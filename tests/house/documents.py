"""The repository's files as text, and what stands in its Markdown pages."""

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BINARY = {".png", ".ico", ".woff2", ".jpg", ".gif"}
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^ *```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        path: The page, relative to the repository.
        line: Line of its fence, from 1.
        language: The word behind the fence.
        code: What stands between the fences, without the indentation of a list.
    """

    path: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@cache
def text_files() -> tuple[Path, ...]:
    """Every text file that belongs to the repository, relative to it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = sorted({Path(name) for name in listed})
    return tuple(path for path in found if path.suffix not in _BINARY and (ROOT / path).is_file())


def read(path: Path) -> str:
    """The text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown page."""
    return tuple(path for path in text_files() if path.suffix == ".md")


@cache
def blocks(*languages: str) -> tuple[Block, ...]:
    """Every fenced block in one of these languages."""
    return tuple(
        block
        for path in pages()
        for block in _blocks_of(path)
        if not languages or block.language in languages
    )


def _blocks_of(path: Path) -> list[Block]:
    text = read(path)
    return [
        Block(
            path,
            text.count("\n", 0, match.start()) + 1,
            match["language"],
            re.sub(rf"^{match['indent']}", "", match["code"], flags=re.MULTILINE),
        )
        for match in _FENCE.finditer(text)
    ]


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", read(path))
