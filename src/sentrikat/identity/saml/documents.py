"""XML from outside, read so that it means one thing only.

Refused before anything else looks at it: documents that are too large, have a DTD (entities, bombs, files of
ours), comments or processing instructions (a comment inside a name is not signed, and splits its text:
`admin@example.org<!---->.evil.example`), the same identifier twice (a signature names what it signs by it), or
a shape that no provider sends and that costs minutes to read or to bring into canonical form.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any, TypeAlias
from xml.parsers import expat

from lxml import etree

from sentrikat.identity.saml.names import NAMESPACES
from sentrikat.identity.saml.refusal import Reason, SamlRefused, shown

Element: TypeAlias = Any  # lxml publishes no types

LARGEST_MESSAGE = 512 * 1024  # bytes; a response with 1,000 groups has 90 KB
LARGEST_METADATA = (
    1024 * 1024
)  # one provider's has 5 to 50 KB; a federation's has megabytes, and is not meant

# libxml2 compares every attribute of an element with every other, and its canonical form looks every prefix up in
# every declaration: half a megabyte of either keeps a processor busy for a minute, before any signature is known.
MOST_ELEMENTS = 20_000  # a response with 5,000 groups has 5,050
MOST_ATTRIBUTES = 50  # of one element, declarations of namespaces included; SAML knows none with more than 10
MOST_NAMESPACES = 100  # declared at one place of the document, by an element and those around it

# Declarations: everything that begins with `<!` but comments and CDATA sections.
_DECLARATION = re.compile(r"<!(?!--|\[CDATA\[)")
_BASE64_SPACE = re.compile(r"\s+")


def decode(encoded: str) -> bytes:
    """Decode a message of the POST binding: base64, in lines or not."""
    if len(encoded) > LARGEST_MESSAGE * 2:
        raise _too_large(len(encoded) * 3 // 4, LARGEST_MESSAGE)
    try:
        return base64.b64decode(_BASE64_SPACE.sub("", encoded).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SamlRefused(
            Reason.NOT_BASE64, f"The message is not base64; it begins with {shown(encoded, 40)}."
        ) from None


def parse(content: bytes, *, largest: int = LARGEST_MESSAGE, comments: bool = False) -> Element:
    """Give the root element; SamlRefused when the document is none that we read.

    `comments` lets comments and processing instructions stand: in metadata that an administrator brings.
    """
    if len(content) > largest:
        raise _too_large(len(content), largest)
    try:
        # One encoding, whatever the document says of itself: a DTD in UTF-7 would not be seen below.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SamlRefused(Reason.NOT_XML, f"The message is not UTF-8 at byte {error.start}.") from None
    if declared := _DECLARATION.search(text):
        begins = text[declared.start() : declared.start() + 40]
        raise SamlRefused(
            Reason.DTD, f"The message has a document type or entity declaration: {shown(begins)}."
        )
    _refuse_costly(text)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=False,
        remove_pis=False,
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SamlRefused(Reason.NOT_XML, f"The message is not XML: {shown(str(error))}.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise SamlRefused(Reason.DTD, "The message has a document type declaration.")
    if not comments:
        _refuse_comments(root)
    _refuse_same_identifiers(root)
    return root


def _refuse_costly(text: str) -> None:
    """Count with a reader that takes as long as the document, whatever is in it; nothing of it is kept."""
    elements, declared = 0, [0]

    def begin(_name: str, attributes: list[str]) -> None:
        nonlocal elements
        elements += 1
        names = attributes[::2]
        declared.append(declared[-1] + sum(name.startswith("xmlns") for name in names))
        if elements > MOST_ELEMENTS or len(names) > MOST_ATTRIBUTES or declared[-1] > MOST_NAMESPACES:
            raise SamlRefused(
                Reason.TOO_LARGE,
                f"The message has more than {MOST_ELEMENTS:,} elements, {MOST_ATTRIBUTES} attributes of one or "
                f"{MOST_NAMESPACES} namespaces at one place.",
            )

    def end(_name: str) -> None:
        declared.pop()

    reader = expat.ParserCreate("utf-8")
    reader.ordered_attributes = True
    reader.StartElementHandler, reader.EndElementHandler = begin, end
    try:
        reader.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise SamlRefused(Reason.NOT_XML, f"The message is not XML: {shown(str(error))}.") from None


def _refuse_comments(root: Element) -> None:
    beside = [*root.itersiblings(), *root.itersiblings(preceding=True)]
    for node in (*beside, *root.iter()):
        if not isinstance(node.tag, str):
            raise SamlRefused(
                Reason.COMMENT,
                f"The message has a comment or processing instruction, which no signature covers: "
                f"{shown(str(node.text))}.",
            )


def _refuse_same_identifiers(root: Element) -> None:
    seen: set[str] = set()
    for element in root.iter(etree.Element):
        for name, value in element.attrib.items():
            if etree.QName(name).localname.lower() not in {"id", "assertionid", "responseid", "requestid"}:
                continue
            if value in seen:
                raise SamlRefused(
                    Reason.DUPLICATE_ID, f"The identifier {shown(value)} occurs more than once."
                )
            seen.add(value)


def one(element: Element, path: str) -> Element | None:
    """Give the only element at `path`, None when there is none; SamlRefused when there are several."""
    found = element.findall(path, NAMESPACES)
    if len(found) > 1:
        raise SamlRefused(Reason.MISPLACED, f"There are {len(found)} elements {path} where one belongs.")
    return found[0] if found else None


def text_of(element: Element | None) -> str | None:
    """Give all text within an element, trimmed; None when there is none."""
    return ("".join(element.itertext()).strip() or None) if element is not None else None


def moment(element: Element, name: str) -> datetime | None:
    """Read a time attribute; SamlRefused when it is none, or has no time zone."""
    written = element.get(name)
    if written is None:
        return None
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise SamlRefused(Reason.MISPLACED, f"{name} is no time with a time zone: {shown(written)}.")
    return read.astimezone(UTC)


def _too_large(size: int, largest: int) -> SamlRefused:
    return SamlRefused(Reason.TOO_LARGE, f"The message has {size:,} bytes; at most {largest:,} are read.")
