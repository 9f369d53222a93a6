"""Software known by title: from the words of title and vendor to a CPE product, or to nothing.

A title is reduced to its letters and digits, without version, architecture and language, and compared with the
product part of every CPE name that some statement is about. Equality alone is not enough, because short words are
the products of many vendors: there must be evidence of the vendor, from the vendor field, the bundle id or the
title itself, or the name must belong to one product only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product
from sentrikat.domain.cpe.name import CpeName
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.claim import Identity
from sentrikat.domain.matching.identity import identity_of

_NOISE = re.compile(
    r"\((?:[^()]*)\)"  # architecture and language stand in brackets: (x64 en-US)
    r"|\b(?:x64|x86|amd64|arm64|64[- ]?bit|32[- ]?bit|win64|win32|en[-_]us|version|setup|installer)\b"
    r"|\.(?:app|exe|msi)$",
    re.IGNORECASE,
)
_VERSION_WORD = re.compile(r"^v?\d+(?:[._]\d+)*[a-z]?\d*$", re.IGNORECASE)
_WORDS = re.compile(r"[a-z0-9+#]+")
_LETTERS = re.compile(r"[^a-z0-9+#]")

# Legal forms and filler in vendor names; they say nothing about who it is.
_LEGAL = frozenset(
    ["inc", "incorporated", "corp", "corporation", "llc", "ltd", "limited", "gmbh", "ag", "sa", "co", "company", "the", "team", "project", "foundation", "software", "technologies", "technology", "systems", "group", "international", "and", "of"]
)
_MIN_UNIQUE = 4  # letters: shorter names are words of too many things to stand alone

_LOOK_UP = text(
    "select ecosystem, name from product where ecosystem like 'cpe:%'"
    " and regexp_replace(split_part(name, ':', 2), '[^a-z0-9+#]', '', 'g') = any(cast(:letters as text[]))"
    " and exists (select from affected_range r where r.product_id = product.id)"
)
_EVERYTHING = text(
    "select ecosystem, name from product where ecosystem like 'cpe:%'"
    " and exists (select from affected_range r where r.product_id = product.id)"
)


def letters_of(words: str) -> str:
    """Reduce words to their letters and digits."""
    return _LETTERS.sub("", words.lower())


def title_words(component: Component) -> list[str]:
    """Give the words of a title that name the product: without version, architecture, language and brackets."""
    cleaned = _NOISE.sub(" ", component.name.lower())
    version = (component.version or "").lower()
    words: list[str] = []
    for word in re.split(r"[\s,;:/|\u2013\u2014]+", cleaned):
        bare = word.strip(".-_()[]")
        if not bare or (version and bare == version):
            continue
        if words and _VERSION_WORD.match(bare) and ("." in bare or bare == version.split(".")[0]):
            continue
        words.append(bare)
    return [word for word in words if word not in {"-", "for", "windows"} or len(words) == 1] or words


def vendor_words(component: Component) -> set[str]:
    """Give the words that say who made it: of the vendor field, and of a bundle id such as org.mozilla.firefox."""
    words = set(_WORDS.findall((component.vendor or "").lower()))
    if component.bundle_id:
        words.update(component.bundle_id.lower().split(".")[1:2])
    return words - _LEGAL


def spellings(component: Component) -> dict[str, str]:
    """Give the letters a product may go by, with the words before them: `chrome` -> `google` of "Google Chrome"."""
    words = title_words(component)
    found: dict[str, str] = {}
    for start in range(min(len(words), 3)):
        letters = letters_of("".join(words[start:]))
        if letters:
            found.setdefault(letters, letters_of("".join(words[:start])))
    return found


@dataclass(frozen=True, slots=True)
class TitleIndex:
    """CPE products by the letters of their product part."""

    products: dict[str, list[Product]]

    @classmethod
    def load(cls, session: Session, components: Sequence[Component] | None = None) -> TitleIndex:
        """Read the products that these components may be; None: all there are."""
        if components is None:
            rows = session.execute(_EVERYTHING).all()
        else:
            letters = sorted({letters for one in components for letters in spellings(one)})
            rows = session.execute(_LOOK_UP, {"letters": letters}).all()
        return cls.of(Product(row.ecosystem, row.name) for row in rows)

    @classmethod
    def of(cls, products: Iterable[Product]) -> TitleIndex:
        """Index products by their letters."""
        found: dict[str, list[Product]] = defaultdict(list)
        for product in products:
            found[letters_of(product.name.partition(":")[2])].append(product)
        return cls(dict(found))

    def identities(self, component: Component, os_family: str) -> list[Identity]:
        """Give the one product the title names, or nothing."""
        chosen = self.choose(component)
        if chosen is None:
            return []
        product, method, confidence = chosen
        vendor, _, name = product.name.partition(":")
        cpe = CpeName(part=product.ecosystem[-1], vendor=vendor, product=name)
        identity = identity_of(
            product,
            component.version,
            method=method,
            confidence=confidence,
            os_family=os_family,
            cpe=cpe,
        )
        return [identity] if identity is not None else []

    def choose(self, component: Component) -> tuple[Product, str, float] | None:
        """Give (product, method, confidence) for a title, or None where evidence is missing or divided."""
        makers = vendor_words(component)
        whole = letters_of("".join(title_words(component)))
        for letters, before in spellings(component).items():
            candidates = [one for one in self.products.get(letters, ()) if one.ecosystem == "cpe:a"]
            if not candidates:
                continue
            proven = [one for one in candidates if _made_by(one, makers, before)]
            if len(proven) == 1:
                return proven[0], "title_and_vendor", 0.9
            if proven:
                own = [one for one in proven if letters_of(one.name.partition(":")[0]) in makers | {before}]
                return (own[0], "title_and_vendor", 0.8) if len(own) == 1 else None
            if letters != whole or len(letters) < _MIN_UNIQUE:
                continue
            named_after = [one for one in candidates if letters_of(one.name.partition(":")[0]) == letters]
            if len(named_after) == 1:
                return named_after[0], "title", 0.7
            if len(candidates) == 1 and not makers:
                return candidates[0], "title", 0.6
        return None


def _made_by(product: Product, makers: set[str], before: str) -> bool:
    """Say whether the vendor part of a CPE product agrees with what is known of the maker."""
    vendor = product.name.partition(":")[0]
    letters = letters_of(vendor)
    if letters in makers or (before and letters == before):
        return True
    own = set(_WORDS.findall(vendor)) - _LEGAL
    return bool(own & makers)
