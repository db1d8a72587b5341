"""What the pages say must be so: links, programs, statements."""

import ast
import importlib
import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest

from streamhub.hooks import HookDerivation, load_hooks
from streamhub.hooks.file import CONSTANTS
from streamhub.query import compile_statement
from streamhub.query.quantities import check_units
from streamhub.query.replay import run_query
from tests.house.documents import ROOT, Block, blocks, pages, prose, read

_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_LONGEST_FIRST_PROGRAM = 10
_LONGEST_MQTT_PROGRAM = 8


@dataclass
class Tail:
    """What the engine would say about an output."""

    tail: str = "}"


def anchors(path: Path) -> set[str]:
    """The anchors that the headings of a page have, as web sites for repositories make them."""
    headings = re.findall(r"^#+ +(.*)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = [match["target"] for match in _LINK.finditer(prose(page))]
    for target in targets:
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = unquote(target).partition("#")
        there = (ROOT / page).parent / name if name else ROOT / page
        assert there.exists(), f"{page} links to {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.resolve().relative_to(ROOT)), f"{page} links to {target}"


def test_the_index_names_every_page_of_the_documentation() -> None:
    index = read(Path("docs/README.md"))
    shown = [page for page in pages() if page.parts[0] == "docs" and "explanations" not in page.parts]
    missing = [
        str(page) for page in shown if page.name != "README.md" and str(page.relative_to("docs")) not in index
    ]
    assert missing == []


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_programs_in_pages_compile_and_import_what_exists(block: Block) -> None:
    tree = ast.parse(block.code, filename=str(block))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("my_"):
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{block}: {node.module} has no {name.name}"
        elif isinstance(node, ast.Import):
            for name in node.names:
                importlib.import_module(name.name)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_in_pages_is_json(block: Block) -> None:
    json.loads(block.code)


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_statements_in_pages_are_understood(block: Block) -> None:
    statements = [line for line in block.code.split(";\n") if line.strip()]
    assert statements
    for statement in statements:
        compile_statement(statement)


def test_the_join_of_the_guide_gives_what_the_guide_shows() -> None:
    page = Path("docs/how-to/join-streams.md")
    statement = next(block.code for block in blocks("sql") if block.path == page)
    records, shown = [block.code.splitlines() for block in blocks("jsonl") if block.path == page]
    assert [record.to_json() for record in run_query(statement, records)] == shown
    units = json.loads(next(block.code for block in blocks("json") if block.path == page))
    check_units(compile_statement(statement).tree, statement, units)


def test_the_hooks_of_the_guide_measure_the_distance(tmp_path: Path) -> None:
    (program,) = [block.code for block in blocks("python") if block.path.name.startswith("write-your-own")]
    path = tmp_path / "distance.py"
    path.write_text(program, encoding="utf-8")
    file = load_hooks(path)
    sources = file.settings({}).source_systems
    hooks = HookDerivation(file, sources)
    outputs: defaultdict[tuple[int, str | None], Tail] = defaultdict(Tail)
    pair = []
    for system, latitude in zip(sources, (47.8, 47.805), strict=True):
        (route,) = hooks.routes(system, f"{system}.Main.Air Temperature".encode())
        value = {"phenomenonTime": 0, "result": 3, "latitude": latitude, "longitude": 13.0}
        pair.append(route.read(json.dumps(value).encode()))
    assert [hooks.choose(record) for record in pair] == [(0,), (1,)]
    results: list[tuple[Any, str]] = []
    hooks.derive([(pair[0], pair[1]), (pair[0], pair[0])], "2026-01-02T03:04:05Z", outputs, results)
    near, same = [json.loads(text)["result"] for _, text in results]
    assert near == pytest.approx(0.5566, abs=1e-4)
    assert same == pytest.approx(0.0, abs=1e-3)
    assert list(outputs) == [(0, "Main")]


def test_every_constant_of_hooks_is_documented() -> None:
    page = read(Path("docs/how-to/write-your-own-join-in-python.md"))
    documented = re.findall(r"^\| `([A-Z_]+)` \|", page, flags=re.MULTILINE)
    assert sorted(documented) == sorted(CONSTANTS)


def test_the_programs_of_the_readme_have_ten_lines_and_eight() -> None:
    device, mqtt_device = [block for block in blocks("python") if block.path == Path("README.md")]
    assert len(device.code.splitlines()) <= _LONGEST_FIRST_PROGRAM
    assert len(mqtt_device.code.splitlines()) <= _LONGEST_MQTT_PROGRAM


def test_the_test_of_the_guide_on_tests_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, test = [
        block.code for block in blocks("python") if block.path.name.startswith("test-your-device")
    ]
    (readme_instances,) = [block.code for block in blocks("json") if block.path == Path("README.md")]
    instances = json.loads(readme_instances)
    instances["Datastreams"]["warning"] = instances["Datastreams"].pop("temperature")
    instances["Datastreams"]["warning"]["observationType"] = "OM_CategoryObservation"
    (tmp_path / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    module = ModuleType("my_device")
    exec(compile(device, "my_device.py", "exec"), module.__dict__)  # noqa: S102 - our own page
    monkeypatch.setitem(sys.modules, "my_device", module)
    names: dict[str, object] = {}
    exec(compile(test, "test_my_device.py", "exec"), names)  # noqa: S102 - our own page
    (run,) = [value for name, value in names.items() if name.startswith("test_")]
    assert callable(run)
    run()
