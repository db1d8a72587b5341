import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from client.errors import ConfigurationError
from setup import optional_parts
from setup.doctor import examine
from setup.errors import PartMissingError, SetupError
from setup.local.answers import Answer, ask_bridge
from setup.local.elasticsearch import LARGEST_PORT, LocalElasticsearch, wanted_heap_mb
from setup.local.paths import Home
from setup.local.state import PartState, StateFile
from setup.local.trust import MQTT_BROKER, LocalTrust
from setup.optional_parts import OptionalParts, chosen_parts, fill_environment, found_addresses
from setup.report import SilentReport
from setup.services import Addresses, stack_environment
from setup.starting import Starter

ADDRESSES = Addresses(
    kafka="127.0.0.1:9099",
    postgres="postgresql://postgres@/postgres?host=%2Frun",
    sensorthings="http://127.0.0.1:8085",
    platform="http://127.0.0.1:1909",
)
NOBODY = 2_000_000_000  # no such process


def parts_of(folder: Path, environment: Mapping[str, str] | None = None) -> OptionalParts:
    return OptionalParts(Starter(Home(folder), SilentReport(), environment or {}))


def usual(_name: str, port: int) -> int:
    return port


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ([], ()),
        (["elasticsearch"], ("elasticsearch",)),
        (["mqtt,elasticsearch"], ("elasticsearch", "mqtt")),
        (["mqtt", " elasticsearch , mqtt,"], ("elasticsearch", "mqtt")),
    ],
)
def test_parts_are_named_one_by_one_or_with_commas(values: list[str], chosen: tuple[str, ...]) -> None:
    assert chosen_parts(values) == chosen


def test_a_part_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigurationError, match=r"'kibana'.*elasticsearch, mqtt"):
        chosen_parts(["mqtt,kibana"])


def test_nothing_optional_runs_unless_somebody_asked(tmp_path: Path) -> None:
    plan = parts_of(tmp_path).plan((), usual)
    assert (plan.chosen, plan.ports) == ((), {})
    assert plan.address("elasticsearch", "http", {"DTWIN_ELASTICSEARCH__URL": "http://given:9200"}) == ""


def test_what_was_asked_for_has_an_address_of_its_own_or_the_given_one(tmp_path: Path) -> None:
    environment = {"DTWIN_MQTT__URL": "mqtts://broker:8883"}
    plan = parts_of(tmp_path, environment).plan(
        ("elasticsearch", "mqtt"), lambda name, port: 0 if name == "mqtt" else port + 1
    )
    assert plan.address("elasticsearch", "http", environment) == "http://127.0.0.1:9201"
    assert plan.address("mqtt", "mqtts", environment) == "mqtts://broker:8883"


def test_what_was_started_once_stays_chosen_also_when_it_died(tmp_path: Path) -> None:
    StateFile(Home(tmp_path).state_file).put(PartState("mqtt", "mqtts://127.0.0.1:8883", NOBODY))
    assert parts_of(tmp_path).plan(("elasticsearch",), usual).chosen == ("elasticsearch", "mqtt")


def test_a_local_mqtt_broker_without_an_authority_is_refused_before_anything_starts(tmp_path: Path) -> None:
    parts = parts_of(tmp_path)
    plan = parts.plan(("mqtt",), usual)
    with pytest.raises(SetupError, match="DTWIN_MQTT__URL"):
        parts.prepare(plan, ADDRESSES)
    own = LocalTrust(tmp_path / "pki", tmp_path / "passphrase")
    parts.prepare(plan, replace(ADDRESSES, trust=own))


def test_a_given_mqtt_broker_needs_no_authority(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, {"DTWIN_MQTT__URL": "mqtts://broker:8883"})
    parts.prepare(parts.plan(("mqtt",), lambda *_: 0), ADDRESSES)


def test_a_missing_package_is_named_with_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_parts, "_MQTT_PACKAGES", ("no_such_package",))
    parts = parts_of(tmp_path)
    with pytest.raises(PartMissingError, match=r"no_such_package.*digital-twin-stack\[local\]"):
        parts.prepare(parts.plan(("mqtt",), usual), ADDRESSES)


def test_a_wrong_heap_is_refused_before_anything_starts(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, {"DTWIN_ELASTICSEARCH__HEAP": "lots"})
    with pytest.raises(SetupError, match="DTWIN_ELASTICSEARCH__HEAP is 'lots'"):
        parts.prepare(parts.plan(("elasticsearch",), usual), ADDRESSES)


@pytest.mark.parametrize(("text", "size"), [("", 512), ("256m", 256), ("768M", 768), ("2g", 2048)])
def test_the_heap_is_given_in_megabytes_or_gigabytes(text: str, size: int) -> None:
    assert wanted_heap_mb({"DTWIN_ELASTICSEARCH__HEAP": text}) == size


