"""How documents are written as YAML: always the same bytes for the same content.

What lives here: writing. What does not: reading (``code.reading``), what a document is (``code.documents``).

Source: YAML 1.2.2, clause 8.1 "Block Scalar Styles" for texts of several lines.
"""

from __future__ import annotations

from typing import Any

import yaml

_WIDTH = 100


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as people would, and items of lists indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - theirs
        """Indent the items of a list, which the library leaves out."""
        del indentless
        super().increase_indent(flow=flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_block = "\n" in text and not any(line.endswith(" ") for line in text.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if is_block else None)


_Dumper.add_representer(str, _text)


def to_yaml(*documents: Any) -> str:  # noqa: ANN401 - JSON
    """Return documents as YAML, in the order of their members; several are parted by lines of `---`."""
    return "---\n".join(
        yaml.dump(one, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH) for one in documents
    )
