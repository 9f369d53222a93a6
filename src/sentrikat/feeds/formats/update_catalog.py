"""Microsoft's catalog of updates in the form of its offline scan file, wsusscn2.cab: which update replaces which.

Source  https://catalog.s.download.windowsupdate.com/microsoftupdate/v6/wsusscan/wsusscn2.cab, through
        https://go.microsoft.com/fwlink/?LinkID=74689; some 1 GB
Schema  of the files inside, by observation; Microsoft says that they may change (KB 927745):
        index.xml           which of the packages holds which revisions
        package.cab         package.xml: every revision of every update, with the revisions it is superseded by
        packageN.cab        l/en/REVISION: its title; x/REVISION: its number (KB); c/, s/, e/ and other languages

Read are `package.xml`, `l/en/` and `x/`: from the cabinet itself where it is stored or packed by MSZIP, or from a tar
archive of those files, in any order. A title says which systems an update is for. What is superseded on one system may be
offered on another under the same number, so everything is told by system, and only a revision for the same system counts.

Held at once are revisions and titles of updates for the systems that are judged: some 20,000 in 2025.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from sys import intern
from typing import Any, BinaryIO
from xml.parsers import expat

from sentrikat.domain.advisory import Product, VendorUpdate
from sentrikat.domain.matching.microsoft_products import systems_named
from sentrikat.feeds.adapter import Document, Quarantined, attempt
from sentrikat.feeds.formats import cabinet
from sentrikat.feeds.formats.microsoft import update_named
from sentrikat.feeds.unpacking import MOST_RECORDS, limited, unpacked

ECOSYSTEM = "update-catalog"

_PACKAGE = "package.xml"
_WANTED = re.compile(r"(?:^|/)(?:(?P<package>package\.xml)|(?P<kind>l/en|x)/(?P<revision>\d{1,12}))$")
_LARGEST_PACKAGE = 2 << 30  # some 130 MB in 2025
_LARGEST_CABINET = 4 << 30  # what a cabinet can hold at most
_LARGEST_FILE = 1 << 20  # a title has 1 KB
_LONGEST_TEXT = 2_000
_DEEPEST = 50
_BLOCK = 1 << 16
_MOST_SUPERSEDING = 20_000  # of one revision; malware definitions have the most

_KINDS = (
    (re.compile(r"\bsecurity only\b", re.IGNORECASE), "Security Only"),
    (re.compile(r"\bmonthly quality rollup\b", re.IGNORECASE), "Monthly Rollup"),
)


@dataclass(slots=True)
class _Title:
    """What a revision's title says."""

    systems: tuple[str, ...]
    kind: str | None


@dataclass(slots=True)
class _Catalog:
    """What was read so far, by revision."""

    days: dict[int, date] = field(default_factory=dict)
    superseding: dict[int, array[int]] = field(default_factory=dict)
    titles: dict[int, _Title] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def updates(self) -> Iterator[tuple[str, tuple[VendorUpdate, ...]]]:
        """Yield every system with its updates."""
        by_system: dict[str, dict[str, list[int]]] = {}
        for revision, title in self.titles.items():
            name = self.names.get(revision)
            if name is not None and revision in self.days:
                for system in title.systems:
                    by_system.setdefault(system, {}).setdefault(name, []).append(revision)
        for system, revisions in sorted(by_system.items()):
            older: dict[str, set[str]] = {}
            for name, own in revisions.items():
                newer = [self._newer(revision, name, system) for revision in own]
                if all(newer):  # one that is not superseded, of another framework, keeps the number on offer
                    for one in set().union(*newer):
                        older.setdefault(one, set()).add(name)
            product = Product(ECOSYSTEM, system)
            yield (
                system,
                tuple(
                    VendorUpdate(
                        name,
                        product,
                        self._kind(own),
                        min(self.days[revision] for revision in own),
                        supersedes=tuple(sorted(older.get(name, ()))),
                    )
                    for name, own in sorted(revisions.items())
                ),
            )

    def _newer(self, revision: int, name: str, system: str) -> set[str]:
        """Give the updates that a revision is superseded by on a system."""
        found = set()
        for one in self.superseding.get(revision, ()):
            title, other = self.titles.get(one), self.names.get(one)
            if title is not None and other is not None and other != name and system in title.systems:
                found.add(other)
        return found

    def _kind(self, revisions: list[int]) -> str | None:
        kinds = {self.titles[revision].kind for revision in revisions}
        return kinds.pop() if len(kinds) == 1 else None


def is_catalog(document: Document) -> bool:
    """Say whether a document is a cabinet, or a tar archive whose first file is one of the catalog's."""
    with document.open() as packed:
        if packed.read(4) == cabinet.MAGIC:
            return True
    with unpacked(document) as plain:
        if plain.peek(512)[257:262] != b"ustar":  # type: ignore[attr-defined]
            return False
        with tarfile.open(fileobj=plain, mode="r|") as archive:
            first = next((entry.name for entry in archive if entry.isfile()), "")
    return _WANTED.search(first) is not None


