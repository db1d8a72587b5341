"""What a person does to the editor of a statement: CodeMirror, where `fill` of Playwright is no typing.

`fill` inserts by the browser's own editing command. Chromium then writes the look of the replaced text into
the markup, which the content policy blocks and the console tells, although nobody at a keyboard meets it.
"""

from playwright.sync_api import Locator, Page, expect


def statement_editor(page: Page) -> Locator:
    """Return the editor, once it has taken the place of the plain field."""
    expect(page.locator("[data-statement-editor].is-enhanced")).to_be_visible()
    return page.get_by_role("textbox", name="Statement")


def write_over(editor: Locator, text: str) -> None:
    """Replace all that an editor holds, as keys and paste do, and see that the form will send just that."""
    editor.press("Control+a")
    editor.page.keyboard.insert_text(text)
    expect(editor.page.locator("[data-statement-editor] textarea")).to_have_value(text)
