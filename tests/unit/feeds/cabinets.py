"""Cabinets, and the catalog of updates that Microsoft publishes as one; made up, of the true form."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

STORED, MSZIP, LZX = 0, 1, 3
_BLOCK = 32_768


def cabinet_of(files: Mapping[str, bytes], packing: int = MSZIP, *, reserve: bool = False) -> bytes:
    """Give files as a cabinet of one folder."""
    plain = b"".join(files.values())
    extra = b"\x07" * 4 if reserve else b""
    blocks, before = [], b""
    for start in range(0, len(plain), _BLOCK):
        piece = plain[start : start + _BLOCK]
        packed = piece if packing == STORED else b"CK" + _deflated(piece, before)
        before = piece
        blocks.append(struct.pack("<IHH", 0, len(packed), len(piece)) + extra + packed)
    entries, place = b"", 0
    for name, content in files.items():
        entries += struct.pack("<IIHHHH", len(content), place, 0, 0, 0, 0)
        entries += name.replace("/", "\\").encode() + b"\0"
        place += len(content)
    head = struct.pack("<HBB", len(extra), len(extra), len(extra)) + extra if reserve else b""
    first_file = 36 + len(head) + 8 + len(extra)
    data = first_file + len(entries)
    folder = struct.pack("<IHH", data, len(blocks), packing) + extra
    content = entries + b"".join(blocks)
    header = struct.pack(
        "<4sIIIIIBBHHHHH",
        b"MSCF",
        0,
        first_file + len(content),
        0,
        first_file,
        0,
        3,
        1,
        1,
        len(files),
        4 if reserve else 0,
        1,
        0,
    )
    return header + head + folder + content


def _deflated(piece: bytes, before: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=before) if before else zlib.compressobj(9, 8, -15)
    return packer.compress(piece) + packer.flush()


@dataclass(frozen=True)
class Offered:
    """A revision of an update in the catalog."""

    revision: int
    name: str
    title: str
    day: str = "2031-01-14"
    superseded_by: tuple[int, ...] = field(default=())


def catalog_files(offered: Iterable[Offered]) -> dict[str, bytes]:
    """Give the files of a catalog that are read."""
    known = list(offered)
    entries = "".join(
        f'<Update CreationDate="{one.day}T18:00:00Z" DefaultLanguage="en" UpdateId="0-{one.revision}"'
        f' RevisionNumber="200" RevisionId="{one.revision}" IsLeaf="true" IsBundle="true">'
        '<Categories><Category Type="Company" Id="56309036"/></Categories><SupersededBy>'
        + "".join(f'<Revision Id="{newer}"/>' for newer in one.superseded_by)
        + "</SupersededBy></Update>"
        for one in known
    )
    package = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<OfflineSyncPackage xmlns="http://schemas.microsoft.com/msus/2004/02/OfflineSync"'
        ' CreationDate="2031-02-11T20:00:00Z" PackageVersion="1.1"><Updates>'
        f'{entries}<Update RevisionId="9" CreationDate="2031-01-14T18:00:00Z" IsBundle="false">'
        '<BundledBy><Revision Id="1"/></BundledBy></Update></Updates></OfflineSyncPackage>'
    )
    files = {"package.xml": package.encode()}
    for one in known:
        files[f"l/en/{one.revision}"] = (
            f"<LocalizedProperties><Language>en</Language><Title>{escape(one.title)}</Title>"
            "<Description>A security issue has been identified.</Description></LocalizedProperties>"
        ).encode()
        files[f"x/{one.revision}"] = (
            '<ExtendedProperties DefaultPropertiesLanguage="en" MsrcSeverity="Important"><SupportUrl>'
            "https://support.microsoft.com</SupportUrl>"
            f"<KBArticleID>{one.name.removeprefix('KB')}</KBArticleID></ExtendedProperties>"
        ).encode()
    return files


def scan_cabinet(offered: Iterable[Offered], packing: int = MSZIP) -> bytes:
    """Give a catalog as Microsoft's offline scan file: cabinets within a cabinet."""
    files = catalog_files(offered)
    package = {"package.xml": files.pop("package.xml")}
    return cabinet_of(
        {
            "index.xml": b'<CABLIST><CAB NAME="package2.cab" RANGESTART="1"/></CABLIST>',
            "package.cab": cabinet_of(package, packing),
            "package2.cab": cabinet_of(
                {**files, "c/1": b"<Update/>", "l/de/1": b"<LocalizedProperties/>"}, packing, reserve=True
            ),
        },
        STORED,
    )
