"""Titles of installed software: the words that name a product, and the words that say who made it.

A title carries more than a name: version, architecture, language, edition, the system it is made for. What is left
without them is compared with the names of products, by letters and digits only: "Notepad++ (64-bit x64)" is
`notepad++`, "Node.js" is `nodejs`.
"""

from __future__ import annotations

import re
from dataclasses import replace

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
_VERSION_WORD = re.compile(r"^v?\d+(?:[._]\d+)*[a-z]?\d*$", re.IGNORECASE)
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
    ]
)
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
    }
)


def letters_of(words: str) -> str:
    """Reduce words to their letters and digits."""
    return _LETTERS.sub("", words.lower())


def words_of(text: str) -> list[str]:
    """Give the words of a text: runs of letters, digits, `+` and `#`, in lower case."""
    return _WORDS.findall(text.lower())


def title_words(component: Component) -> list[str]:
    """Give the words of a title that name the product: without version, architecture, language and brackets."""
    cleaned = _NOISE.sub(" ", component.name.lower())
    if component.kind == "brew":  # formulae kept beside the newest: openssl@3, python@3.11
        cleaned = cleaned.partition("@")[0] or cleaned
    version = (component.version or "").lower()
    words: list[str] = []
    for word in _SEPARATORS.split(cleaned):
        bare = word.strip(" .-_()[]")
        if not bare or (version and bare == version):
            continue
        if words and _VERSION_WORD.match(bare) and ("." in bare or bare == version.split(".")[0]):
            continue
        words.append(bare)
    return [word for word in words if word not in {"-", "for", "windows"} or len(words) == 1] or words


def is_update(component: Component) -> bool:
    """Say whether a title names an update of a program and no program."""
    return component.kind == "windows" and _UPDATE.search(component.name) is not None


def vendor_words(component: Component) -> set[str]:
    """Give the words that say who made it: of the vendor field, and of a bundle id such as org.mozilla.firefox.

    The words of the vendor also count as one: "Node.js Foundation" is `nodejs`.
    """
    named = [word for word in words_of(component.vendor or "") if word not in LEGAL]
    words = {*named, "".join(named)} - {""}
    if component.bundle_id:
        words.update(
            {letters_of(part) for part in component.bundle_id.lower().split(".")[1:2]} - LEGAL - {""}
        )
    return words | {MAKERS[word] for word in words if word in MAKERS}


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
