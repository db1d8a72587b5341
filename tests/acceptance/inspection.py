"""What every page of the site must fulfil, and how one looks for it in a browser.

What lives here: the findings of one page. What does not: which pages there are (``screens``).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import ConsoleMessage, Page, Request, Response

AXE: Final = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text(encoding="utf-8")
WIDE: Final = {"width": 1280, "height": 900}
NARROW: Final = {"width": 390, "height": 844}
_OK: Final = 200
_BAD_FROM: Final = 400
_SHOWN: Final = 4
_GRAVE: Final = ("serious", "critical")

# An item of a tree holds the items below it; its name is its own line, as in the ARIA practices for trees.
_AXE_RUN: Final = """async (rules) => {
  const own = "[aria-label]:not([role=treeitem]), [aria-labelledby]:not([role=treeitem])";
  axe.configure({rules: [{id: "label-content-name-mismatch", selector: own}]});
  const found = await axe.run(document, {resultTypes: ["violations"], preload: false, ...rules});
  const where = ({target, any}) => `${target.join(" ")}${any[0] ? ` (${any[0].message})` : ""}`;
  return found.violations.map(({id, impact, help, nodes}) => ({id, impact, help, nodes: nodes.map(where)}));
}"""
_FRAME: Final = """() => ({
  title: document.title,
  headings: [...document.querySelectorAll("h1")].filter(one => one.checkVisibility()).map(
    one => one.innerText),
  language: document.documentElement.lang,
})"""
# What sticks out, innermost first; what scrolls in a box of its own does not.
_OVERFLOW: Final = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return "";
  const sticksOut = one => one.getBoundingClientRect().right > width + 1;
  const wide = [...document.body.querySelectorAll("*")].filter(sticksOut);
  const names = wide.slice(-3).map(one => `${one.tagName.toLowerCase()}.${one.getAttribute("class")}`);
  return `${document.documentElement.scrollWidth} px: ${names.join(", ")}`;
}"""


@dataclass
class Inspector:
    """Somebody who looks at pages and notes what is wrong with them.

    Attributes:
        page: the browser's page.
        findings: what was found, by address and how it was looked at.
    """

    page: Page
    findings: dict[str, list[str]] = field(default_factory=dict)
    _heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen to what the browser complains about."""
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self._heard.append(f"script error: {error}"))
        self.page.on("requestfailed", self._note_request)
        self.page.on("response", self._note_response)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._heard.append(f"console: {message.text[:300]}")

    def _note_request(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a page has asked for when it is left
            self._heard.append(f"request failed: {request.url} {request.failure}")

    def _note_response(self, response: Response) -> None:
        if response.status >= _BAD_FROM and not response.request.is_navigation_request():
            self._heard.append(f"answered {response.status}: {response.url}")

    def visit(self, address: str, *, status: int = _OK, dark: bool = False) -> None:
        """Go to a page and note what is wrong with it.

        Args:
            address: where.
            status: what it must answer.
            dark: whether it is looked at in dark colours, for contrast alone.
        """
        self._heard.clear()
        self.page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
        answer = self.page.goto(address, wait_until="load")
        wrong = [] if answer and answer.status == status else [f"status {answer.status if answer else None}"]
        self.page.wait_for_timeout(150)  # what is asked for on load; live pages never get idle
        if dark:
            wrong += self._axe({"runOnly": ["color-contrast"]})
        else:
            wrong += self._frame()
            wrong += self._axe({})
        self.page.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
        if sticking_out := self.page.evaluate(_OVERFLOW):
            wrong.append(f"wider than a telephone: {sticking_out}")
        wrong += self._heard
        if wrong:
            self.findings[f"{address} (dark)" if dark else address] = wrong

    def heard(self) -> list[str]:
        """Return what the browser has complained about since the last visit."""
        return list(self._heard)

    def _frame(self) -> list[str]:
        seen: dict[str, Any] = self.page.evaluate(_FRAME)
        wrong = []
        if len(seen["headings"]) != 1:
            wrong.append(f"headings of the first level: {seen['headings']}")
        if not seen["title"]:
            wrong.append("no title")
        if not seen["language"]:
            wrong.append("no language")
        return wrong

    def _axe(self, rules: dict[str, list[str]]) -> list[str]:
        self.page.evaluate(AXE)
        violations: list[dict[str, Any]] = self.page.evaluate(_AXE_RUN, rules)
        return [
            f"axe {one['impact']}: {one['id']} ({one['help']}) at {_some(one['nodes'])}"
            for one in violations
            if one["impact"] in _GRAVE
        ]

    def told(self) -> str:
        """Return all findings as one text."""
        lines = [f"{address}\n  " + "\n  ".join(wrong) for address, wrong in self.findings.items()]
        return "\n".join(lines)


def _some(places: list[str]) -> str:
    further = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return "; ".join(places[:_SHOWN]) + further
