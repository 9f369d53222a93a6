"""Write docs/develop/openapi.json from the routes: python -m tools.write_openapi."""

from __future__ import annotations

from pathlib import Path

import orjson

from sentrikat.app import create_app
from sentrikat.infra.settings import Settings

TARGET = Path(__file__).parent.parent / "docs" / "develop" / "openapi.json"


def main() -> None:
    """Write the file; no database is needed to describe what would be asked of one."""
    document = create_app(Settings(), "postgresql://nobody@localhost/nothing").openapi()
    TARGET.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    print(f"{TARGET}: {len(document['paths'])} paths")


if __name__ == "__main__":
    main()
