"""The archive of a client app: what is in it, and who may read what."""

import io
import json
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.messaging.security import KafkaSecurity
from platform_ui.pki.archive import ClientBundle

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONFIGURATION = {
    "client_name": "car_1",
    "system": "cz.icecars.Fleet.Car1",
    "gost_servers": "metadata.test:8084",
    "kafka_bootstrap_servers": "kafka.test:9092",
}


def bundle(key: str = "the key") -> ClientBundle:
    return ClientBundle(
        authority_pem="the authority",
        certificate_pem="the certificate",
        key_pem=key,
        configuration=CONFIGURATION,
        platform_url="https://twin.test",
        until=AT,
    )


def entries(packed: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        return {entry.name: entry for entry in archive.getmembers()}


def test_everything_is_in_one_folder_and_only_the_owner_reads_the_key() -> None:
    found = entries(bundle().pack(AT))
    assert {name.partition("/")[0] for name in found} == {"cz.icecars.Fleet.Car1.car_1"}
    modes = {name.partition("/")[2]: entry.mode for name, entry in found.items()}
    assert modes.pop("key.pem") == 0o600
    assert set(modes.values()) == {0o644}
    assert {entry.mtime for entry in found.values()} == {int(AT.timestamp())}


def test_without_a_key_of_ours_the_device_is_told_where_its_own_belongs() -> None:
    files = bundle(key="").files()
    assert "key.pem" not in files
    assert "Put your key beside it, as key.pem" in files["README.txt"]
    assert "DTWIN_KAFKA__SSL_KEY_FILE=key.pem" in files["client.env"]


def test_the_client_can_read_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path
    for name, text in bundle().files().items():
        (folder / name).write_text(text, encoding="utf-8")
    lines = (folder / "client.env").read_text(encoding="utf-8").splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    monkeypatch.chdir(folder)
    settings = KafkaSecurity.from_environment(environment).to_librdkafka()
    assert settings["security.protocol"] == "SSL"
    assert settings["ssl.key.location"] == "key.pem"


def test_the_program_in_the_readme_is_python_with_the_configuration() -> None:
    files = bundle().files()
    program = files["README.txt"].split("The program begins with:\n\n", 1)[1]
    compile(program, "README.txt", "exec")
    assert json.loads(files["configuration.json"]) == CONFIGURATION
    for name, value in CONFIGURATION.items():
        assert f'{name}="{value}"' in program


def test_the_environment_names_the_sensorthings_service_for_bridges_sinks_and_notebooks() -> None:
    named = replace(bundle(), sensorthings_url="https://metadata.test")
    assert "DTWIN_SENSORTHINGS__URL=https://metadata.test\n" in named.files()["client.env"]
    assert "SENSORTHINGS" not in bundle().files()["client.env"]


def test_the_key_does_not_show_when_a_bundle_is_printed() -> None:
    assert "the key" not in repr(bundle())


def test_a_token_for_sensorthings_is_a_secret_file_that_the_environment_names() -> None:
    whole = replace(bundle(), sensorthings_token="the token")
    modes = {name.partition("/")[2]: entry.mode for name, entry in entries(whole.pack(AT)).items()}
    assert modes["sensorthings.token"] == 0o600
    assert "DTWIN_SENSORTHINGS__TOKEN_FILE=sensorthings.token\n" in whole.files()["client.env"]
    assert "TOKEN" not in bundle().files()["client.env"]
    assert "the token" not in repr(whole)
