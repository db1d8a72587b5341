"""Rights of apps on a real broker with access rules: those they need suffice, without them nothing passes."""

import itertools
import time
from collections import Counter
from collections.abc import Callable

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AclOperation,
    ResourceType,
)

from streamhub.runner import AppStatus
from tests.integration.streamhub.conftest import Daemon
from tests.integration.streamhub.flows import Flow, eventually, matching
from tests.integration.streamhub.joins import JoinFlow, alternating
from tests.integration.streamhub.principals import GROUP, IDS, READ, TOPIC, WRITE, Principal

NewPrincipal = Callable[[str], Principal]


def consumed(daemon: Daemon, app_id: str, number: int) -> AppStatus | None:
    status = daemon.directory.status(app_id)
    if status is None or status.progress is None or status.state != "running":
        return None
    return status if status.progress.consumed >= number and status.progress.pid == status.pid else None


def test_an_app_with_its_own_certificate_and_exactly_its_rights_does_its_work(
    new_flow: Callable[..., Flow], daemon: Daemon, new_principal: NewPrincipal
) -> None:
    flow = new_flow()
    app = flow.specification()
    flow.create(app.dead_letter_topic)
    principal = new_principal(app.app_id)
    principal.allow_what_it_needs(app)
    daemon.start()
    daemon.directory.deploy(app, principal.credentials())
    flow.produce(range(160))
    flow.send(b"aa.bb.cc.dd.Thing.Datastream", b"no JSON")
    flow.flush()
    eventually(lambda: consumed(daemon, app.app_id, 161), what="161 records")
    assert sorted(flow.received_numbers()) == matching(range(160))
    assert len(flow.dead_letters()) == 1


def test_new_credentials_restart_an_app_and_nothing_is_lost(
    new_flow: Callable[..., Flow], daemon: Daemon, new_principal: NewPrincipal
) -> None:
    flow = new_flow()
    app = flow.specification()
    flow.create(app.dead_letter_topic)
    principal = new_principal(app.app_id)
    principal.allow_what_it_needs(app)
    daemon.start()
    daemon.directory.deploy(app, principal.credentials())
    flow.produce(range(160))
    first = eventually(lambda: consumed(daemon, app.app_id, 160), what="160 records")
    flow.produce(range(160, 320))
    daemon.directory.deploy(app, principal.credentials())
    flow.produce(range(320, 480))

    def is_another() -> bool:
        status = daemon.directory.status(app.app_id)
        return status is not None and status.state == "running" and status.pid != first.pid

    eventually(is_another, what="another process")
    eventually(lambda: sorted(flow.received_numbers()) == matching(range(480)), what="all records")


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("target", "write topic {target}.ext"),
        ("source", "{source}.int"),
        pytest.param("group", "consumer group", marks=pytest.mark.extended),
        pytest.param("ids", "transactional ids", marks=pytest.mark.extended),
    ],
)
def test_an_app_whose_right_is_withdrawn_stops_says_which_and_goes_on_without_loss_when_it_may_again(
    new_flow: Callable[..., Flow],
    daemon: Daemon,
    new_principal: NewPrincipal,
    kind: str,
    what: str,
) -> None:
    flow = new_flow()
    app = flow.specification()
    flow.create(app.dead_letter_topic)
    principal = new_principal(app.app_id)
    principal.allow_what_it_needs(app)
    daemon.start()
    daemon.directory.deploy(app, principal.credentials())
    flow.produce(range(160))
    eventually(lambda: consumed(daemon, app.app_id, 160), what="160 records")

    rights: dict[str, tuple[ResourceType, str, AclOperation, *tuple[AclOperation, ...]]] = {
        "target": (TOPIC, app.target_topic, WRITE, AclOperation.DESCRIBE_CONFIGS),
        "source": (TOPIC, app.source_topic, READ),
        "group": (GROUP, app.app_id, READ),
        "ids": (IDS, f"{app.app_id}.", WRITE, AclOperation.DESCRIBE),
    }
    right = rights[kind]
    principal.withdraw(*right)
    flow.produce(range(160, 320))
    expected = what.format(source=flow.source, target=flow.target)
    cause = eventually(lambda: complaint(daemon, app.app_id), what="a complaint")
    assert "exit code 4" in cause
    assert expected in cause
    assert "contracts on the platform" in cause
    assert sorted(flow.received_numbers()) == matching(range(160))

    principal.allow(*right, prefixed=kind == "ids")
    eventually(lambda: len(flow.received_numbers()) == len(matching(range(320))), 120, "the rest")
    assert [number for number, count in Counter(flow.received_numbers()).items() if count > 1] == []
    status = daemon.directory.status(app.app_id)
    assert status is not None
    assert status.restarts >= 1


def test_a_right_that_is_missed_amid_a_transaction_is_named_too(
    new_flow: Callable[..., Flow], daemon: Daemon, new_principal: NewPrincipal
) -> None:
    """What comes after a refused record meets a transaction that takes no more, and says no reason."""
    flow = new_flow()
    app = flow.specification(commit_interval_s=2.0)
    flow.create(app.dead_letter_topic)
    principal = new_principal(app.app_id)
    principal.allow_what_it_needs(app)
    daemon.start()
    daemon.directory.deploy(app, principal.credentials())
    flow.produce(range(16))
    eventually(lambda: consumed(daemon, app.app_id, 16), what="16 records")
    principal.withdraw(TOPIC, app.target_topic, WRITE, AclOperation.DESCRIBE_CONFIGS)
    numbers = itertools.count(16)

    def complaint_about_more() -> str | None:
        flow.produce(itertools.islice(numbers, 8))
        return complaint(daemon, app.app_id)

    cause = eventually(complaint_about_more, what="a complaint")
    assert "exit code 4" in cause
    assert f"write topic {app.target_topic}" in cause


def complaint(daemon: Daemon, app_id: str) -> str | None:
    """Return why an app waits for its next start; None while it does not."""
    status = daemon.directory.status(app_id)
    assert status is not None
    return status.cause if status.state == "backing_off" else None


def test_an_app_without_credentials_does_not_borrow_those_of_its_runner(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    daemon.directory.deploy_without_credentials(flow.specification())
    flow.produce(range(16))
    time.sleep(3)
    status = daemon.directory.status(flow.specification().app_id)
    assert status is not None
    assert status.state != "running"
    assert flow.received_numbers() == []


def test_a_join_with_exactly_its_rights_does_its_work(
    new_flow: Callable[..., Flow], daemon: Daemon, new_principal: NewPrincipal
) -> None:
    flow = new_flow()
    join = JoinFlow(flow)
    app = flow.specification(statement=join.statement())
    flow.create(app.dead_letter_topic)
    principal = new_principal(app.app_id)
    principal.allow_what_it_needs(app, remembers=True)
    daemon.start()
    daemon.directory.deploy(app, principal.credentials())
    join.produce(alternating(50))
    eventually(lambda: consumed(daemon, app.app_id, 100), what="100 records")
    assert len(flow.received()) > 0
