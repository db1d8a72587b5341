"""Which quotas there should be, and what is changed for it."""

import pytest

from client.errors import ConfigurationError
from platform_ui.acl_settings import AclSettings, Principals
from platform_ui.acls.quotas import FETCH, PRODUCE, REQUEST, changes, wanted_quotas

SETTINGS = AclSettings(produce_bytes_per_s=100, fetch_bytes_per_s=0, request_percent=50)


def test_everybody_has_the_default_and_services_are_not_bound() -> None:
    wanted = wanted_quotas(SETTINGS)
    assert wanted[None] == {PRODUCE: 100, REQUEST: 50}
    assert wanted["service.recorder"][PRODUCE] > 1e15
    assert set(wanted) == {
        None, "service.broker", "service.mqtt", "service.operator", "service.platform",
        "service.recorder", "service.sensorthings",
    }  # fmt: skip


def test_nothing_is_changed_when_all_is_well() -> None:
    assert changes(wanted_quotas(SETTINGS), wanted_quotas(SETTINGS)) == {}


def test_what_is_no_longer_limited_is_removed_and_others_are_left_alone() -> None:
    none = AclSettings(produce_bytes_per_s=0, fetch_bytes_per_s=0, request_percent=0)
    present = {
        None: {PRODUCE: 7.0, FETCH: 8.0, "controller_mutation_rate": 1.0},
        "client.a.bb.cc.dd.x": {PRODUCE: 9.0},
    }
    assert changes(wanted_quotas(none), present) == {None: {PRODUCE: None, FETCH: None}}


def test_settings_come_from_the_environment() -> None:
    assert AclSettings.from_environment({}) == AclSettings()
    assert AclSettings.from_environment(
        {"DTWIN_ACL__PRINCIPALS": "names", "DTWIN_ACL__PRODUCE_BYTES_PER_S": "0"}
    ) == AclSettings(principals=Principals.NAMES, produce_bytes_per_s=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTWIN_ACL__PRINCIPALS", "some"),
        ("DTWIN_ACL__FETCH_BYTES_PER_S", "-1"),
        ("DTWIN_ACL__REQUEST_PERCENT", "a"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        AclSettings.from_environment({name: value})
