"""`python -m tools.lint`: look at every Python file of the repository."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

from tools.lint.rules import findings

REPOSITORY = Path(__file__).parent.parent.parent
FOLDERS = ("src", "agent", "license_server", "tools")


def main() -> int:
    """Print what breaks a rule; return 1 if anything does."""
    broken = 0
    for folder in FOLDERS:
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            path = PurePosixPath(file.relative_to(REPOSITORY))
            for rule, line, message in findings(file.read_text(encoding="utf-8"), path):
                print(f"{path}:{line}: {rule}: {message}")
                broken += 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
