"""The records of a large XML document one after the other, without document types and entities.

An entity can stand for gigabytes of itself, or for a file of this machine. No source we read needs one, so a
document that declares a document type is refused before anything of it is expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

CHUNK = 1 << 16
DEEPEST = 50  # levels below the root
LARGEST_RECORD = 32 << 20  # characters and markup of one record


def xml_records(stream: BinaryIO, root: str, record: str) -> Iterator[Element]:
    """Yield each `record` element directly below the `root` element; ValueError for anything malformed."""
    reader = _Reader(root, record)
    try:
        while chunk := stream.read(CHUNK):
            reader.parser.Parse(chunk, False)
            yield from reader.taken()
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError) as trouble:  # LookupError: an encoding nobody knows
        raise ValueError(f"it is no well-formed XML: {trouble}") from trouble
    yield from reader.taken()


class _Reader:
    def __init__(self, root: str, record: str) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._root = root
        self._record = record
        self._depth = 0
        self._size = 0
        self._builder: TreeBuilder | None = None
        self._records: list[Element] = []

    def taken(self) -> list[Element]:
        """Give the records that are complete, and forget them."""
        records, self._records = self._records, []
        return records

    def _refuse(self, *_declaration: object) -> NoReturn:
        raise ValueError("it declares a document type or an entity, which no record needs")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if self._depth == 0 and local != self._root:
            raise ValueError(f"its root is {local[:60]!r}, not {self._root!r}")
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")
        if self._depth == 2 and local == self._record:
            self._builder, self._size = TreeBuilder(), 0
        if self._builder is not None:
            self._grow(len(local) + sum(map(len, attributes.values())) + 100)
            self._builder.start(local, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._builder is None:
            return
        self._builder.end(name.rpartition(" ")[2])
        if self._depth == 1:
            self._records.append(self._builder.close())
            self._builder = None

    def _text(self, text: str) -> None:
        if self._builder is not None:
            self._grow(len(text))
            self._builder.data(text)

    def _grow(self, amount: int) -> None:
        self._size += amount
        if self._size > LARGEST_RECORD:
            raise ValueError(f"a record is larger than {LARGEST_RECORD:,} characters")
