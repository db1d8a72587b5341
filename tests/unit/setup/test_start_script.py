"""The start script `./dtwin`, loaded as a module: deciding and explaining, without pip."""

import ast
import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

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
    for name in ("runtime.txt", "dev.txt"):
        (locks / name).write_text(f"{name[:-4]}==1.0 --hash=sha256:00\n")
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


def test_the_development_lock_covers_the_other_one(script: ModuleType) -> None:
    script.write_record("dev.txt")
    assert script.is_current("runtime.txt")


def test_a_changed_lock_is_noticed(script: ModuleType) -> None:
    script.write_record("runtime.txt")
    (script.LOCKS / "runtime.txt").write_text("other==2.0\n")
    assert not script.is_current("runtime.txt")


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
