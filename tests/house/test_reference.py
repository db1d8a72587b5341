"""The pages on records and on the client say all that there is to say."""

import inspect
import re
from pathlib import Path

import pytest

import client.errors
from client.digital_twin_client import ClientCounters, DigitalTwinClient
from client.errors import DigitalTwinError
from client.messaging import records
from client.messaging.topics import LEVEL_RULES, SystemName
from tests.house.documents import pages, read, text_files

RECORDS = read(Path("docs/reference/records.md"))
CLIENT = read(Path("docs/reference/client.md"))
_REASON = r"(?:record|mqtt|document)\.[a-z0-9_]+"


def test_every_header_is_documented() -> None:
    headers = [value for name, value in vars(records).items() if name.startswith("HEADER_")]
    assert headers
    assert [name for name in headers if f"| `{name}` |" not in RECORDS] == []


def test_every_topic_of_a_system_is_documented() -> None:
    system = SystemName("cz", "icecars", "Fleet", "Car1")
    for topic in system.topics.all():
        assert f"| `<system>{topic.removeprefix(str(system))}` |" in RECORDS


def test_the_rules_of_names_are_documented() -> None:
    for rule in LEVEL_RULES:
        assert re.search(rf"{rule.level} {rule.shortest} to {rule.longest}\b", RECORDS), rule.level


def test_every_reason_of_a_dead_letter_is_documented() -> None:
    codes: set[str] = set()
    for path in text_files():
        if path.parts[0] in {"streamhub", "adapters"} and path.suffix == ".py":
            codes |= set(re.findall(rf'"({_REASON})"', read(path)))
    documented = {reason for page in pages() for reason in re.findall(rf"`({_REASON})`", read(page))}
    assert codes - documented == set()
    assert set(re.findall(rf"^\| `({_REASON})` \|", RECORDS, flags=re.MULTILINE)) <= codes


def test_every_state_of_a_client_is_documented() -> None:
    journal = read(Path("client/journal.py"))
    states = set(re.findall(r'self\.state\("(\w+)"', journal))
    assert states == set(re.findall(r"^\| `(\w+)` \|", RECORDS.split("| `state` |")[1], flags=re.MULTILINE))


def test_every_argument_of_the_client_is_documented() -> None:
    table = CLIENT.split("| argument |")[1].split("\n\n")[0]
    for name in inspect.signature(DigitalTwinClient).parameters:
        assert f"`{name}`" in table, name


def test_every_public_member_of_the_client_is_documented_with_its_arguments() -> None:
    for name, member in vars(DigitalTwinClient).items():
        if name.startswith("_"):
            continue
        shown = re.search(rf"^\| `{name}(?P<arguments>\([^`]*\))?` \|", CLIENT, flags=re.MULTILINE)
        assert shown, name
        if inspect.isfunction(member):
            arguments = [argument for argument in inspect.signature(member).parameters if argument != "self"]
            assert re.findall(r"(?:^|[ (*])([a-z_]+)(?==|,|\))", shown["arguments"] or "") == arguments, name


def test_every_counter_of_the_client_is_documented() -> None:
    counters = re.search(r"^\| `counters` \| (.*) \|$", CLIENT, flags=re.MULTILINE)
    assert counters
    assert counters[1].split(", ") == list(ClientCounters._fields)


@pytest.mark.parametrize(
    "error",
    [
        name
        for name, value in vars(client.errors).items()
        if isinstance(value, type) and issubclass(value, DigitalTwinError)
    ],
)
def test_every_error_of_the_client_is_documented(error: str) -> None:
    assert f"`{error}`" in CLIENT
