"""The colours of both themes: readable by everybody, and the same however a theme was chosen.

Source: WCAG 2.2, criteria 1.4.3 "Contrast (Minimum)" and 1.4.11 "Non-text Contrast".
"""

import re

import pytest

from platform_ui.web import STATIC

TEXT_RATIO, EDGE_RATIO = 4.5, 3.0
CSS = (STATIC / "app.css").read_text()
_VALUE = re.compile(r"--([a-z-]+): (#[0-9a-f]{3,6});")


def colours(start: str) -> dict[str, str]:
    return dict(_VALUE.findall(CSS[CSS.index(start) :].split("}")[0]))


LIGHT = colours(":root {")
BY_SYSTEM = LIGHT | colours(':root:not([data-theme="light"]) {')
DARK = LIGHT | colours(':root[data-theme="dark"] {')
GROUNDS = ("ground", "surface", "raised", "code")
PAIRS = [
    *((text, ground) for text in ("ink", "muted", "accent-strong") for ground in GROUNDS),
    *((text, "surface") for text in ("danger", "warn", "good", "info")),
    *((word, f"{word}-soft") for word in ("danger", "warn", "good", "info")),
    ("accent-strong", "accent-soft"),
    ("ink", "accent-soft"),
    ("muted", "accent-soft"),
    ("on-accent", "accent"),
    ("surface", "danger"),
]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable_on_every_ground_that_it_stands_on(theme: dict[str, str]) -> None:
    weak = {
        f"{text} on {ground}": round(contrast(theme[text], theme[ground]), 2)
        for text, ground in PAIRS
        if contrast(theme[text], theme[ground]) < TEXT_RATIO
    }
    assert weak == {}


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_edges_of_fields_and_the_focus_stand_out(theme: dict[str, str]) -> None:
    for edge in ("field-edge", "accent"):
        for ground in ("ground", "surface"):
            assert contrast(theme[edge], theme[ground]) >= EDGE_RATIO, (edge, ground)


def test_the_dark_theme_is_the_same_by_choice_and_by_system() -> None:
    assert DARK == BY_SYSTEM
    assert DARK["ground"] != LIGHT["ground"]
