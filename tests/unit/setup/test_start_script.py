"""The start script `./dtwin`, loaded as a module: deciding and explaining, without pip."""

import ast
import importlib.machinery
import importlib.util
import json
import os
import sys
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SCRIPT = Path(__file__).parents[3] / "dtwin"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, working on an empty clone."""
    loader = importlib.machinery.SourceFileLoader("dtwin_start", str(SCRIPT))
    spec = importlib.util.spec_from_loader("dtwin_start", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    locks = tmp_path / "setup" / "requirements"
    locks.mkdir(parents=True)
    for name in ("runtime.txt", "analytics.txt", "dev.txt", "uv.txt"):
        (locks / name).write_text(f"{name[:-4]}==1.0 --hash=sha256:00\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "digital-twin-stack"\nversion = "1.2.3"\n')
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    for name, value in {
        "CLONE": tmp_path,
        "VENV": tmp_path / ".venv",
        "VENV_PYTHON": python,
        "LOCKS": locks,
        "RECORD": tmp_path / ".venv" / "record.json",
        "INSTALL_LOG": tmp_path / ".venv" / "install.log",
    }.items():
        monkeypatch.setattr(module, name, value)
    return module


def test_nothing_is_installed_again_while_the_lock_is_the_same(script: ModuleType) -> None:
    assert not script.is_current("runtime.txt")
    script.write_record("runtime.txt")
    assert script.is_current("runtime.txt")
    assert not script.is_current("dev.txt")


def test_each_lock_covers_those_before_it(script: ModuleType) -> None:
    script.write_record("analytics.txt")
    assert script.is_current("runtime.txt")
    assert script.is_current("analytics.txt")
    assert not script.is_current("dev.txt")
    script.write_record("dev.txt")
    assert script.is_current("runtime.txt")
    assert script.is_current("analytics.txt")


@pytest.mark.parametrize(
    ("words", "lock"),
    [
        ("demo --speed 2", "runtime.txt"),
        ("demo --speed 2 --analytics", "analytics.txt"),
        ("notebook --port 9999", "analytics.txt"),
        ("up --analytics", "runtime.txt"),
        ("test --only unit", "dev.txt"),
        ("", "runtime.txt"),
    ],
)
def test_notebooks_are_installed_for_those_who_ask_for_them(
    script: ModuleType, words: str, lock: str
) -> None:
    assert script.lock_of(words.split()) == lock


def test_a_changed_lock_is_noticed(script: ModuleType) -> None:
    script.write_record("runtime.txt")
    (script.LOCKS / "runtime.txt").write_text("other==2.0\n")
    assert not script.is_current("runtime.txt")


def test_programs_of_a_clone_learn_its_version_and_that_of_the_next_release(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    said = SimpleNamespace(stdout=f"{packages}\n")
    monkeypatch.setattr(script, "run", lambda *_: said)

    def known() -> list[str]:
        found = Distribution.discover(name="digital-twin-stack", path=[str(packages)])
        return [distribution.version for distribution in found]

    script.link_clone()
    script.write_record("runtime.txt")
    assert known() == ["1.2.3"]
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.3.0"\n')
    assert not script.is_current("runtime.txt")
    script.link_clone()
    assert known() == ["1.3.0"]


def test_an_environment_that_was_copied_from_another_clone_is_not_trusted(script: ModuleType) -> None:
    script.write_record("runtime.txt")
    record = json.loads(script.RECORD.read_text())
    script.RECORD.write_text(json.dumps(record | {"clone": "/elsewhere"}))
    assert not script.is_current("runtime.txt")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "not the one that was pinned"),
        ("Failed: Temporary failure in name resolution", "Check the network"),
        ("ERROR: no version of lark==1.3 (from versions: none)", "lark==1.3"),
        ("error: something odd", "something odd"),
    ],
)
def test_a_failure_of_pip_is_explained(
    script: ModuleType, capsys: pytest.CaptureFixture[str], said: str, expected: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        script.explain_failure([said])
    assert ended.value.code == 1
    assert expected in capsys.readouterr().err


def told_to_pip(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *lines: str) -> dict[str, str] | None:
    """Return the variables for uv where `pip config list` says this."""
    monkeypatch.setattr(script, "run", lambda *_: SimpleNamespace(stdout="\n".join(lines)))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    environment: dict[str, str] | None = script.uv_environment()
    return environment


def test_uv_goes_where_pip_was_sent(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    told = told_to_pip(
        script,
        monkeypatch,
        "Some warning that names nothing",
        ":env:.index-url='http://of-the-variable/simple'",
        ":env:.find-links='/one /two'",
        "global.index-url='http://of-the-file/simple'",
        'global.cert="/of/the/house\'s.pem"',
        "global.timeout='60'",
        "install.progress-bar='off'",
    )
    assert told is not None
    assert told["UV_DEFAULT_INDEX"] == "http://of-the-variable/simple"
    assert told["UV_FIND_LINKS"] == "/one,/two"
    assert told["SSL_CERT_FILE"] == "/of/the/house's.pem"
    assert told["UV_HTTP_TIMEOUT"] == "60"


def test_what_uv_does_not_know_is_left_to_pip(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_to_pip(script, monkeypatch, "global.keyring-provider='subprocess'") is None


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ((), [("pip", "uv.txt"), ("uv", "dev.txt")]),
        (("uv",), [("pip", "uv.txt"), ("uv", "dev.txt"), ("pip", "dev.txt")]),
        (("uv.txt",), [("pip", "uv.txt"), ("pip", "dev.txt")]),
    ],
)
def test_pip_does_what_uv_cannot(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: tuple[str, ...],
    expected: list[tuple[str, str]],
) -> None:
    done: list[tuple[str, str]] = []

    def follow(name: str, command: list[object], *_: object) -> tuple[list[str], int]:
        done.append((name, Path(str(command[-1])).name))
        has_failed = any(word in failing for word in done[-1])
        return (["no wheel for this machine"], 2) if has_failed else ([], 0)

    monkeypatch.setattr(script, "run", lambda *_: SimpleNamespace(stdout=""))
    monkeypatch.setattr(script, "follow", follow)
    script.install("dev.txt")
    assert done == expected
    assert ("no wheel for this machine" in capsys.readouterr().err) == bool(failing)


def test_an_installer_is_followed_line_by_line(
    script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    program = "print('Resolved 2 packages'); print(' + one==1.0'); print('Installed 2 packages'); exit(3)"
    with (tmp_path / "log").open("w") as log:
        said, code = script.follow("uv", [sys.executable, "-c", program], None, script.show_uv, log)
    assert code == 3
    assert said == ["Resolved 2 packages", " + one==1.0", "Installed 2 packages"]
    assert (tmp_path / "log").read_text().splitlines() == said
    assert capsys.readouterr().err.splitlines() == ["  Resolved 2 packages", "  Installed 2 packages"]


def test_what_python_has_compiled_is_kept_where_it_is_in_nobodys_way(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    assert script.environment_of_programs() == dict(os.environ)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = script.environment_of_programs()
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found["PYTHONPYCACHEPREFIX"] == str(script.VENV / "pycache")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "elsewhere")
    assert script.environment_of_programs()["PYTHONPYCACHEPREFIX"] == "elsewhere"


def test_an_old_python_is_told_what_to_install(
    script: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script.shutil, "which", lambda _name: None)
    with pytest.raises(SystemExit):
        script.use_newer_python()
    assert "needs Python 3.11 or newer" in capsys.readouterr().err


def test_a_python_without_ensurepip_is_told_what_to_install(
    script: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script.VENV_PYTHON.unlink()
    monkeypatch.setattr(script.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SystemExit):
        script.make_venv()
    assert "-venv" in capsys.readouterr().err


def test_a_clone_without_its_locks_says_how_to_restore_them(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (script.LOCKS / "runtime.txt").unlink()
    with pytest.raises(SystemExit):
        script.lock_hash("runtime.txt")
    assert "git checkout" in capsys.readouterr().err


def test_the_script_uses_the_standard_library_only() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
