"""Credentials of apps: files that only their owner reads, whole at any time, and nothing of the runner's."""

import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from client.errors import ConfigurationError
from streamhub.runner import AppCredentials, RunnerDirectory
from streamhub.runner.folder import AppFolder
from streamhub.runner.launchers.processes import AppProcesses
from streamhub.specification import StreamAppSpecification

SPECIFICATION = StreamAppSpecification(
    name="app",
    source_system="aa.bb.cc.dd",
    target_system="ee.ff.gg.hh",
    statement="SELECT * FROM *;",
    bootstrap_servers="127.0.0.1:9092",
)


def credentials(mark: str = "1") -> AppCredentials:
    certificate = f"-----BEGIN CERTIFICATE-----\n{mark}\n-----END CERTIFICATE-----\n"
    key = f"-----BEGIN PRIVATE KEY-----\n{mark}\n-----END PRIVATE KEY-----\n"
    return AppCredentials(certificate, certificate, key)


@pytest.fixture
def directory(tmp_path: Path) -> RunnerDirectory:
    return RunnerDirectory(tmp_path / "runner")


def folder_of(directory: RunnerDirectory) -> AppFolder:
    return AppFolder(directory.path / "apps" / SPECIFICATION.app_id)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_can_be_read_by_their_owner_only(directory: RunnerDirectory) -> None:
    before = os.umask(0)
    try:
        directory.deploy(SPECIFICATION, credentials())
    finally:
        os.umask(before)
    found = folder_of(directory).path / "credentials"
    assert mode(found) == 0o700
    assert {path.name: mode(path) for path in found.iterdir()} == {
        "ca.pem": 0o600,
        "certificate.pem": 0o600,
        "key.pem": 0o600,
    }
    assert (found / "key.pem").read_text() == credentials().key


def test_other_credentials_are_another_digest_and_a_new_request_the_same_are_neither(
    directory: RunnerDirectory,
) -> None:
    folder = folder_of(directory)
    seen = []
    for given in (None, credentials("1"), credentials("1"), None, credentials("2")):
        directory.deploy(SPECIFICATION, given)
        desired = folder.read_desired()
        assert desired is not None
        seen.append((folder.digest(), desired.request))
    assert seen[1] == seen[2] == seen[3]
    assert len({digest for digest, _ in seen}) == len({request for _, request in seen}) == 3


def test_a_running_process_keeps_the_generation_that_it_was_started_with(directory: RunnerDirectory) -> None:
    directory.deploy(SPECIFICATION, credentials("1"))
    folder = folder_of(directory)
    first = folder.credentials.environment()
    directory.deploy(SPECIFICATION, credentials("2"))
    second = folder.credentials.environment()
    assert Path(first["DTWIN_KAFKA__SSL_KEY_FILE"]).read_text() == credentials("1").key
    assert Path(second["DTWIN_KAFKA__SSL_KEY_FILE"]).read_text() == credentials("2").key
    folder.credentials.forget_old()
    assert not Path(first["DTWIN_KAFKA__SSL_KEY_FILE"]).exists()
    assert Path(second["DTWIN_KAFKA__SSL_KEY_FILE"]).exists()


def test_a_removed_app_has_no_credentials_left_at_once(directory: RunnerDirectory) -> None:
    directory.deploy(SPECIFICATION, credentials())
    directory.remove(SPECIFICATION.app_id)
    assert list(directory.path.rglob("*.pem")) == []
    assert folder_of(directory).credentials.environment() == {}


def test_an_interrupted_write_leaves_the_former_credentials(
    directory: RunnerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.deploy(SPECIFICATION, credentials("1"))
    folder = folder_of(directory)

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "symlink_to", fail)
        with pytest.raises(OSError, match="no space"):
            folder.credentials.write(credentials("2"))
    key = Path(folder.credentials.environment()["DTWIN_KAFKA__SSL_KEY_FILE"])
    assert key.read_text() == credentials("1").key
    assert folder.credentials.write(credentials("2"))
    assert (folder.path / "credentials" / "key.pem").read_text() == credentials("2").key


@pytest.mark.parametrize(
    "changes", [{"authority": ""}, {"certificate": "x"}, {"key": "-----BEGIN ENCRYPTED PRIVATE KEY-----"}]
)
def test_what_is_no_pem_is_refused_and_a_key_never_shows(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="PEM"):
        replace(credentials(), **changes)
    assert "PRIVATE" not in repr(credentials())


class _Recorder:
    """Stands for `subprocess.Popen`."""

    pid = 0

    def __init__(self, *_: object, env: Mapping[str, str], **__: object) -> None:
        self.env = env
        _Recorder.seen = dict(env)
        self.pid = os.getpid()

    seen: Mapping[str, str]


def test_a_process_gets_its_own_credentials_and_no_secret_of_the_runner(
    directory: RunnerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.deploy(SPECIFICATION, credentials())
    folder = folder_of(directory)
    theirs = {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "DTWIN_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "DTWIN_KAFKA__SSL_KEY_FILE": "/runner/key.pem",
        "DTWIN_KAFKA__SSL_KEY_PASSWORD": "secret",
        "DTWIN_KAFKA__SASL_PASSWORD": "secret",
        "DTWIN_PKI__PASSPHRASE": "secret",
        "DTWIN_POSTGRES__URL": "postgresql://user:secret@host/db",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PGPASSWORD": "secret",
        "SOMETHING_NEW": "secret",
    }
    monkeypatch.setattr(subprocess, "Popen", _Recorder)
    AppProcesses(theirs).start(folder)
    own = folder.credentials.environment()
    assert _Recorder.seen == {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "TMPDIR": str(folder.scratch),
        **own,
    }
    assert own["DTWIN_KAFKA__SECURITY_PROTOCOL"] == "SSL"
    assert Path(own["DTWIN_KAFKA__SSL_KEY_FILE"]).is_relative_to(folder.path.resolve())


def test_a_process_without_credentials_gets_none(
    directory: RunnerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.deploy(SPECIFICATION)
    monkeypatch.setattr(subprocess, "Popen", _Recorder)
    AppProcesses({"PATH": "/bin", "DTWIN_KAFKA__SSL_KEY_FILE": "/runner/key.pem"}).start(folder_of(directory))
    assert [name for name in _Recorder.seen if name.startswith("DTWIN_")] == []


def test_no_app_of_a_runner_asks_for_a_metrics_port_that_could_be_taken(
    directory: RunnerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The figures of all are on the page of the runner; a port that is taken would end an app for good.
    directory.deploy(SPECIFICATION, credentials())
    monkeypatch.setattr(subprocess, "Popen", _Recorder)
    AppProcesses({"PATH": "/bin", "DTWIN_APP__METRICS_PORT": "9100"}).start(folder_of(directory))
    assert "DTWIN_APP__METRICS_PORT" not in _Recorder.seen


def test_what_is_handed_down_is_enough_to_start_python() -> None:
    environment = AppProcesses(os.environ)._environment
    done = subprocess.run(
        [sys.executable, "-c", "import streamhub.commands"], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
