"""Lists as tables: of the terminal's width where somebody looks, whole lines where a program reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 10_000  # columns: nothing is folded in a pipe, where a folded name is no name


def show(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str, right: Collection[str] = ()
) -> None:
    """Print a table; `empty` says what it means that there are no rows, and what to do."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # a name with brackets is no markup
    if not table.row_count:
        print(empty)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    console.print(table)