def read(document: Document) -> Iterator[tuple[str, tuple[VendorUpdate, ...]] | Quarantined]:
    """Yield every system that the catalog names with its updates, and what of the catalog could not be read."""
    catalog = _Catalog()
    whole = False
    for count, (name, stream) in enumerate(_files(document)):
        if count >= MOST_RECORDS:
            raise ValueError(f"{document.name} holds more than {MOST_RECORDS:,} files")
        match = _WANTED.search(name)
        if match is None:
            continue
        if match["package"]:
            _read_package(limited(stream, _LARGEST_PACKAGE, name), catalog)
            whole = True
            continue
        revision, build = int(match["revision"]), _read_number if match["kind"] == "x" else _read_title
        content = stream.read(_LARGEST_FILE + 1)
        bad = attempt(content, lambda name=name: name, lambda: build(content, revision, catalog))  # type: ignore[misc]  # noqa: B023 - called here
        if isinstance(bad, Quarantined):
            yield bad
    if not whole:
        raise ValueError("it holds no package.xml")
    systems = list(catalog.updates())
    if not systems:
        raise ValueError("it names no update of any Windows")
    yield from systems


def _files(document: Document) -> Iterator[tuple[str, BinaryIO]]:
    with document.open() as packed:
        is_cabinet = packed.read(4) == cabinet.MAGIC
        packed.seek(0)
        if is_cabinet:
            yield from _files_of_cabinet(packed, document.name)
            return
    with unpacked(document, 8 * _LARGEST_CABINET) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        for entry in archive:
            archive.members = []  # type: ignore[attr-defined]
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is not None:
                yield entry.name.replace("\\", "/"), file  # type: ignore[misc]


def _files_of_cabinet(packed: BinaryIO, name: str, *, inner: bool = False) -> Iterator[tuple[str, BinaryIO]]:
    for member, stream in cabinet.files(packed, name):
        if not member.endswith(".cab") or inner:
            yield member, stream
            continue
        with tempfile.TemporaryFile(prefix="sentrikat-cabinet-") as held:
            source = limited(stream, _LARGEST_CABINET, member)
            while block := source.read(_BLOCK):
                held.write(block)
            held.seek(0)
            yield from _files_of_cabinet(held, member, inner=True)


# -- the three kinds of files ---------------------------------------------------------------


def _read_package(stream: BinaryIO, catalog: _Catalog) -> None:
    """Take every bundle's revision, its day, and the revisions that supersede it; parts of bundles have no number."""
    current: int | None = None
    inside = False

    def start(name: str, values: dict[str, str]) -> None:
        nonlocal current, inside
        if name == "Update":
            current = None
            if values.get("IsBundle") == "true":
                current = int(values["RevisionId"])
                catalog.days[current] = date.fromisoformat(values["CreationDate"][:10])
        elif name == "SupersededBy":
            inside = True
        elif name == "Revision" and inside and current is not None:
            held = catalog.superseding.setdefault(current, array("q"))
            if len(held) >= _MOST_SUPERSEDING:
                raise ValueError(
                    f"revision {current} is superseded by more than {_MOST_SUPERSEDING:,} others"
                )
            held.append(int(values["Id"]))

    def end(name: str) -> None:
        nonlocal inside
        if name == "SupersededBy":
            inside = False

    _parse(stream, start, end)
    if not catalog.days:
        raise ValueError("package.xml names no update")


def _read_title(content: bytes, revision: int, catalog: _Catalog) -> None:
    title = _text_of(content, "Title")
    systems = systems_named(title) if title else ()
    if title and systems:
        kind = next((word for pattern, word in _KINDS if pattern.search(title)), None)
        catalog.titles[revision] = _Title(tuple(map(intern, systems)), kind)


def _read_number(content: bytes, revision: int, catalog: _Catalog) -> None:
    name = update_named(_text_of(content, "KBArticleID"))
    if name is not None:
        catalog.names[revision] = intern(name)


def _text_of(content: bytes, wanted: str) -> str | None:
    """Give the text of the first element of a name; None where there is none."""
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"it is larger than {_LARGEST_FILE:,} bytes")
    found: list[str] = []
    state = "before"

    def start(name: str, _values: dict[str, str]) -> None:
        nonlocal state
        if name == wanted and state == "before":
            state = "inside"

    def end(name: str) -> None:
        nonlocal state
        if name == wanted and state == "inside":
            state = "after"

    def text(words: str) -> None:
        if state == "inside":
            found.append(words)

    _parse(_Whole(content), start, end, text)
    return "".join(found)[:_LONGEST_TEXT].strip() or None


class _Whole:
    """Bytes as something to read."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, _size: int = -1) -> bytes:
        """Give all, once."""
        content, self._content = self._content, b""
        return content


def _parse(
    stream: Any,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None] | None = None,
) -> None:
    """Run through XML without keeping it; a document type is refused, because entities that multiply live there."""
    depth = 0

    def open_element(name: str, values: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        start(name.rpartition(" ")[2], values)

    def close_element(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition(" ")[2])

    def refuse(*_what: Any) -> None:
        raise ValueError("it declares a document type, which no file of the catalog does")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = open_element
    parser.EndElementHandler = close_element
    parser.StartDoctypeDeclHandler = refuse
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        while block := stream.read(_BLOCK):
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as trouble:
        raise ValueError(f"it is not well-formed XML: {trouble}") from trouble