@pytest.mark.parametrize("text", ["512", "0m", "-1g", "255m", "1.5g", "1t", "512m; x"])
def test_a_heap_that_is_no_size_or_too_small_is_refused(text: str) -> None:
    with pytest.raises(SetupError, match="at least 256m"):
        wanted_heap_mb({"DTWIN_ELASTICSEARCH__HEAP": text})


def test_a_port_that_the_runner_cannot_listen_on_is_refused(tmp_path: Path) -> None:
    assert LocalElasticsearch(tmp_path, LARGEST_PORT).url == f"http://127.0.0.1:{LARGEST_PORT}"
    with pytest.raises(SetupError, match="DTWIN_ELASTICSEARCH__PORT"):
        LocalElasticsearch(tmp_path, LARGEST_PORT + 1)


def test_programs_are_told_of_optional_parts_that_run(tmp_path: Path) -> None:
    with_both = replace(ADDRESSES, elasticsearch="http://127.0.0.1:9201", mqtt="mqtts://127.0.0.1:8884")
    environment = stack_environment(Home(tmp_path), with_both)
    assert environment["DTWIN_ELASTICSEARCH__URL"] == "http://127.0.0.1:9201"
    assert environment["DTWIN_MQTT__URL"] == "mqtts://127.0.0.1:8884"


def test_programs_hear_nothing_of_parts_that_nobody_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DTWIN_ELASTICSEARCH__URL", raising=False)
    monkeypatch.delenv("DTWIN_MQTT__URL", raising=False)
    assert not {"DTWIN_ELASTICSEARCH__URL", "DTWIN_MQTT__URL"} & set(
        stack_environment(Home(tmp_path), ADDRESSES)
    )


def test_commands_find_what_was_started_here_and_leave_what_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = PartState("elasticsearch", "http://127.0.0.1:9201", NOBODY)
    given = PartState("mqtt", "mqtts://broker:8883")
    assert found_addresses({"elasticsearch": started, "mqtt": given}) == {
        "DTWIN_ELASTICSEARCH__URL": "http://127.0.0.1:9201"
    }
    home = Home(tmp_path)
    StateFile(home.state_file).put(started)
    monkeypatch.setenv("DTWIN_HOME", str(tmp_path))
    monkeypatch.setenv("DTWIN_ELASTICSEARCH__URL", "https://another:9200")
    fill_environment()
    assert os.environ["DTWIN_ELASTICSEARCH__URL"] == "https://another:9200"


def test_commands_find_what_the_bridge_writes_and_whom_it_trusts_but_not_its_key() -> None:
    settings = {
        "DTWIN_MQTT__PROGRESS_FILE": "progress.json",
        "DTWIN_MQTT__CA_FILE": "ca.pem",
        "DTWIN_MQTT__KEY_FILE": "key.pem",
    }
    found = found_addresses({"mqtt-bridge": PartState("mqtt-bridge", "", NOBODY, settings=settings)})
    assert found == {name: settings[name] for name in list(settings)[:2]}


def test_the_bridge_is_ready_when_it_says_that_it_is_connected(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    assert ask_bridge(file) == Answer(ready=False, detail="not connected"), "nothing written yet"
    file.write_text(json.dumps({"mqtt": {"is_connected": False, "troubles": ["refused", "no Kafka"]}}))
    assert ask_bridge(file) == Answer(ready=False, detail="refused; no Kafka")
    file.write_text(json.dumps({"mqtt": {"is_connected": True, "troubles": []}}))
    assert ask_bridge(file).ready


def test_the_mqtt_broker_shows_a_certificate_of_this_machine(tmp_path: Path) -> None:
    trust = LocalTrust(tmp_path / "pki", tmp_path / "passphrase")
    certificate = x509.load_pem_x509_certificate(trust.service(MQTT_BROKER).certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    shown = trust.service("mqtt").mqtt_environment()
    assert all(Path(file).is_file() for file in shown.values())


def test_the_doctor_looks_at_optional_parts_only_when_they_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("setup.doctor.is_free", lambda _port: True)
    home = Home(tmp_path)
    assert not {"elasticsearch", "mqtt", "mqtt-bridge"} & {finding.what for finding in examine(home)}
    StateFile(home.state_file).put(PartState("elasticsearch", "http://127.0.0.1:9201", NOBODY))
    found = {finding.what: finding for finding in examine(home)}
    assert "Elasticsearch's jars" in found
    assert not found["elasticsearch"].ok
    assert "dtwin logs elasticsearch" in found["elasticsearch"].fix
