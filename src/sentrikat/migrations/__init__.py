"""Schema changes in two phases.

`pre_NNNN_*.py` runs before the new code starts, while the old code still works on the
database: it only adds. `post_NNNN_*.py` runs when no old code is left: it takes away and
tightens. Each phase is one chain of revisions, named like its file (`pre_0001`); a revision
that needs one of the other chain names it in `depends_on`.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from sqlalchemy import MetaData

from sentrikat.infra.database.base import Base


def all_metadata() -> MetaData:
    """Import the tables of every room and return their metadata."""
    package = Path(__file__).parent.parent
    for models in sorted(package.rglob("models.py")):
        place = models.relative_to(package.parent).with_suffix("")
        importlib.import_module(".".join(place.parts))
    return Base.metadata
