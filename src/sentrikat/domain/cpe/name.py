r"""CPE names: the 2.3 formatted string and the 2.2 URI, both ways.

    cpe:2.3:a:openssl:openssl:3.0.7:-:*:*:*:*:*:*
    cpe:/a:openssl:openssl:3.0.7:-

An attribute is kept as the formatted string writes it, in lower case: `*` is "any", `-` is "not
applicable", a backslash makes the next character literal, and an unquoted `*` or `?` at an end of
a value is a wildcard. `\.`, `\-` and `\_` lose a backslash they do not need, so that names that
mean the same are equal.

Source  NISTIR 7695, Common Platform Enumeration: Naming Specification 2.3
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sentrikat.domain.advisory import Product
from sentrikat.domain.errors import InvalidName

ANY = "*"
NA = "-"

ATTRIBUTES = (
    "part",
    "vendor",
    "product",
    "version",
    "update",
    "edition",
    "language",
    "sw_edition",
    "target_sw",
    "target_hw",
    "other",
)
_PREFIX = "cpe:2.3:"

_VALUE = r"(?:\*|-|(?:\*|\?+)?(?:[a-z0-9._-]|\\[!-/:-@\[-`{-~])+(?:\*|\?+)?)"
_PART = re.compile(r"[aho*-]")
_ATTRIBUTE = re.compile(_VALUE)
_NAME = re.compile(rf"cpe:2\.3:([aho*-]){rf':({_VALUE})' * 10}")
_SEPARATOR = re.compile(r"(?:\\.|[^:\\])*")
_ESCAPED = re.compile(r"\\(.)")
_NEEDS_ESCAPE = re.compile(r"[!-,/:-@\[-^`{-~]")  # printable ASCII but letters, digits, `-`, `.`, `_`
_URI_CHARACTER = re.compile(r"%([0-9a-f]{2})|([a-z0-9_])|([.~-])")
_ATTRIBUTE_CHARACTER = re.compile(r"\\(.)|(.)")
_PLAIN_IN_URI = frozenset("-._")


@dataclass(frozen=True, slots=True, order=True)
class CpeName:
    """One name; attributes as in the formatted string, lower case, escapes kept.

    Made by `parse`, which checks them; who makes one by hand passes values through `escape`.
    """

    part: str
    vendor: str
    product: str
    version: str = ANY
    update: str = ANY
    edition: str = ANY
    language: str = ANY
    sw_edition: str = ANY
    target_sw: str = ANY
    target_hw: str = ANY
    other: str = ANY

    def attributes(self) -> tuple[str, ...]:
        """Give the eleven attribute values in the order of `ATTRIBUTES`."""
        return (
            self.part,
            self.vendor,
            self.product,
            self.version,
            self.update,
            self.edition,
            self.language,
            self.sw_edition,
            self.target_sw,
            self.target_hw,
            self.other,
        )

    def format(self) -> str:
        """Give the 2.3 formatted string."""
        return _PREFIX + ":".join(self.attributes())

    def to_uri(self) -> str:
        """Give the 2.2 URI; the four attributes of 2.3 are packed into its edition."""
        added = (self.sw_edition, self.target_sw, self.target_hw, self.other)
        if added == (ANY, ANY, ANY, ANY):
            edition = _to_uri_part(self.edition)
        else:
            edition = "".join(f"~{_to_uri_part(value)}" for value in (self.edition, *added))
        parts = (self.part, self.vendor, self.product, self.version, self.update)
        written = [*(_to_uri_part(value) for value in parts), edition, _to_uri_part(self.language)]
        return "cpe:/" + ":".join(written).rstrip(":")

    def __str__(self) -> str:
        return self.format()


@lru_cache(maxsize=32768)  # a feed repeats the names of its products
def parse(text: str) -> CpeName:
    """Read a 2.3 formatted string or a 2.2 URI; InvalidName says which attribute is wrong."""
    lower = text.strip().lower()
    if match := _NAME.fullmatch(lower):
        values = match.groups()
        if "\\" in lower:
            values = tuple(_canonical(value) for value in values)
        return CpeName(*values)
    if lower.startswith(_PREFIX):
        raise _why_not(text, lower)
    if lower.startswith("cpe:/"):
        return _parse_uri(text, lower[len("cpe:/") :])
    raise InvalidName(
        f"“{_short(text)}” is not a CPE name: it begins with neither cpe:2.3: nor cpe:/.",
        fields={"cpe": "must begin with cpe:2.3: or cpe:/"},
    )


def escape(plain: str) -> str:
    """Give plain text as an attribute value: lower case, punctuation quoted, blanks as underscores.

    Raises InvalidName for empty text and for characters CPE cannot write (anything but printable ASCII).
    """
    words = "_".join(plain.split()).lower()
    if not words or not words.isascii() or not words.isprintable():
        raise InvalidName(
            f"“{_short(plain)}” cannot be part of a CPE name: it must hold printable ASCII characters only."
        )
    if words == NA:
        return r"\-"  # alone it would mean "not applicable"
    return _NEEDS_ESCAPE.sub(r"\\\g<0>", words)


def unescape(attribute: str) -> str:
    """Give the plain text of an attribute value; wildcards and logical values stay as they are."""
    return _ESCAPED.sub(r"\1", attribute) if "\\" in attribute else attribute


def concrete(attribute: str) -> bool:
    """Say whether the value is neither "any" nor "not applicable"."""
    return attribute not in (ANY, NA)


def has_wildcard(attribute: str) -> bool:
    """Say whether an unquoted `*` or `?` stands in the value; True for "any" as well."""
    if "*" not in attribute and "?" not in attribute:
        return False
    return any(character in "*?" for character in _ESCAPED.sub("", attribute))


# Editions with versions and repairs of their own, which NVD has filed as products and, since 2025, as editions. The plain
# name never means them: "Firefox before 118" says nothing of Firefox ESR 115.3, which has the same repairs.
_EDITION_PRODUCTS = {("mozilla:firefox", "esr"): "mozilla:firefox_esr"}


def edition_product(product: str, edition: str) -> str:
    """Give the product that an edition of vendor:product is; itself for all that are judged together."""
    return _EDITION_PRODUCTS.get((product, edition), product)


def product_of(name: CpeName) -> Product:
    """Give the product the name is about: ('cpe:a', 'vendor:product')."""
    return Product(f"cpe:{name.part}", edition_product(f"{name.vendor}:{name.product}", name.sw_edition))


def version_of(name: CpeName) -> str | None:
    """Give the version as plain text, a concrete update joined to it; None when no version is named.

    `7.0` with update `update1` is `7.0-update1`. A version with a wildcard is no version.
    """
    if not concrete(name.version) or has_wildcard(name.version):
        return None
    if concrete(name.update) and not has_wildcard(name.update):
        return f"{unescape(name.version)}-{unescape(name.update)}"
    return unescape(name.version)


def _canonical(value: str) -> str:
    if value == r"\-" or "\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: match[1] if match[1] in _PLAIN_IN_URI else match[0], value)


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."


def _why_not(text: str, lower: str) -> InvalidName:
    """Find the first attribute that breaks the grammar of a formatted string."""
    found, position = [], len(_PREFIX)
    while position <= len(lower):
        match = _SEPARATOR.match(lower, position)
        assert match is not None  # the pattern matches the empty string
        end = match.end()
        if end < len(lower) and lower[end] == "\\":
            end = len(lower)  # a lone backslash at the end
        found.append(lower[position:end])
        position = end + 1
    for name, value in zip(ATTRIBUTES, found, strict=False):
        if not (_PART if name == "part" else _ATTRIBUTE).fullmatch(value):
            return _invalid(text, name, value)
    return InvalidName(
        f"“{_short(text)}” is not a CPE 2.3 name: it has {len(found)} attributes instead of 11.",
        fields={"cpe": f"has {len(found)} attributes instead of 11"},
    )


def _invalid(text: str, name: str, value: str) -> InvalidName:
    return InvalidName(
        f"“{_short(text)}” is not a CPE name: {name} cannot be “{_short(value)}”.",
        fields={name: f"cannot be “{_short(value)}”"},
    )


def _parse_uri(text: str, body: str) -> CpeName:
    parts = body.split(":")
    if len(parts) > 7:
        raise InvalidName(
            f"“{_short(text)}” is not a CPE 2.2 name: it has {len(parts)} parts, at most 7 are possible.",
            fields={"cpe": f"has {len(parts)} parts, at most 7 are possible"},
        )
    part, vendor, product, version, update, edition, language = parts + [""] * (7 - len(parts))
    packed = ["", "", "", ""]
    if edition.startswith("~"):
        pieces = edition.split("~")
        if len(pieces) != 6:
            raise _invalid(text, "edition", edition)
        edition, *packed = pieces[1:]
    values = [part, vendor, product, version, update, edition, language, *packed]
    read = [_from_uri(text, name, value) for name, value in zip(ATTRIBUTES, values, strict=True)]
    if not _PART.fullmatch(read[0]):
        raise _invalid(text, "part", part)
    return CpeName(*read)


def _from_uri(text: str, name: str, value: str) -> str:
    if value == "":
        return ANY
    if value == "-":
        return NA
    written: list[str] = []
    position = 0
    while position < len(value):
        match = _URI_CHARACTER.match(value, position)
        if match is None:
            raise _invalid(text, name, value)
        code, word, punctuation = match.groups()
        if word:
            written.append(word)
        elif punctuation:
            written.append(r"\~" if punctuation == "~" else punctuation)
        elif code == "01":
            written.append("?")
        elif code == "02":
            written.append("*")
        else:
            written.append(_from_code(text, name, value, int(code, 16)))
        position = match.end()
    result = "".join(written)
    if result == NA:
        result = r"\-"  # it was percent-encoded, so it is a character and not the logical value
    if result == ANY or not _ATTRIBUTE.fullmatch(result):
        raise _invalid(text, name, value)
    return result


def _from_code(text: str, name: str, value: str, code: int) -> str:
    if not 0x21 <= code <= 0x7E:
        raise _invalid(text, name, value)
    character = chr(code).lower()
    if character.isalnum() or character in _PLAIN_IN_URI:
        return character
    return f"\\{character}"


def _to_uri_part(value: str) -> str:
    if value == ANY:
        return ""
    if value == NA:
        return NA
    if value == r"\-":
        return "%2d"
    written = []
    for quoted, bare in _ATTRIBUTE_CHARACTER.findall(value):
        if quoted:
            written.append(quoted if quoted in _PLAIN_IN_URI else f"%{ord(quoted):02x}")
        else:
            written.append({"?": "%01", "*": "%02"}.get(bare, bare))
    return "".join(written)
