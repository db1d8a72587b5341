"""Run the OGC suite against a service of your own: `python -m tests.ogc http://127.0.0.1:8084/v1.1 --wipe`.

Exit code: 0 all tests passed, 1 one did not, 2 the suite could not run.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from setup.errors import SetupError
from tests.ogc.jars import SUITE_VERSION
from tests.ogc.suite import SuiteError, Verdict, run_suite


def main() -> int:
    """Run, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.ogc", description=__doc__)
    parser.add_argument("url", help="service root with the version")
    parser.add_argument("--wipe", action="store_true", help="the service's entities may be deleted")
    parser.add_argument("--folder", type=Path, help="where log and results go [a temporary folder]")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="ogc-suite-"))
    began = time.monotonic()
    try:
        verdicts = run_suite(options.url.rstrip("/"), folder, may_wipe=options.wipe)
    except (SuiteError, SetupError) as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"ets-sta10 {SUITE_VERSION} against {options.url}, {time.monotonic() - began:.0f} s, log in {folder}"
    )
    print(table(verdicts))
    return 0 if all(verdict.is_passed for verdict in verdicts) else 1


def table(verdicts: list[Verdict]) -> str:
    """Return the counts of each conformance class, then every test that did not pass and why."""
    lines = [f"{'conformance class':<28} {'passed':>6} {'failed':>6} {'skipped':>7}"]
    classes = list(dict.fromkeys(verdict.conformance_class for verdict in verdicts))
    for name in [*classes, "total"]:
        count = Counter(one.status for one in verdicts if name in {one.conformance_class, "total"})
        lines.append(f"{name:<28} {count['PASS']:>6} {count['FAIL']:>6} {count['SKIP']:>7}")
    lines += [
        f"{one.status}  {one.conformance_class}: {one.test}\n      {one.message}"
        for one in verdicts
        if not one.is_passed
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
