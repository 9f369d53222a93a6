"""Software by name: from the words of title and vendor to the products that sources speak of, or to nothing.

A title is reduced to its letters and digits, without version, architecture and language, and compared with the
product part of every CPE name, and of every free-word product of a CVE record, that some statement is about.
Equality alone is not enough, because short words are the products of many vendors: there must be evidence of the
vendor, from the vendor field, the bundle id or the title itself, or the name must belong to one product only.

One product often goes by several names of one vendor (`apache:http_server`, `apache:apache_http_server`, and in CVE
records `apache software foundation:apache http server`). All of them are taken: they mean the same thing, and a
statement under the rarer name is as true. The one most statements use is the name that is shown.
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
from sentrikat.domain.matching.identity import declared_cpe, identity_of

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
_CVE5 = "cve5"

_COUNTED = (
    "select p.ecosystem, p.name, count(*) as statements from product p"
    " join affected_range r on r.product_id = p.id and r.valid_to is null"
    " where (p.ecosystem like 'cpe:%' or p.ecosystem = 'cve5') {narrowed} group by p.ecosystem, p.name"
)
_LOOK_UP = text(
    _COUNTED.format(
        narrowed="and regexp_replace(split_part(p.name, ':', 2), '[^a-z0-9+#]', '', 'g')"
        " = any(cast(:letters as text[]))"
    )
)
_EVERYTHING = text(_COUNTED.format(narrowed=""))


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


def _declared_spellings(name: CpeName) -> set[str]:
    """Give the letters under which CVE records may speak of a declared CPE product."""
    return {letters_of(name.product), letters_of(name.vendor + name.product)}


@dataclass(frozen=True, slots=True)
class TitleIndex:
    """Products by the letters of their product part, with how many statements are about each."""

    products: dict[str, list[tuple[Product, int]]]

    @classmethod
    def load(cls, session: Session, components: Sequence[Component] | None = None) -> TitleIndex:
        """Read the products that these components may be; None: all there are."""
        if components is None:
            rows = session.execute(_EVERYTHING).all()
        else:
            letters: set[str] = set()
            for one in components:
                name = declared_cpe(one)
                letters |= _declared_spellings(name) if name is not None else set(spellings(one))
            rows = session.execute(_LOOK_UP, {"letters": sorted(letters)}).all()
        return cls.of((Product(row.ecosystem, row.name), row.statements) for row in rows)

    @classmethod
    def of(cls, products: Iterable[tuple[Product, int]]) -> TitleIndex:
        """Index products by their letters."""
        found: dict[str, list[tuple[Product, int]]] = defaultdict(list)
        for product, statements in products:
            found[letters_of(product.name.partition(":")[2])].append((product, statements))
        return cls(dict(found))

    def identities(self, component: Component, os_family: str) -> list[Identity]:
        """Give the product the title names, under each of its names, the most used first; or nothing."""
        products, method, confidence = self.choose(component)
        found = []
        for product in products:
            vendor, _, name = product.name.partition(":")
            cpe = None if product.ecosystem == _CVE5 else CpeName(product.ecosystem[-1], vendor, name)
            identity = identity_of(
                product, component.version, method=method, confidence=confidence, os_family=os_family, cpe=cpe
            )
            if identity is not None:
                found.append(identity)
        return found

    def records_of(self, component: Component, name: CpeName, os_family: str) -> list[Identity]:
        """Give the identities under which CVE records speak, in free words, of a declared CPE product."""
        makers = set(_WORDS.findall(name.vendor)) - _LEGAL
        found = []
        for letters in sorted(_declared_spellings(name)):
            for product, _ in self.products.get(letters, ()):
                if product.ecosystem == _CVE5 and _made_by(product, makers, letters_of(name.vendor)):
                    identity = identity_of(
                        product,
                        component.version,
                        method="record_name",
                        confidence=0.9,
                        os_family=os_family,
                    )
                    if identity is not None:
                        found.append(identity)
        return found

    def choose(self, component: Component) -> tuple[list[Product], str, float]:
        """Give (names of the product, method, confidence); no names where evidence is missing or divided."""
        makers = vendor_words(component)
        proven: dict[str, list[tuple[Product, int]]] = defaultdict(list)
        for letters, before in spellings(component).items():
            for product, statements in self.products.get(letters, ()):
                if product.ecosystem in {"cpe:a", _CVE5} and _made_by(product, makers, before):
                    proven[_maker(product, makers | ({before} if before else set()))].append(
                        (product, statements)
                    )
        if proven:
            return _one_maker(proven)
        if makers:
            # Somebody made it, and no product of that name is known to be theirs, but for one that bears its name.
            return self._named_after(component)
        return self._by_title_alone(component)

    def _named_after(self, component: Component) -> tuple[list[Product], str, float]:
        letters = letters_of("".join(title_words(component)))
        own = [
            (product, count)
            for product, count in self.products.get(letters, ())
            if product.ecosystem == "cpe:a" and letters_of(product.name.partition(":")[0]) == letters
        ]
        if len(letters) < _MIN_UNIQUE or len(own) != 1:
            return [], "", 0.0
        return [own[0][0]], "title", 0.7

    def _by_title_alone(self, component: Component) -> tuple[list[Product], str, float]:
        found, method, confidence = self._named_after(component)
        if found:
            return found, method, confidence
        letters = letters_of("".join(title_words(component)))
        candidates = [one for one, _ in self.products.get(letters, ()) if one.ecosystem == "cpe:a"]
        if len(letters) < _MIN_UNIQUE or len(candidates) != 1:
            return [], "", 0.0
        return candidates, "title", 0.6


def _one_maker(proven: dict[str, list[tuple[Product, int]]]) -> tuple[list[Product], str, float]:
    """Give the names of the one maker, most statements first; nothing when two makers are as likely."""
    weights = {maker: max(count for _, count in found) for maker, found in proven.items()}
    ordered = sorted(weights, key=lambda maker: -weights[maker])
    if len(ordered) > 1 and weights[ordered[0]] < _CLEARLY * weights[ordered[1]]:
        return [], "", 0.0
    found = sorted(proven[ordered[0]], key=lambda pair: (pair[0].ecosystem == _CVE5, -pair[1], pair[0]))
    return [product for product, _ in found], "title_and_vendor", 0.9 if len(ordered) == 1 else 0.8


_CLEARLY = 5  # times as many statements: a namesake of an established product, not its equal


def _maker(product: Product, makers: set[str]) -> str:
    """Give the word by which the vendor of a product was proven, so that one maker's names come together."""
    vendor = product.name.partition(":")[0]
    letters = letters_of(vendor)
    if letters in makers:
        return letters
    return min(set(_WORDS.findall(vendor)) & makers, default=letters)


def _made_by(product: Product, makers: set[str], before: str) -> bool:
    """Say whether the vendor part of a product agrees with what is known of the maker."""
    vendor = product.name.partition(":")[0]
    letters = letters_of(vendor)
    if letters in makers or (before and letters == before):
        return True
    own = set(_WORDS.findall(vendor)) - _LEGAL
    return bool(own & (makers | ({before} if before else set())))
