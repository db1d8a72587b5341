"""The page on the language says all that there is to say."""

import re
from pathlib import Path

from streamhub.query import joined_replay, replay
from streamhub.query.functions import FUNCTIONS

PAGE = Path("docs/reference/query-language.md")


def page() -> str:
    return (Path(__file__).parents[4] / PAGE).read_text(encoding="utf-8")


def test_every_function_is_in_the_table_as_it_is() -> None:
    rows = [
        f"| `{name}()` | {function.arity} | {', '.join(kind.value for kind in function.parameters) or '-'} "
        f"| {function.result.value} | {function.summary} |"
        for name, function in FUNCTIONS.items()
    ]
    assert re.findall(r"^\| `\w+\(\)` \|.*$", page(), flags=re.MULTILINE) == rows


def test_every_reason_to_refuse_a_line_is_named() -> None:
    codes = {
        value
        for module in (replay, joined_replay)
        for name, value in vars(module).items()
        if name.startswith("LINE_")
    }
    assert len(codes) == 4
    assert [code for code in codes if f"`{code}`" not in page()] == []
