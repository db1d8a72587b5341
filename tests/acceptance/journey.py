"""A person at a screen: what they do is done in a browser, and counted.

What lives here: clicks, keys, screens and seconds. What does not: where somebody wants to go (the tests).
"""

import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Frame, Locator, Page

_MOST_TABS: Final = 80
_LOOKS: Final = 3
_LOOK_MS: Final = 50
_FOCUS: Final = """() => {
  let one = document.activeElement;
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  if (!one || one === document.body) return {isSeen: false, isInView: false, what: ""};
  // The frame of an editor or of a card may show the focus in the place of the element.
  const places = [one, one.closest(".cm-editor"), one.getRootNode().host].filter(Boolean);
  const looks = places.map((seen) => getComputedStyle(seen));
  const shows = (look) => look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0;
  const box = one.getBoundingClientRect();
  const name = one.getAttribute("aria-label") || one.innerText || one.name || "";
  return {
    isSeen: looks.some(shows),
    isInView: box.bottom > 0 && box.top < innerHeight && box.width > 0,
    what: `${one.tagName.toLowerCase()} ${name.trim().slice(0, 40)}`,
  };
}"""


@dataclass
class Journey:
    """What somebody does in a browser, and what it costs.

    Attributes:
        page: the browser's page.
        clicks: how often something was clicked, or chosen by the Enter key.
        keys: how many keys were pressed, letters included.
        screens: the addresses seen, each once, without what stands after the question mark.
        unseen: what had the focus without showing it, or outside of the window.
    """

    page: Page
    clicks: int = 0
    keys: int = 0
    screens: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Begin where the page is."""
        self.page.on("framenavigated", self._note_screen)
        if self.page.url.startswith("http"):
            self._note_screen(self.page.main_frame)

    def _note_screen(self, frame: Frame) -> None:
        path = urlsplit(frame.url).path
        if frame == self.page.main_frame and path not in self.screens:
            self.screens.append(path)

    @property
    def seconds(self) -> float:
        """Time since the beginning [s]."""
        return time.monotonic() - self._begun

    def click(self, target: Locator) -> None:
        """Click something."""
        target.click()
        self.clicks += 1

    def fill(self, target: Locator, text: str) -> None:
        """Click into a field and write over what is there."""
        self.click(target)
        self.press("Control+a")
        self.type(text)

    def type(self, text: str) -> None:
        """Write where the focus is."""
        self.page.keyboard.type(text)
        self.keys += len(text)

    def press(self, key: str) -> None:
        """Press one key."""
        self.page.keyboard.press(key)
        self.keys += 1

    def tab_to(self, target: Locator) -> None:
        """Go to something by the Tab key alone; note where the focus does not show."""
        target.wait_for()
        for _ in range(_MOST_TABS):
            if target.evaluate("one => one === one.getRootNode().activeElement"):
                return
            self.press("Tab")
            self._look_at_focus()
        raise AssertionError(
            f"{target} is not reached by {_MOST_TABS} tabs; the focus is on {self._focused()}"
        )

    def write(self, target: Locator, text: str) -> None:
        """Go to a field by the Tab key and write over what is there."""
        self.tab_to(target)
        self.press("Control+a")
        self.type(text)

    def enter(self, target: Locator) -> None:
        """Go to something by the Tab key and choose it."""
        self.tab_to(target)
        self.press("Enter")
        self.clicks += 1

    def _focused(self) -> str:
        return str(self.page.evaluate(_FOCUS)["what"])

    def _look_at_focus(self) -> None:
        for _ in range(_LOOKS):
            focus = self.page.evaluate(_FOCUS)
            if not focus["what"] or (focus["isSeen"] and focus["isInView"]):
                return
            self.page.wait_for_timeout(_LOOK_MS)  # the editor shows its focus a moment later
        self.unseen.append(f"{urlsplit(self.page.url).path}: {focus['what']}")

    def told(self, name: str) -> str:
        """Return the costs as one line."""
        counts = f"{len(self.screens)} screens, {self.clicks} clicks, {self.keys} keys"
        return f"{name}: {counts}, {self.seconds:.1f} s"
