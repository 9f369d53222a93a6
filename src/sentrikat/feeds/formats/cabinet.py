"""Files of a Windows cabinet (CAB), one after the other, stored or packed by MSZIP.

Cabinets packed by LZX, as Microsoft packs its large ones, are refused: unpacking those takes a program of its own.

Source  Microsoft, [MS-CAB] "Cabinet File Format" and [MS-MCI] "MCI Compression and Decompression"
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

MAGIC = b"MSCF"
_HEADER = struct.Struct("<4sIIIIIBBHHHHH")
_FOLDER = struct.Struct("<IHH")
_FILE = struct.Struct("<IIHHHH")
_BLOCK = struct.Struct("<IHH")
_HAS_PREVIOUS, _HAS_NEXT, _HAS_RESERVE = 1, 2, 4
_STORED, _MSZIP, _QUANTUM, _LZX = range(4)
_WINDOW = 32_768  # bytes a block may hold unpacked, and what the next one may refer to
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class _Entry:
    folder: int
    start: int  # in the folder's unpacked bytes
    size: int
    name: str


def files(cabinet: BinaryIO, name: str) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the name and content of every file, in the order they lie; each is read before the next one is asked for.

    `cabinet` can be sought in. Names have slashes; nothing is written anywhere.
    """
    header = _HEADER.unpack(_exactly(cabinet, _HEADER.size, name))
    if header[0] != MAGIC:
        raise ValueError(f"{name} is no cabinet")
    first_file, folder_count, file_count, flags = header[4], header[8], header[9], header[10]
    if flags & (_HAS_PREVIOUS | _HAS_NEXT):
        raise ValueError(f"{name} is one of several cabinets that belong together")
    of_folder = of_block = 0
    if flags & _HAS_RESERVE:
        of_header, of_folder, of_block = struct.unpack("<HBB", _exactly(cabinet, 4, name))
        _exactly(cabinet, of_header, name)
    folders = []
    for _ in range(folder_count):
        folders.append(_FOLDER.unpack(_exactly(cabinet, _FOLDER.size, name)))
        _exactly(cabinet, of_folder, name)
    cabinet.seek(first_file)
    entries = [_entry(cabinet, name) for _ in range(file_count)]
    for number, (offset, blocks, packing) in enumerate(folders):
        own = sorted((one for one in entries if one.folder == number), key=lambda one: one.start)
        if not own:
            continue
        folder = _Folder(cabinet, offset, blocks, packing & 0x0F, of_block, name)
        for entry in own:
            folder.skip_to(entry.start)
            member = _Member(folder, entry.size)
            yield entry.name, cast(BinaryIO, io.BufferedReader(member, _WINDOW))
            folder.skip_to(entry.start + entry.size)
    if any(entry.folder >= len(folders) for entry in entries):
        raise ValueError(f"{name} has a file in a folder that it does not have")


def _entry(cabinet: BinaryIO, name: str) -> _Entry:
    size, start, folder, _date, _time, _attributes = _FILE.unpack(_exactly(cabinet, _FILE.size, name))
    letters = bytearray()
    while (letter := _exactly(cabinet, 1, name)) != b"\0":
        letters += letter
        if len(letters) > _LONGEST_NAME:
            raise ValueError(f"{name} has a file whose name does not end")
    return _Entry(folder, start, size, letters.decode("utf-8", "replace").replace("\\", "/"))


class _Folder:
    """The unpacked bytes of a folder, read from its beginning to its end."""

    def __init__(
        self, cabinet: BinaryIO, offset: int, blocks: int, packing: int, reserve: int, name: str
    ) -> None:
        if packing not in (_STORED, _MSZIP):
            words = {_QUANTUM: "Quantum", _LZX: "LZX"}.get(packing, f"method {packing}")
            raise ValueError(
                f"{name} is packed by {words}, which is not read here: unpack it, and import an archive of its files"
            )
        self._cabinet = cabinet
        self._next = offset
        self._blocks = blocks
        self._packing = packing
        self._reserve = reserve
        self._name = name
        self._held = b""
        self._before = b""  # the last window, which the next block refers to
        self._place = 0  # of the first byte held

    def read(self, size: int) -> bytes:
        """Give up to `size` of the next bytes; nothing at the end."""
        if not self._held:
            self._unpack()
        given, self._held = self._held[:size], self._held[size:]
        self._place += len(given)
        return given

    def skip_to(self, place: int) -> None:
        """Go on to a place; one that lies behind is where two files would share their bytes."""
        if place < self._place:
            raise ValueError(f"{self._name} has files that lie over each other")
        while self._place < place:
            if not self.read(place - self._place):
                raise ValueError(f"{self._name} ends within a file")

    def _unpack(self) -> None:
        if self._blocks == 0:
            return
        self._blocks -= 1
        self._cabinet.seek(self._next)
        _checksum, packed_size, size = _BLOCK.unpack(_exactly(self._cabinet, _BLOCK.size, self._name))
        _exactly(self._cabinet, self._reserve, self._name)
        content = _exactly(self._cabinet, packed_size, self._name)
        self._next = self._cabinet.tell()
        if size > _WINDOW:
            raise ValueError(f"{self._name} has a block of {size:,} bytes; {_WINDOW:,} are allowed")
        if self._packing == _MSZIP:
            content = self._inflated(content)
        if len(content) != size:
            raise ValueError(f"{self._name} has a block of {len(content):,} bytes that says {size:,}")
        self._held = content

    def _inflated(self, content: bytes) -> bytes:
        if content[:2] != b"CK":
            raise ValueError(f"{self._name} has a block that is not MSZIP")
        inflater = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._before)
        try:
            plain = inflater.decompress(content[2:], _WINDOW + 1)
        except zlib.error as trouble:
            raise ValueError(f"{self._name}: {trouble}") from trouble
        self._before = (self._before + plain)[-_WINDOW:]
        return plain


class _Member(io.RawIOBase):
    """One file of a folder."""

    def __init__(self, folder: _Folder, size: int) -> None:
        self._folder = folder
        self._left = size

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into `buffer`, up to the end of the file."""
        content = self._folder.read(min(len(buffer), self._left))
        self._left -= len(content)
        buffer[: len(content)] = content
        return len(content)


def _exactly(stream: BinaryIO, size: int, name: str) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise ValueError(f"{name} is cut short")
    return content
