"""What the broker's rules let one stream app do, for those who look at the app.

What lives here: the rules of one app, gathered by resource. What does not: the rules (``compiling``).
"""

from collections import defaultdict

from platform_ui.acls.compiling import StreamAppState, app_entries
from platform_ui.acls.entries import PREFIXED
from platform_ui.pki.names import Identity, Kind
from platform_ui.streams.kafka_rights import KafkaRight
from platform_ui.streams.permission import AppPermission


def rights_of(permission: AppPermission) -> list[KafkaRight]:
    """Return what an app may do on Kafka, by resource; nothing when its contracts do not let it run.

    Args:
        permission: Its systems, and what its contracts let it have.
    """
    if not permission.permitted:
        return []
    app = StreamAppState(permission.source, permission.name, permission.sources, permission.target)
    operations: dict[tuple[str, str, bool], set[str]] = defaultdict(set)
    for entry in app_entries(Identity(Kind.APP, permission.app_id).principal, app):
        operations[entry.resource, entry.name, entry.pattern == PREFIXED].add(entry.operation)
    return [
        KafkaRight(resource.replace("_", " ").lower(), name, is_prefix, tuple(sorted(found)))
        for (resource, name, is_prefix), found in operations.items()
    ]
