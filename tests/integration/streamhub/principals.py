"""Principals of apps on the broker of the tests: certificates of its authority, and access rules by hand."""

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from platform_ui.pki.names import Identity, Kind
from setup.local.trust import LocalTrust
from streamhub.runner import AppCredentials
from streamhub.specification import StreamAppSpecification
from tests.integration.streamhub.flows import eventually
from tests.kafka_clients import connection

TOPIC, GROUP, IDS = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
READ, WRITE = AclOperation.READ, AclOperation.WRITE
_LIFETIME = dt.timedelta(days=7)


def operator_credentials() -> AppCredentials | None:
    """What the environment says of the operator; nothing when the broker wants no certificate."""
    if os.environ.get("DTWIN_KAFKA__SECURITY_PROTOCOL") != "SSL":
        return None
    names = ("SSL_CA_FILE", "SSL_CERTIFICATE_FILE", "SSL_KEY_FILE")
    return AppCredentials(*(Path(os.environ[f"DTWIN_KAFKA__{name}"]).read_text() for name in names))


class Principal:
    """One app as Kafka sees it."""

    def __init__(self, bootstrap: str, app_id: str) -> None:
        folder = Path(os.environ["DTWIN_KAFKA__SSL_CA_FILE"]).parent
        authority = LocalTrust(folder, folder / "passphrase").authority()
        self._authority = authority
        self.identity = Identity(Kind.APP, app_id)
        self._admin = AdminClient(connection(bootstrap))

    def credentials(self) -> AppCredentials:
        """Issue a certificate; another one each time."""
        issued = self._authority.issue(self.identity, lifetime=_LIFETIME)
        return AppCredentials(self._authority.certificate_pem, issued.certificate_pem, issued.key_pem)

    def allow_what_it_needs(self, app: StreamAppSpecification, *, remembers: bool = False) -> None:
        """Grant exactly the rights of a stream app."""
        for topic in app.source_topics:
            self.allow(TOPIC, topic, READ)
            self.allow(TOPIC, f"{topic}.dlq", WRITE, AclOperation.DESCRIBE_CONFIGS)
        self.allow(TOPIC, app.target_topic, WRITE, AclOperation.DESCRIBE_CONFIGS)
        self.allow(GROUP, app.app_id, READ)
        self.allow(IDS, f"{app.app_id}.", WRITE, AclOperation.DESCRIBE, prefixed=True)
        if remembers:
            operations = (READ, WRITE, AclOperation.CREATE, AclOperation.DESCRIBE_CONFIGS)
            self.allow(TOPIC, app.state_topic, *operations)

    def allow(self, kind: ResourceType, name: str, *operations: AclOperation, prefixed: bool = False) -> None:
        bindings = [self._binding(kind, name, operation, prefixed=prefixed) for operation in operations]
        for answer in self._admin.create_acls(bindings).values():
            answer.result(timeout=30)
        # The controller writes rules; the broker enforces them a moment later, and shows those it enforces.
        wanted = [self._filter(kind, name, operation) for operation in operations]
        eventually(lambda: all(map(self._is_shown, wanted)), what=f"rights for {name}")

    def withdraw(self, kind: ResourceType, name: str, *operations: AclOperation) -> None:
        """Take rights away that were granted for exactly this name."""
        self._delete([self._filter(kind, name, operation) for operation in operations])

    def withdraw_all(self) -> None:
        self._delete([self._filter(ResourceType.ANY, None, AclOperation.ANY)])

    def _delete(self, filters: Sequence[AclBindingFilter]) -> None:
        for answer in self._admin.delete_acls(list(filters)).values():
            answer.result(timeout=30)
        eventually(lambda: not any(map(self._is_shown, filters)), what="the end of rights")

    def _is_shown(self, one: AclBindingFilter) -> bool:
        return bool(self._admin.describe_acls(one).result(timeout=30))

    def _filter(self, kind: ResourceType, name: str | None, operation: AclOperation) -> AclBindingFilter:
        # None stands for any name and any host; the stubs of the client library do not know that.
        anything: Any = (name, None)
        pattern, principal = ResourcePatternType.ANY, self.identity.principal
        return AclBindingFilter(
            kind, anything[0], pattern, principal, anything[1], operation, AclPermissionType.ANY
        )

    def _binding(
        self, kind: ResourceType, name: str, operation: AclOperation, *, prefixed: bool
    ) -> AclBinding:
        pattern = ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL
        allow = AclPermissionType.ALLOW
        return AclBinding(kind, name, pattern, self.identity.principal, "*", operation, allow)
