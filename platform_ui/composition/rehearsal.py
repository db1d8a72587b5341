"""The ports of a request that is only tried: they are read, and change nothing.

What lives here: which of their operations do nothing and which are refused then. What does not: trying a
request (``rest.rehearsal``).
"""

from dataclasses import replace

from starlette.datastructures import State

from platform_ui.metadata.gateway import RehearsedGateway
from platform_ui.rest.rehearsal import Reader
from platform_ui.streams.ports import RehearsedMetadata


def rehearsal_ports(state: State) -> dict[str, object]:
    """Make the ports of a request that is only tried: they are read, and change nothing."""
    runner = Reader(state.runner, idle=("deploy", "limit", "stop", "restart", "remove"))
    rules = Reader(state.acl_keeper, idle=("ensure",)) if state.acl_keeper else None
    metadata, registry = RehearsedMetadata(state.metadata), state.schema_registry
    rights = ("put_principal", "delete_principal", "revoke_token", "put_share", "delete_share")
    return {
        "topics": Reader(state.topics, idle=("create", "remove")),
        "runner": runner,
        "metadata": metadata,
        "stream_ports": replace(state.stream_ports, runner=runner, metadata=metadata, rules=rules),
        "access": Reader(state.access, idle=rights, refused=("create_token",)) if state.access else None,
        "gateway": RehearsedGateway(state.gateway),
        "schema_registry": Reader(registry, refused=("publish",)) if registry else None,
    }
