"""Nothing writes CSV, so no cell that begins with = or @ becomes a formula in somebody's spreadsheet.

Whoever adds an export as CSV puts one writer in one place, which writes such cells with an apostrophe before them,
and names it here.
"""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parent.parent.parent / "src" / "sentrikat"


def test_no_module_has_a_writer_of_csv() -> None:
    writers = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (
            isinstance(node, ast.Attribute | ast.Name | ast.alias)
            and (
                node.attr
                if isinstance(node, ast.Attribute)
                else node.id
                if isinstance(node, ast.Name)
                else node.name
            )
            in {"DictWriter", "csv.writer"}
        )
        or (isinstance(node, ast.Attribute) and node.attr == "writer" and ast.unparse(node.value) == "csv")
        or (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith("text/csv")
        )
    ]

    assert writers == []
