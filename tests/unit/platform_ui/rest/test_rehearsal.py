"""Ports as a rehearsal sees them: what reads goes through, what changes does nothing or is refused."""

import pytest

from platform_ui.errors import RequestError
from platform_ui.rest.rehearsal import Reader


class Port:
    def __init__(self) -> None:
        self.changes: list[str] = []

    def read(self, name: str) -> str:
        return f"read {name}"

    def create(self, name: str, *, adopt: bool = False) -> None:
        del adopt
        self.changes.append(name)

    async def ensure(self, name: str) -> None:
        self.changes.append(name)


async def test_what_changes_does_nothing() -> None:
    port = Port()
    reader = Reader(port, idle=("create", "ensure"))
    assert reader.read("a") == "read a"
    assert reader.create("a", adopt=True) is None
    await reader.ensure("a")
    assert port.changes == []
    port.create("b")
    assert port.changes == ["b"]


def test_what_cannot_be_answered_with_nothing_is_refused() -> None:
    with pytest.raises(RequestError) as found:
        Reader(Port(), refused=("create",)).create("a")
    assert found.value.code == "request.not_rehearsed"
