"""No page breaks the content security policy: Chromium tells of every violation while it renders them."""

import re

import pytest
from playwright.sync_api import Page

from tests.acceptance.browser.conftest import Site
from tests.acceptance.browser.test_car1 import CAR1, log_in

# The fixture fails the test on errors of the console; violations are listed besides, with what was blocked.
_LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""
_START = (
    "/dashboard",
    "/companies/new",
    "/systems/new",
    "/clients",
    "/apps",
    "/contracts",
    "/explorer",
    "/explorer/map",
    "/explorer/query",
    f"/systems/{CAR1}/apps/new",
    f"/systems/{CAR1}/clients/new",
)
_ENDS = re.compile(r"logout|/tail$|\.pem$|/odcs|/log$|/static/|/api/|/login/oidc|/export")
_MOST_PAGES = 60


@pytest.mark.extended
def test_no_page_breaks_the_content_security_policy(page: Page) -> None:
    page.add_init_script(_LISTEN)
    seen, violations = set[str](), list[str]()

    def visit(path: str) -> list[str]:
        seen.add(path)
        answer = page.goto(path)
        assert answer is not None
        assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"], path
        page.wait_for_load_state("load")
        violations.extend(f"{path}: {text}" for text in page.evaluate("window.violations"))
        return list(page.eval_on_selector_all("a[href^='/']", "all => all.map(a => a.getAttribute('href'))"))

    for path in ("/login", "/signup", "/forgot", "/nothing-here"):
        visit(path)
    log_in(page, "sue.smith")
    waiting = list(_START)
    while waiting and len(seen) < _MOST_PAGES:
        path = waiting.pop(0)
        if path not in seen and not _ENDS.search(path):
            waiting += visit(path)
    assert len(seen) > 20
    assert violations == []


def test_a_violation_would_be_noticed(page: Page, site: Site) -> None:
    """The test above can fail: what the policy forbids is told by the event that it listens to."""
    browser = page.context.browser
    assert browser is not None
    other = browser.new_page()  # one whose violations do not fail the test
    other.add_init_script(_LISTEN)
    other.goto(f"{site.url}/login")
    other.evaluate("document.body.setAttribute('style', 'color: red')")
    other.wait_for_function("window.violations.length > 0")
