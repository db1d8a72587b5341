"""The commands for a platform, against a platform behind a real socket: all of them, once, and as code."""

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from client.errors import DigitalTwinError
from platform_ui.app import create_app
from platform_ui.pki.authority import Authority
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from setup.command_line import application
from setup.entry import exit_code
from setup.remote import nouns
from tests.integration.platform_ui.beginnings import begin
from tests.integration.platform_ui.doubles import MemoryRunner, MemoryTopics
from tests.integration.platform_ui.hostile_world import RunningSite

PASSWORD = "a long password"
WORLD = """
apiVersion: dtwin/v1
kind: Company
name: {ours}
description: Cars on ice
---
apiVersion: dtwin/v1
kind: Company
name: {theirs}
---
apiVersion: dtwin/v1
kind: Members
of: {ours}
members:
  {email}: owner
---
apiVersion: dtwin/v1
kind: System
name: {ours}.Fleet.Car1
---
apiVersion: dtwin/v1
kind: System
name: {theirs}.Lab.Roads
---
apiVersion: dtwin/v1
kind: Client
system: {ours}.Fleet.Car1
name: car_1
description: In the boot
---
apiVersion: dtwin/v1
kind: Contract
provider: {ours}.Fleet.Car1
consumer: {theirs}.Lab.Roads
purpose: |
  To know about ice.
  And about snow.
predicate: result < 4
ends_at: 2999-01-01T01:00:00+01:00
signed_by: [provider, consumer]
---
apiVersion: dtwin/v1
kind: Offer
system: {ours}.Fleet.Car1
title: Temperatures
purposes: [Research]
published: true
---
apiVersion: dtwin/v1
kind: StreamApp
system: {ours}.Fleet.Car1
name: share
target: {theirs}.Lab.Roads
statement: |
  SELECT * FROM *
    WHERE result < 1;
running: true
"""


