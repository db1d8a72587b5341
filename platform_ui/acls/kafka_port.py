"""The access rules of a real broker, through its admin interface.

What lives here: `AclPort` (what is needed of a broker), `KafkaAcls` (blocking, so called in threads), and how
a plan is carried out. What does not: what should be there (``compiling``), and when it is brought there
(``keeper``).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol, TypeVar

from client.messaging.security import KafkaSecurity
from platform_ui.acls import wire
from platform_ui.acls.connection import Connection
from platform_ui.acls.entries import ALLOW, Entry
from platform_ui.acls.planning import Plan
from platform_ui.errors import AuthorizerMissingError, BrokerError, BrokerRefusedError

BATCH: Final = 1_000
"""Entries of one request; Kafka takes at most 10,000 (``QuorumController.MAX_RECORDS_PER_USER_OP``)."""
DELETED_AT_ONCE: Final = 50
"""Filters of one request: for each the controller looks at all its rules, and does nothing else meanwhile."""
_ERRORS_NAMED: Final = 5
# Error numbers of Kafka's protocol.
_CLUSTER_AUTHORIZATION_FAILED: Final = 31
_SECURITY_DISABLED: Final = 54

_Item = TypeVar("_Item")


class AclPort(Protocol):
    """What the platform needs of a broker to keep access rules."""

    def describe(self, principal: str | None = None) -> frozenset[Entry]:
        """Give all entries, or those of one principal.

        Raises:
            BrokerError: The broker does not answer, has no authorizer, or refuses.
        """

    def create(self, entries: Collection[Entry]) -> None:
        """Make entries; those that are there already stay.

        Raises:
            BrokerError: At least one was not made; the others may have been.
        """

    def delete(self, entries: Collection[Entry]) -> None:
        """Remove entries; those that are not there are no mistake.

        Raises:
            BrokerError: At least one was not removed; the others may have been.
        """

    def delete_allowed(self, principals: Collection[str]) -> None:
        """Remove all ALLOW entries of principals.

        Raises:
            BrokerError: At least one was not removed; the others may have been.
        """


def carry_out(plan: Plan, present: Collection[Entry], port: AclPort) -> None:
    """Bring a plan to a broker, in the order that is safe wherever it is interrupted.

    Args:
        plan: The steps.
        present: Entries that are there; tells who loses everything, for which one request is enough.
        port: The broker.

    Raises:
        BrokerError: A step failed; those after it were not begun.
    """
    if plan.refusals:
        port.create(plan.refusals)
    _remove(plan, present, port)
    if plan.grants:
        port.create(plan.grants)
    if plan.pardons:
        port.delete(plan.pardons)


def _remove(plan: Plan, present: Collection[Entry], port: AclPort) -> None:
    if not plan.removals:
        return
    affected = {entry.principal for entry in plan.removals}
    # The controller looks at every entry for every filter of a request: so one filter for a whole principal.
    kept = {
        entry.principal
        for entry in present
        if entry.principal in affected and entry.permission == ALLOW and entry not in plan.removals
    }
    if affected - kept:
        port.delete_allowed(affected - kept)
    rest = [entry for entry in plan.removals if entry.principal in kept]
    if rest:
        port.delete(rest)


class KafkaAcls:
    """Access rules of a real cluster.

    Args:
        bootstrap_servers: `host:port`, several separated by commas.
        security: How it is reached; as a principal that may change access rules.
    """

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity | None = None) -> None:
        self._connection = Connection(bootstrap_servers, security or KafkaSecurity())

    def describe(self, principal: str | None = None) -> frozenset[Entry]:
        """Give all entries, or those of one principal; see `AclPort.describe`."""
        outcome, found = wire.read_described(self._connection.ask([wire.describe_acls(principal)])[0])
        check_outcomes([(outcome, "reading the access rules")], self._connection.bootstrap_servers)
        return found

    def create(self, entries: Collection[Entry]) -> None:
        """Make entries; see `AclPort.create`."""
        self._change(list(entries), BATCH, wire.create_acls, wire.read_created)

    def delete(self, entries: Collection[Entry]) -> None:
        """Remove entries; see `AclPort.delete`."""
        self._change(list(entries), DELETED_AT_ONCE, wire.delete_acls, wire.read_deleted)

    def delete_allowed(self, principals: Collection[str]) -> None:
        """Remove all that is allowed to principals; see `AclPort.delete_allowed`."""
        self._change(list(principals), DELETED_AT_ONCE, wire.delete_allowed_acls, wire.read_deleted)

    def _change(
        self,
        items: Sequence[_Item],
        at_once: int,
        write: Callable[[Sequence[_Item]], wire.Call],
        read: Callable[[bytes], list[wire.Outcome]],
    ) -> None:
        calls = [write(items[first : first + at_once]) for first in range(0, len(items), at_once)]
        outcomes = [outcome for answer in self._connection.ask(calls) for outcome in read(answer)]
        named = [(outcome, str(item)) for outcome, item in zip(outcomes, items, strict=True)]
        check_outcomes(named, self._connection.bootstrap_servers)


def check_outcomes(outcomes: Collection[tuple[wire.Outcome, str]], bootstrap_servers: str) -> None:
    """Raise what went wrong, if anything did.

    Args:
        outcomes: What became of each item, and what it is.
        bootstrap_servers: Who was asked.

    Raises:
        AuthorizerMissingError: There are no access rules at all.
        BrokerRefusedError: The platform may not.
        BrokerError: Something else failed; the first few are named.
    """
    failed = [(outcome, what) for outcome, what in outcomes if outcome.error != wire.NO_ERROR]
    if not failed:
        return
    first = failed[0][0]
    if first.error == _SECURITY_DISABLED:
        raise AuthorizerMissingError(bootstrap_servers)
    if first.error == _CLUSTER_AUTHORIZATION_FAILED:
        raise BrokerRefusedError(
            f"Kafka at {bootstrap_servers} refuses this to the platform: {first.message}",
            hint="Use the credentials of a super user, or allow them ALTER and DESCRIBE on CLUSTER.",
        )
    named = "; ".join(f"{what} ({one.message or one.error})" for one, what in failed[:_ERRORS_NAMED])
    raise BrokerError(
        f"Kafka did not do {len(failed)} of {len(outcomes)} changes: {named}",
        code="broker.rules_failed",
        hint="Nothing needs to be undone: the next run compares everything and goes on.",
    )
