"""A broker's access rules in memory, as strict as a real one, that can be made to fail at any call."""

from collections.abc import Collection, Iterable

from platform_ui.acls.entries import ALL, ALLOW, DENY, Entry
from platform_ui.errors import BrokerError


class KilledError(BaseException):
    """The process ends here: nothing may catch it."""


class MemoryAcls:
    """An `AclPort`; each change of one entry is a step of its own, at which it can be killed.

    Args:
        entries: What is there in the beginning.
        steps: After so many changes it is killed; never when None.
    """

    def __init__(self, entries: Iterable[Entry] = (), steps: int | None = None) -> None:
        self.entries = set(entries)
        self.history = [frozenset(self.entries)]
        self.calls: list[tuple[str, int]] = []
        self._steps = steps

    def describe(self, principal: str | None = None) -> frozenset[Entry]:
        return frozenset(entry for entry in self.entries if principal in (None, entry.principal))

    def create(self, entries: Collection[Entry]) -> None:
        self.calls.append(("create", len(entries)))
        for entry in sorted(entries):
            self._step()
            self.entries.add(entry)
            self.history.append(frozenset(self.entries))

    def delete(self, entries: Collection[Entry]) -> None:
        self.calls.append(("delete", len(entries)))
        for entry in sorted(entries):
            self._step()
            self.entries.discard(entry)
            self.history.append(frozenset(self.entries))

    def delete_allowed(self, principals: Collection[str]) -> None:
        self.calls.append(("delete_allowed", len(principals)))
        for principal in sorted(principals):
            self._step()
            self.entries = {
                entry for entry in self.entries if entry.principal != principal or entry.permission == DENY
            }
            self.history.append(frozenset(self.entries))

    def _step(self) -> None:
        if self._steps is None:
            return
        if self._steps == 0:
            raise KilledError
        self._steps -= 1


class FailingAcls(MemoryAcls):
    """A broker that refuses a change instead of ending the process."""

    def _step(self) -> None:
        try:
            super()._step()
        except KilledError:
            raise BrokerError("no") from None


def may(entries: Iterable[Entry], principal: str, operation: str, resource: str, name: str) -> bool:
    """Decide as Kafka does: a DENY wins, then an ALLOW, else no."""
    concerned = [
        entry
        for entry in entries
        if entry.principal in (principal, "User:*")
        and entry.covers(resource, name)
        and entry.operation in (operation, ALL)
    ]
    return any(entry.permission == ALLOW for entry in concerned) and not any(
        entry.permission == DENY for entry in concerned
    )
