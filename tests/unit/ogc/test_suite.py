"""What the runner of the OGC suite makes of TestNG's report."""

from pathlib import Path

from tests.ogc.__main__ import table
from tests.ogc.jars import JSON_VERSION, SUITE_VERSION, pinned_hashes
from tests.ogc.suite import Verdict, read_results

REPORT = """
<testng-results passed="1" failed="1" skipped="0"><suite name="s">
  <test name="Conformance Level 1"><class name="c">
    <test-method name="setUp" is-config="true" status="PASS"/>
    <test-method name="checkServiceRootUri" status="PASS"/>
  </class></test>
  <test name="Conformance Level 3"><class name="c">
    <test-method name="tearDown" is-config="true" status="FAIL"/>
    <test-method name="readEntitiesWithTopQO" status="FAIL">
      <exception class="java.lang.AssertionError"><message><![CDATA[
        expected [2]
        but found [3]]]></message></exception>
    </test-method>
  </class></test>
</suite></testng-results>
"""


def test_report_gives_a_verdict_for_each_test_and_each_failed_preparation(tmp_path: Path) -> None:
    file = tmp_path / "testng-results.xml"
    file.write_text(REPORT, encoding="utf-8")

    verdicts = read_results(file)

    assert verdicts == [
        Verdict("A.1 Sensing Core", "checkServiceRootUri", "PASS", ""),
        Verdict("A.2 Filtering Extension", "tearDown", "FAIL", ""),
        Verdict("A.2 Filtering Extension", "readEntitiesWithTopQO", "FAIL", "expected [2] but found [3]"),
    ]
    assert [verdict.is_passed for verdict in verdicts] == [True, False, False]


def test_table_counts_by_class_and_tells_why() -> None:
    verdicts = [
        Verdict("A", "one", "PASS", ""),
        Verdict("A", "two", "SKIP", ""),
        Verdict("B", "three", "FAIL", "why"),
    ]

    lines = [line.split() for line in table(verdicts).splitlines()]

    assert lines[1:4] == [["A", "1", "0", "1"], ["B", "0", "1", "0"], ["total", "1", "1", "1"]]
    assert lines[-1] == ["why"]


def test_suite_and_the_library_that_it_was_written_for_are_pinned() -> None:
    names = pinned_hashes()

    assert {f"ets-sta10-{SUITE_VERSION}.jar", f"json-{JSON_VERSION}.jar"} <= set(names)
    assert [name for name in names if name.startswith("json-2")] == [f"json-{JSON_VERSION}.jar"]
    assert all(len(digest) == 64 for digest in names.values())
