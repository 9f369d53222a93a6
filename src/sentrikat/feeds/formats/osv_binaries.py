"""Which source package the binaries of a SUSE update were built from.

SUSE's records name source packages and list the binaries of the update in `ecosystem_specific.binaries`. An update of
several source packages repeats the whole list under each of them; only one that is of a single source package says
for certain what is built from it. Hosts that report the source themselves need none of it; SBOMs often do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sentrikat.domain.advisory import BuiltFrom
from sentrikat.feeds import fields
from sentrikat.feeds.formats.osv_ecosystems import ecosystem

MOST_BINARIES = 5_000  # of one package; the largest real list, of texlive, has some 2,900


def built_from(record: Mapping[str, Any], source: str) -> Iterator[BuiltFrom]:
    """Yield what an update of one source package says of its binaries."""
    entries = fields.objects(record, "affected")
    packages = {fields.optional(fields.child(one, "package"), "name") for one in entries}
    if len(packages) != 1 or (package := packages.pop()) is None:
        return
    for entry in entries:
        found = ecosystem(fields.optional(fields.child(entry, "package"), "ecosystem") or "")
        if found is None:
            continue
        listed = fields.objects(fields.child(entry, "ecosystem_specific"), "binaries")
        names = fields.unique(fields.short(name, "binaries") for one in listed for name in one)
        if len(names) > MOST_BINARIES:
            raise ValueError(f"{package} has more than {MOST_BINARIES:,} binaries")
        for name in names:
            if name and name != package:
                for release in (found.name, *found.others):
                    yield BuiltFrom(source, release, name, package)
