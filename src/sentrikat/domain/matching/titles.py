"""Titles of installed software: the words that name a product, and the words that say who made it.

A title carries more than a name: version, architecture, language, edition, the system it is made for. What is left
without them is compared with the names of products, by letters and digits only: "Notepad++ (64-bit x64)" is
`notepad++`, "Node.js" is `nodejs`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.makers import MAKERS

_NOISE = re.compile(
    r"\((?:[^()]*)\)"  # architecture and language stand in brackets: (x64 en-US)
    r"|\b(?:x64|x86|amd64|arm64|64[- ]?bit|32[- ]?bit|win64|win32|en[-_]us|version|release(?=\s+v?\d))\b"
    r"|\.(?:app|exe|msi)$",
    re.IGNORECASE,
)
# What Windows lists among programs and is none: an update of one, by its number in the knowledge base.
_UPDATE = re.compile(
    r"\bKB\d{6,8}\b|^(?:(?:security|definition|critical) )?(?:update|hotfix|service pack)\b.* for ",
    re.IGNORECASE,
)
# 2.42, 1.0.2k, v6, and with what a builder put behind it: 2.6.5-I001, 7.1.1-15, 17.44+15, 3.2.2-1-x64.
_VERSION_WORD = re.compile(
    r"^(?:v\d+|sp\d+|v?\d+(?:[._]\d+)*(?:[a-z]\d*)?)(?:[-+][a-z]?\d+)*(?:-x\d\d)?$", re.IGNORECASE
)
_APPLICATION_ID = re.compile(r"[\w-]+(?:\.[\w-]+){2,}")
_SEPARATORS = re.compile(r"[\s,;:/|\u2013\u2014]+")
_WORDS = re.compile(r"[a-z0-9+#]+")
_LETTERS = re.compile(r"[^a-z0-9+#]")
# "Adblock Plus - free ad blocker": what stands after a dash between blanks praises or explains.
_TAGLINE = re.compile(r"\s+[-\u2013\u2014|]\s+(?=[^\d\s])")

# Legal forms and filler in vendor names; they say nothing about who it is.
LEGAL = frozenset(
    [
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "llc",
        "ltd",
        "limited",
        "gmbh",
        "ag",
        "sa",
        "co",
        "company",
        "the",
        "team",
        "project",
        "foundation",
        "software",
        "technologies",
        "technology",
        "systems",
        "group",
        "international",
        "and",
        "of",
        "ab",
        "as",
        "bv",
        "oy",
        "pty",
        "sro",
        "srl",
        "spa",
    ]
)
# Who builds what others make, and as they made it: no evidence of a maker, nor against one. Distributions that repair old
# versions in place are none of these.
_PACKAGERS = frozenset({"archlinux", "arch", "linux"})
# What NVD and makers themselves write behind a name or leave out: "foxitsoftware" is Foxit, "torproject" is Tor.
_NAME_ENDINGS = (
    "technologies",
    "foundation",
    "technology",
    "software",
    "project",
    "systems",
    "group",
    "corp",
    "labs",
    "team",
    "tech",
    "inc",
)
_SHORTEST_NAME = 3  # letters that are left of a maker's name
# Last words of a title that say which edition it is; NVD files editions under one product, or as sw_edition.
EDITIONS = frozenset(
    {
        "ce",
        "community",
        "edition",
        "enterprise",
        "pro",
        "professional",
        "ultimate",
        "free",
        "standard",
        "esr",
        "lts",
        "light",
        "premium",
    }
)


def letters_of(words: str) -> str:
    """Reduce words to their letters and digits."""
    return _LETTERS.sub("", words.lower())


@lru_cache(maxsize=65536)
def maker_of(vendor: str) -> str:
    """Give the one word for a maker, of any of its spellings: foxit for Foxit Software and foxitsoftware."""
    letters = letters_of(vendor)
    letters = MAKERS.get(letters, letters)
    for ending in _NAME_ENDINGS:
        if letters.endswith(ending) and len(letters) >= len(ending) + _SHORTEST_NAME:
            return letters.removesuffix(ending)
    return letters


def words_of(text: str) -> list[str]:
    """Give the words of a text: runs of letters, digits, `+` and `#`, in lower case."""
    return _WORDS.findall(text.lower())


def title_words(component: Component) -> list[str]:
    """Give the words of a title that name the product: without version, architecture, language and brackets."""
    cleaned = _NOISE.sub(" ", _plain_name(component).lower())
    if component.kind == "brew":  # formulae kept beside the newest: openssl@3, python@3.11
        cleaned = cleaned.partition("@")[0] or cleaned
    version = (component.version or "").lower()
    words: list[str] = []
    for word in _SEPARATORS.split(cleaned):
        bare = word.strip(" .-_()[]")
        if not bare or (version and bare == version):
            continue
        if words and _VERSION_WORD.match(bare) and _is_version(bare, version):
            continue
        if words and bare.rstrip("0123456789.") in words:
            continue  # the service's name behind the program's: "Apache Tomcat 9.0 Tomcat9"
        words.append(bare)
    return [word for word in words if word not in {"-", "for", "windows"} or len(words) == 1] or words


def _plain_name(component: Component) -> str:
    """Give the name without the maker's domain that an application id begins with: org.mozilla.firefox."""
    if component.kind == "flatpak" and _APPLICATION_ID.fullmatch(component.name):
        return component.name.rpartition(".")[2]
    return component.name


def _is_version(word: str, version: str) -> bool:
    return "." in word or word.startswith(("v", "sp")) or word == version.split(".", maxsplit=1)[0]


def is_update(component: Component) -> bool:
    """Say whether a title names an update of a program and no program."""
    return component.kind == "windows" and _UPDATE.search(component.name) is not None


def vendor_words(component: Component) -> set[str]:
    """Give the words that say who made it: of the vendor field, and of a bundle id such as org.mozilla.firefox.

    The words of the vendor also count as one: "Node.js Foundation" is `nodejs`.
    """
    named = [word for word in words_of(component.vendor or "") if word not in LEGAL]
    words = {*named, "".join(named)} - {""}
    own_id = component.bundle_id or (component.name if _plain_name(component) != component.name else "")
    if own_id:
        words.update({letters_of(part) for part in own_id.lower().split(".")[1:2]} - LEGAL - {""})
    words -= _PACKAGERS
    words |= {MAKERS[word] for word in words if word in MAKERS}
    return words | {maker_of(word) for word in words}


def without_tagline(component: Component) -> Component:
    """Give a component without what its title says after a dash: Adblock Plus instead of Adblock Plus - free ad blocker."""
    if not _TAGLINE.search(component.name):
        return component
    return replace(component, name=_TAGLINE.split(component.name)[0])


def spellings(component: Component) -> dict[str, str]:
    """Give the letters a product may go by, with the words before them: `chrome` -> `google` of "Google Chrome"."""
    words = title_words(component)
    found: dict[str, str] = {}
    plain = words[:-1] if len(words) > 1 and words[-1] in EDITIONS else words
    for one in (words, plain, title_words(without_tagline(component))):
        for start in range(min(len(one), 3)):
            letters = letters_of("".join(one[start:]))
            if letters:
                found.setdefault(letters, letters_of("".join(one[:start])))
    return found