class Shell:
    """Types commands as one person, with profiles of their own."""

    def __init__(self, home: Path, url: str = "") -> None:
        self.environment = {
            "XDG_CONFIG_HOME": str(home / "config"),
            "DTWIN_HOME": str(home),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        self.url = url
        self.ran: set[str] = set()
        self.said = ""

    def run(self, *arguments: str, typed: str = "", code: int = 0) -> str:
        """Type a command, and return what came on standard output."""
        known = [words for words in nouns.words() if tuple(words.split()) == arguments[: len(words.split())]]
        self.ran |= set(known)
        result = CliRunner().invoke(application, list(arguments), input=typed, env=self.environment)
        self.said = result.stderr
        found = result.exit_code
        if isinstance(result.exception, DigitalTwinError):
            found, self.said = exit_code(result.exception), str(result.exception)
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert found == code, f"{arguments}: {found}\n{result.output}\n{self.said}"
        return result.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
        """Type a command and return what it answers."""
        return json.loads(self.run(*arguments, "-o", "json", code=code))


def new_site(url: str, folder: Path, sensorthings: str) -> RunningSite:
    passphrase = secrets.token_hex(16)
    Authority.create(folder / "pki", passphrase)
    settings = PlatformSettings(
        database_url=url,
        secret_key=secrets.token_hex(32),
        kafka_bootstrap_servers="kafka.test:9092",
        sensorthings_url=sensorthings,
        runner_directory=folder / "runner",
        mode=Mode.PRODUCTION,
        attempts_per_address=100_000,
        pki_directory=folder / "pki",
        pki_passphrase=passphrase,
    )
    return RunningSite(create_app(settings, topics=MemoryTopics(), runner=MemoryRunner()))


@pytest.fixture(scope="module")
def platform(
    new_database: Callable[[str], str], sensorthings_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("remote")
    with new_site(begin(new_database("remote")), folder, sensorthings_url) as address:
        yield address


def sign_up(address: str, email: str) -> None:
    with httpx2.Client(base_url=address, timeout=30) as browser:
        token = browser.get("/api/v1/session").json()["csrf_token"]
        form = {"first_name": "Sue", "last_name": "Test", "email": email, "csrf_token": token}
        answer = browser.post("/signup", data={**form, "password": PASSWORD, "confirm": PASSWORD})
        assert answer.status_code == 303, answer.text


@pytest.fixture
def new_shell(platform: str, tmp_path: Path) -> Callable[[str], Shell]:
    """A function that gives somebody who has an account and has logged in."""

    return lambda name: person(platform, f"{name}@example.com", tmp_path / name)


def word() -> str:
    return f"t{secrets.token_hex(4)}"


def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def test_every_command_does_what_it_says(new_shell: Callable[[str], Shell], tmp_path: Path) -> None:
    sue, other = new_shell(word()), word()
    ours, theirs = f"cz.{word()}", f"at.{word()}"
    car, lab, roads = f"{ours}.Fleet.Car1", f"{ours}.Fleet.Car2", f"{theirs}.Lab.Roads"
    new_shell(other)

    companies(sue, ours, theirs, other)
    systems(sue, (roads, car, lab), other, tmp_path)
    sue.run("client", "create", car, "car_1")
    assert sue.run("client", "list", "-o", "name", "--limit", "1") == f"{car} car_1\n"
    sue.run("client", "edit", car, "car_1", "--description", "In the boot")
    assert sue.json("client", "show", car, "car_1")["description"] == "In the boot"
    archive = tmp_path / "car_1.tar.gz"
    request = tmp_path / "car_1.csr"
    request.write_text(signing_request())
    certificates(sue, car, archive, request)
    contract = agreement(sue, car, roads)
    apps(sue, car, roads, tmp_path)
    sue.run("contract", "revoke", contract, "--reason", "over", "--yes")
    offers(sue, car, roads)
    assets(sue, lab, tmp_path)
    others(sue, car, ours, contract, tmp_path)

    sue.run("client", "delete", car, "car_1", "--yes")
    sue.run("client", "show", car, "car_1", code=5)
    sue.run("system", "delete", lab, "--yes")
    sue.run("company", "member", "remove", ours, f"{other}@example.com", "--yes")
    sue.run("company", "delete", ours, code=2)
    sue.run("company", "delete", ours, "--yes", code=1)
    assert "Code: " in sue.said
    sue.run("logout")
    sue.run("company", "list", code=4)
    assert "dtwin login" in sue.said
    assert set(nouns.words()) - sue.ran == set()


def companies(sue: Shell, ours: str, theirs: str, other: str) -> None:
    assert sue.json("whoami")["url"] == sue.url
    sue.run("company", "create", ours, "--description", "Cars on ice")
    sue.run("company", "create", theirs, "-q")
    assert sue.said == ""
    assert sue.run("company", "list", "-o", "name").split() == [theirs, ours]
    sue.run("company", "edit", ours, "--description", "Cars", "--dry-run")
    assert sue.json("company", "show", ours)["description"] == "Cars on ice"
    sue.run("company", "edit", ours, "--description", "Cars")
    assert sue.json("company", "show", ours)["description"] == "Cars"
    sue.run("company", "member", "add", ours, f"{other}@example.com", "--role", "member")
    sue.run("company", "member", "edit", ours, f"{other}@example.com", "--role", "admin")
    assert sue.json("company", "member", "show", ours, f"{other}@example.com")["role"] == "admin"
    assert len(sue.json("company", "member", "list", ours)) == 2
    assert sue.json("company", "limits", "show", ours)["apps"] == 0
    sue.run("company", "limits", "set", ours, "--max-apps", "5", code=4)
    sue.run("company", "member", "add", ours, "nobody@example.com")
    (invited,) = sue.json("company", "invitation", "list", ours)
    sue.run("company", "invitation", "withdraw", ours, invited["id"])


def systems(sue: Shell, names: tuple[str, str, str], other: str, tmp_path: Path) -> None:
    roads, car, lab = names
    for name in (car, lab, roads):
        sue.run("system", "create", name)
    assert sue.run("system", "list", "-o", "name").split() == [roads, car, lab]
    sue.run("system", "edit", car, "--description", "Red")
    assert "description: Red" in sue.run("system", "show", car, "-o", "yaml")
    sue.run("system", "member", "add", car, f"{other}@example.com", "--role", "viewer")
    sue.run("system", "member", "edit", car, f"{other}@example.com", "--role", "agent")
    sue.run("system", "member", "show", car, f"{other}@example.com")
    assert f"{other}@example.com" in sue.run("system", "member", "list", car)
    sue.run("system", "member", "remove", car, f"{other}@example.com", code=2)
    sue.run("system", "member", "remove", car, f"{other}@example.com", "--yes")
    sue.run("system", "member", "add", car, "nobody@example.com")
    (invited,) = sue.json("system", "invitation", "list", car)
    sue.run("system", "invitation", "withdraw", car, invited["id"])
    sue.run("system", "asyncapi", car, "--to", str(tmp_path / "asyncapi.json"))
    assert json.loads((tmp_path / "asyncapi.json").read_text())["asyncapi"] == "3.0.0"
    sue.run("system", "publish-schemas", car, code=1)
    assert "DTWIN_SCHEMA_REGISTRY__URL" in sue.said


def certificates(sue: Shell, car: str, archive: Path, request: Path) -> None:
    sue.run("client", "archive", car, "car_1", "--to", str(archive))
    assert archive.stat().st_mode & 0o777 == 0o600
    assert archive.read_bytes()[:2] == b"\x1f\x8b"
    assert (
        "BEGIN CERTIFICATE"
        in sue.json("client", "certificate", car, "car_1", "--request", f"@{request}")["ca"]
    )
    assert sue.json("client", "credentials", car, "car_1")["certificates"]
    assert sue.json("client", "enrolment-token", car, "car_1")["token"]
    sue.run("client", "block", car, "car_1", "--yes")
    sue.run("client", "unblock", car, "car_1")
    sue.run("client", "revoke", car, "car_1", "--reason", "lost", "--yes")
    sue.run("client", "token", "create", car, "car_1", code=6)  # this SensorThings service asks nobody
    sue.run("client", "token", "list", car, "car_1", code=6)
    sue.run("client", "token", "revoke", car, "car_1", "1", "--yes", code=6)
    assert sue.json("client", "state", car, "car_1")["standing"] == "not known"
    sue.run("client", "connection", car, "car_1")
    sue.run("client", "logs", car, "car_1", code=6)
    sue.run("system", "logs", car, code=6)
    sue.run("certificate", "list")
    sue.run("certificate", "services", code=4)
    sue.run("certificate", "calendar")


def agreement(sue: Shell, provider: str, consumer: str) -> str:
    """Request a contract, change it, sign it; return its id."""
    sue.run("contract", "check", "--provider", provider, "--predicate", "result < 4")
    sue.run("contract", "try", "--provider", provider, code=6)
    sue.run("contract", "request", provider, consumer, "--purpose", "Ice", "--dry-run")
    made = sue.json(
        "contract", "request", provider, consumer, "--purpose", "Ice", "--predicate", "result < 4"
    )
    assert made["state"] == "proposed"
    assert "waits for the signature of the provider" in sue.said
    identity = str(made["id"])
    sue.run("contract", "edit", identity, "--predicate", "result < 0")
    (change,) = sue.json("contract", "diff", identity)
    assert (change["field"], change["added"]) == ("predicate", ["result < 0"])
    sue.run("contract", "sign", identity, code=2)
    assert sue.json("contract", "sign", identity, "--yes")["state"] == "active"
    assert sue.json("contract", "show", identity)["versions"][0]["purpose"] == "Ice"
    sue.run("contract", "history", identity)
    sue.run("contract", "preview", identity, code=6)
    sue.run("contract", "export", identity, "--format", "yaml")
    second = sue.run(
        "contract", "request", provider, consumer, "--purpose", "Snow", "--draft", "-o", "name"
    ).strip()
    sue.run("contract", "decline", second, "--reason", "a mistake", "--yes")
    assert sue.run("contract", "list", "--state", "in-force", "-o", "name") == f"{identity}\n"
    assert ": Ice" in sue.run("contract", "list", "--state", "in-force", "-o", "table"), (
        "no id says what it is"
    )
    return identity


def apps(sue: Shell, source: str, target: str, folder: Path) -> None:
    file = folder / "share.sql"
    file.write_text("SELECT * FROM *;\n")
    sue.run("app", "check", source, "--statement", f"@{file}", "--target-system", target)
    sue.run("app", "try", source, "--statement", f"@{file}", code=6)
    assert sue.json("app", "words", source)["keywords"]
    sue.run("app", "create", source, "share", "--statement", "SELECT", "--target-system", target, code=2)
    sue.run("app", "create", source, "share", "--statement", f"@{file}", "--target-system", target)
    sue.run(
        "app", "edit", source, "share", "--statement", "SELECT * FROM * WHERE result < 1;", "--note", "frost"
    )
    assert [one["number"] for one in sue.json("app", "versions", source, "share")] == [2, 1]
    sue.run("app", "deploy", source, "share")
    sue.run("app", "restart", source, "share")
    sue.run("app", "rollback", source, "share", "1", "--yes")
    assert sue.json("app", "show", source, "share")["statement"] == "SELECT * FROM *;"
    assert sue.run("app", "list", "-o", "name") == f"{source} share\n"
    sue.run("app", "logs", source, "share")
    sue.run("app", "figures", source, "share")
    sue.run("app", "stop", source, "share", "--yes")
    sue.run("app", "delete", source, "share", "--yes")


def offers(sue: Shell, system: str, consumer: str) -> None:
    made = sue.json("offer", "create", system, "--title", "Temperatures")["id"]
    sue.run("offer", "edit", made, "--title", "All temperatures")
    sue.run("offer", "publish", made)
    assert sue.json("offer", "show", made)["title"] == "All temperatures"
    sue.run("offer", "preview", made, code=6)
    sue.run("offer", "request", made, "--consumer", consumer, "--purpose", "Ice")
    assert sue.run("offer", "list", "--ours", "-o", "name").strip() == made
    sue.run("offer", "withdraw", made)
    sue.run("offer", "delete", made, "--yes")


def assets(sue: Shell, system: str, folder: Path) -> None:
    sue.run("thing", "create", system, "Main", "--description", "A car")
    (thing,) = sue.json("thing", "list", system)
    number = str(thing["id"])
    sue.run("thing", "edit", system, number, "--description", "A red car")
    assert sue.json("thing", "show", system, number)["description"] == "A red car"
    stream = (
        "--sensor",
        "dht22",
        "--observed-property",
        "Air Temperature",
        "--unit",
        "Cel",
        "--description",
        "In it",
    )
    sue.run("datastream", "create", system, "temperature", "--thing", "Main", *stream)
    (found,) = sue.json("thing", "show", system, number)["datastreams"]
    place = str(found["id"])
    sue.run("datastream", "edit", system, place, *stream)
    assert sue.json("datastream", "show", system, place)["unit"] in {"Cel", "°C"}
    sue.run("datastream", "series", system, place, "--range", "24h")
    (told,) = sue.json("system", "analytics", system, "--range", "24h")
    assert (str(told["id"]), told["count"]) == (place, 0)
    file = folder / "instances.json"
    sue.run("instances", "get", system, "--to", str(file))
    sue.run("instances", "diff", system, str(file))
    file.write_text(file.read_text().replace("A red car", "A blue car"))
    sue.run("instances", "diff", system, str(file), code=3)
    sue.run("instances", "apply", system, str(file))
    sue.run("instances", "diff", system, str(file))
    sue.run("datastream", "delete", system, place, "--yes")
    sue.run("thing", "delete", system, number, "--yes")


def others(sue: Shell, system: str, company: str, contract: str, folder: Path) -> None:
    sue.run("topic", "read", system, code=6)
    sue.run("topic", "show", system, "0:1", code=6)
    sue.run("topic", "export", system, code=6)
    sue.run("topic", "tail", system, code=6)
    sue.run("flows")
    assert system in sue.run("search", system)
    sue.run("why", "ask", "see system", system)
    sue.run("why", "readers", system)
    sue.run("why", "principals")
    assert len(sue.json("audit", "company", company, "--limit", "3")) == 3
    assert sue.json("audit", "system", system)
    sue.run("audit", "export-company", company, "--form", "csv", "--to", str(folder / "audit.csv"))
    sue.run("audit", "export-system", system)
    sue.run("account", "edit", "--last-name", "Miller")
    assert sue.json("account", "show")["last_name"] == "Miller"
    sue.run("token", "list")
    sue.run("token", "revoke", "0192f0c0-7e6c-7c3a-8f63-6f3b1e0a9b11", "--yes", code=5)
    sue.run("invitation", "accept", "--token", "nonsense", code=5)
    assert "BEGIN CERTIFICATE" in sue.json("authority")["certificate"]
    sue.run("lineage", "show")
    sue.run("lineage", "export", "--to", str(folder / "lineage.json"))
    sue.run("platform", "health")
    sue.run("platform", "apply-access-rules", "--yes", code=4)
    assert "profile" in sue.run("config", "show", "--origin")
    sue.run("profile", "list")
    sue.run("profile", "show", "default")
    sue.run("profile", "use", "default")
    sue.run("profile", "use", "nonsense", code=2)
    sue.run("login", sue.url, "--token", "dtwin_pat_wrong", "--profile", "other", code=4)
    sue.run("profile", "remove", "other", "--yes")
    sue.run("profile", "use", "default")
    sue.run("export", "--company", company)
    file = folder / "one.yaml"
    file.write_text(f"apiVersion: dtwin/v1\nkind: Company\nname: {company}\ndescription: Other words\n")
    sue.run("plan", str(file), code=3)
    sue.run("apply", str(file), code=2)
    sue.run("apply", str(file), "--yes")
    sue.run("plan", str(file))


def test_what_was_exported_makes_the_same_platform_again(
    new_database: Callable[[str], str], platform: str, sensorthings_url: str, tmp_path: Path
) -> None:
    name, email = word(), f"{word()}@example.com"
    ours, theirs, file, again = f"cz.{name}", f"at.{name}", tmp_path / "twin.yaml", tmp_path / "again.yaml"
    file.write_text(WORLD.format(ours=ours, theirs=theirs, email=email))
    with new_site(begin(new_database("first")), tmp_path / "first", sensorthings_url) as address:
        shell = person(address, email, tmp_path / "one")
        shell.run("plan", str(file), code=3)
        assert shell.run("plan", str(file), "-o", "name", code=3).splitlines()[0] == f"+ Company {theirs}"
        shell.run("apply", str(file), "--yes")
        shell.run("plan", str(file), "--prune")
        assert "Nothing is to be done." in shell.said
        shell.run("export", "-o", str(file))
        text = file.read_text()
        assert "signed_by:\n  - consumer\n  - provider\n" in text
        assert "running: true" in text
        assert "dtwin_" not in text
    with new_site(begin(new_database("second")), tmp_path / "second", sensorthings_url) as address:
        shell = person(address, email, tmp_path / "two")
        shell.run("apply", str(file), "--yes")
        shell.run("apply", str(file), "--yes")
        shell.run("plan", str(file))
        shell.run("export", "-o", str(again))
        assert again.read_bytes() == file.read_bytes()
        again.write_text(text.partition("kind: StreamApp")[0].rpartition("---\n")[0])
        assert "- StreamApp" in shell.run("plan", str(again), "--prune", code=3)
        shell.run("apply", str(again), "--prune", "--yes")
        shell.run("plan", str(again), "--prune")


def test_a_contract_is_left_as_proposed_to_those_of_one_side(
    new_shell: Callable[[str], Shell], tmp_path: Path
) -> None:
    giver, taker = new_shell(word()), new_shell(word())
    provider, consumer = f"is.{word()}.Weather.Stations", f"cz.{word()}.Fleet.Car1"
    for shell, system in ((giver, provider), (taker, consumer)):
        shell.run("company", "create", ".".join(system.split(".")[:2]))
        shell.run("system", "create", system)
    file = tmp_path / "contract.yaml"
    head = "apiVersion: dtwin/v1\nkind: Contract\n"
    terms = f"provider: {provider}\nconsumer: {consumer}\npurpose: Ice\nsigned_by: [consumer, provider]\n"
    file.write_text(head + terms)
    taker.run("apply", str(file), "--yes")
    assert "waits for the signature of the provider" in taker.said
    taker.run("plan", str(file))
    assert "not yours to give" in taker.said
    assert "~ Contract" in giver.run("plan", str(file), code=3)
    giver.run("apply", str(file), "--yes")
    assert [one["state"] for one in taker.json("contract", "list")] == ["active"]


def person(address: str, email: str, home: Path) -> Shell:
    sign_up(address, email)
    shell = Shell(home, address)
    shell.run("login", address, "--email", email, typed=f"{PASSWORD}\n")
    return shell
