"""`python -m sentrikat` and the `sentrikat` command."""

from __future__ import annotations

import sys

from sentrikat.cli import run


def main() -> None:
    """Run the command line."""
    sys.exit(run())


if __name__ == "__main__":
    main()
