"""`python -m setup.audit`: known vulnerabilities of what is locked, a bill of materials of what is installed.

What lives here: the step `audit` of the checks. What does not: the order of the checks (`setup.checks`).

Vulnerabilities are asked for at the package index by `pip-audit`. A service that does not answer, or that
does not know our packages, looks to that tool like "nothing found"; so a release that is known to be
vulnerable is asked for first, and only a service that says so is believed. Many machines reach packages
through a mirror that tells nothing of vulnerabilities: there the step says that the audit was not made, and
claims nothing. `DTWIN_CHECKS__AUDIT=required` makes that a failure, for release builds; `off` asks nothing.

The bill of materials is CycloneDX 1.6 in `build/sbom.cdx.json`, validated against its schema. Both are kept
while lock and environment stay the same, the audit for a day.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from importlib.metadata import distributions
from itertools import islice
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import typer

from setup.errors import PartMissingError
from setup.local.paths import clone_folder

SETTING: Final = "DTWIN_CHECKS__AUDIT"
LOCK: Final = Path("setup/requirements/dev.txt")
KNOWN_VULNERABLE: Final = "jinja2==2.10"  # CVE-2019-10906, a sandbox escape; every database has it
AUDIT_FRESH_S: Final = 24 * 3600
TIMEOUT_S: Final = 300.0
SCHEMA_VERSION: Final = "1.6"  # of CycloneDX (ECMA-424, 1st edition)

Ask = Callable[[Path], dict[str, Any] | None]


def main() -> None:
    """Make both; end with 1 when a vulnerability is known, or when none could be asked for but must be."""
    clone = clone_folder()
    if clone is None:
        raise PartMissingError("The audit reads the lock of a clone of the repository: run it there.")
    build = clone / "build"
    build.mkdir(exist_ok=True)
    is_sound = write_bill(build, fingerprint(clone / LOCK))
    is_clean = audit(clone / LOCK, build, ask_index, os.environ.get(SETTING, "") == "required", time.time())
    raise SystemExit(0 if is_sound and is_clean else 1)


def fingerprint(lock: Path) -> str:
    """Return what changes when the lock or an installed distribution does."""
    installed = sorted(f"{found.name}=={found.version}" for found in distributions())
    return hashlib.sha256(lock.read_bytes() + "\n".join(installed).encode()).hexdigest()


def write_bill(build: Path, key: str) -> bool:
    """Write the bill of materials unless it is there; return whether it is valid."""
    bill, kept = build / "sbom.cdx.json", build / "sbom.key"
    if bill.is_file() and kept.is_file() and kept.read_text(encoding="utf-8") == key:
        typer.echo(f"{bill} is up to date.")
        return True
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-format", "JSON"]
    command += ["--spec-version", SCHEMA_VERSION, "--no-validate", "--output-reproducible"]
    command += ["--output-file", str(bill), sys.executable]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if result.returncode != 0 or not bill.is_file():
        typer.echo(f"The bill of materials could not be made: {result.stderr.strip()[-2000:]}", err=True)
        return False
    content = json.loads(bill.read_text(encoding="utf-8"))
    faults = schema_faults(content)
    if faults:
        typer.echo(f"{bill} breaks the schema of CycloneDX: {'; '.join(faults)}", err=True)
        return False
    components = content["components"]
    kept.write_text(key, encoding="utf-8")
    typer.echo(f"{bill} lists {len(components)} distributions (CycloneDX {SCHEMA_VERSION}, valid).")
    return True


def schema_faults(bill: dict[str, Any]) -> list[str]:
    """Return where a bill of materials breaks its schema, the first ten places.

    The tool validates too, but takes twenty times as long.
    """
    schemas = resources.files("cyclonedx.schema") / "_res"

    def load(address: str) -> dict[str, Any]:
        name = address.rpartition("/")[2].replace(".schema.json", ".SNAPSHOT.schema.json")
        name = name.replace(".SNAPSHOT.SNAPSHOT", ".SNAPSHOT")
        schema: dict[str, Any] = json.loads((schemas / name).read_text(encoding="utf-8"))
        return schema

    validator = jsonschema_rs.Draft7Validator(load(f"bom-{SCHEMA_VERSION}.schema.json"), retriever=load)
    return [fault.message for fault in islice(validator.iter_errors(bill), 10)]


def audit(lock: Path, build: Path, ask: Ask, is_required: bool, now: float) -> bool:  # noqa: FBT001
    """Ask for vulnerabilities of what is locked; return whether none is known.

    Args:
        lock: the lock.
        build: the folder where a clean result is kept.
        ask: returns the tool's findings about a file of requirements; None when it has none.
        is_required: whether an audit that could not be made is a failure.
        now: the present time [s since 1970].
    """
    if os.environ.get(SETTING, "") == "off":
        typer.echo("The audit was left out: DTWIN_CHECKS__AUDIT=off.")
        return True
    kept = build / "audit.key"
    key = hashlib.sha256(lock.read_bytes()).hexdigest()
    is_fresh = kept.is_file() and now - kept.stat().st_mtime < AUDIT_FRESH_S
    if is_fresh and kept.read_text(encoding="utf-8") == key:
        typer.echo("No vulnerability was known within the last day.")
        return True
    report = ask(lock) if _finds_the_known_one(ask) else None
    if report is None:
        return _could_not("the package index tells no vulnerabilities here", is_required)
    faults, unknown = read_report(report)
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        return False
    if unknown:
        return _could_not(f"the package index does not know {', '.join(unknown)}", is_required)
    kept.write_text(key, encoding="utf-8")
    typer.echo(f"No vulnerability is known of {len(report['dependencies'])} locked distributions.")
    return True


def read_report(report: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return one line per vulnerability, and the names of what could not be looked up."""
    faults = [
        f"{found['name']} {found['version']}: {fault['id']}, mended in "
        f"{', '.join(fault.get('fix_versions') or ['no release yet'])}"
        for found in report["dependencies"]
        for fault in found.get("vulns", ())
    ]
    unknown = [found["name"] for found in report["dependencies"] if "skip_reason" in found]
    return faults, unknown


def ask_index(requirements: Path) -> dict[str, Any] | None:
    """Return the findings of `pip-audit` about a file of requirements; None when it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--disable-pip"]
    command += ["--no-deps", "--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        report = json.loads(result.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return report if isinstance(report, dict) else None


def _finds_the_known_one(ask: Ask) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "requirements.txt"
        canary.write_text(f"{KNOWN_VULNERABLE}\n", encoding="utf-8")
        report = ask(canary)
    return report is not None and bool(read_report(report)[0])


def _could_not(reason: str, is_required: bool) -> bool:  # noqa: FBT001
    typer.echo(
        f"NOT AUDITED: {reason}. Nothing is known about vulnerabilities of what is locked.",
        err=True,
    )
    return not is_required


if __name__ == "__main__":
    main()
