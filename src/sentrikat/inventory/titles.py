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
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product
from sentrikat.domain.cpe.name import ANY, CpeName, escape
from sentrikat.domain.errors import InvalidName
from sentrikat.domain.inventory import LANGUAGE_KINDS, Component
from sentrikat.domain.matching.claim import Identity
from sentrikat.domain.matching.identity import declared_cpe, identity_of
from sentrikat.inventory.makers import MAKERS

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
_EDITIONS = frozenset(
    {"ce", "community", "edition", "enterprise", "pro", "professional", "ultimate", "free", "standard"}
)
_MIN_UNIQUE = 4  # letters: shorter names are words of too many things to stand alone
_CVE5 = "cve5"
_LANGUAGE_VENDORS = {
    "pypi": ("python", "pythonsoftwarefoundation"),
    "npm": ("npmjs", "nodejs"),
    "gem": ("rubygems", "rubyonrails"),
    "golang": ("golang",),
    "cargo": ("rustlang",),
    "maven": ("apache",),
    "composer": ("php",),
    "nuget": ("microsoft",),
}

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
_ARTIFACTS = text(
    "select name from product where ecosystem = 'maven'"
    " and exists (select from affected_range r where r.product_id = product.id and r.valid_to is null)"
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
    """Give the words that say who made it: of the vendor field, and of a bundle id such as org.mozilla.firefox.

    The words of the vendor also count as one: "Node.js Foundation" is `nodejs`.
    """
    named = [word for word in _WORDS.findall((component.vendor or "").lower()) if word not in _LEGAL]
    words = {*named, "".join(named)} - {""}
    words |= {MAKERS[word] for word in words if word in MAKERS}
    if component.bundle_id:
        words.update(set(component.bundle_id.lower().split(".")[1:2]) - _LEGAL)
    return words


def spellings(component: Component) -> dict[str, str]:
    """Give the letters a product may go by, with the words before them: `chrome` -> `google` of "Google Chrome"."""
    words = title_words(component)
    found: dict[str, str] = {}
    plain = words[:-1] if len(words) > 1 and words[-1] in _EDITIONS else words
    for named in (words, plain):
        for start in range(min(len(named), 3)):
            letters = letters_of("".join(named[start:]))
            if letters:
                found.setdefault(letters, letters_of("".join(named[:start])))
    return found


def _package_letters(name: str) -> str:
    """Give the letters of a language package's own name, without group or scope."""
    return letters_of(name.rpartition("/")[2].rpartition(":")[2])


def _declared_spellings(name: CpeName) -> set[str]:
    """Give the letters under which CVE records may speak of a declared CPE product."""
    return {letters_of(name.product), letters_of(name.vendor + name.product)}


def names_of(component: Component) -> set[str]:
    """Give the letters under which sources may speak of a component: identification looks up these and no others."""
    if component.kind in LANGUAGE_KINDS:
        return {_package_letters(component.name)}
    name = declared_cpe(component)
    return _declared_spellings(name) if name is not None else set(spellings(component))


@dataclass(frozen=True, slots=True)
class TitleIndex:
    """Products by the letters of their product part, with how many statements are about each."""

    products: dict[str, list[tuple[Product, int]]]
    artifacts: dict[str, list[Product]] = field(default_factory=dict)  # Maven products by artifact

    @classmethod
    def load(cls, session: Session, components: Sequence[Component] | None = None) -> TitleIndex:
        """Read the products that these components may be; None: all there are."""
        if components is None:
            rows = session.execute(_EVERYTHING).all()
        else:
            letters = {letters for one in components for letters in names_of(one)}
            rows = session.execute(_LOOK_UP, {"letters": sorted(letters)}).all()
        artifacts: dict[str, list[Product]] = defaultdict(list)
        jars = components is None or any(one.kind == "maven" for one in components)
        for name in session.scalars(_ARTIFACTS) if jars else ():
            artifacts[name.partition(":")[2]].append(Product("maven", name))
        return cls.of(((Product(row.ecosystem, row.name), row.statements) for row in rows), dict(artifacts))

    @classmethod
    def of(
        cls, products: Iterable[tuple[Product, int]], artifacts: dict[str, list[Product]] | None = None
    ) -> TitleIndex:
        """Index products by their letters."""
        found: dict[str, list[tuple[Product, int]]] = defaultdict(list)
        for product, statements in products:
            found[letters_of(product.name.partition(":")[2])].append((product, statements))
        return cls(dict(found), artifacts or {})

    def identities(self, component: Component, os_family: str) -> list[Identity]:
        """Give the product the title names, under each of its names, the most used first; or nothing."""
        products, method, confidence = self.choose(component)
        found = []
        for product in products:
            vendor, _, name = product.name.partition(":")
            cpe = None
            if product.ecosystem != _CVE5:
                cpe = CpeName(product.ecosystem[-1], vendor, name, _version_attribute(component.version))
            identity = identity_of(
                product, component.version, method=method, confidence=confidence, os_family=os_family, cpe=cpe
            )
            if identity is not None:
                found.append(identity)
        return found

    def artifact(self, component: Component, os_family: str) -> list[Identity]:
        """Give the Maven product of a jar that names its artifact but not its group.

        Taken where one group alone has it, or one alone is named for it, as Maven's convention has groups end in
        the project's name: `com.google.guava:guava`, `org.eclipse.jetty:jetty-io`, `commons-io:commons-io`.
        """
        found = self.artifacts.get(component.name, [])
        if len(found) > 1:
            ends = {one: one.name.partition(":")[0].rpartition(".")[2] for one in found}
            found = [one for one in found if component.name == ends[one]] or [
                one for one in found if component.name.startswith(f"{ends[one]}-")
            ]
        if len(found) != 1:
            return []
        identity = identity_of(
            found[0], component.version, method="artifact", confidence=0.8, os_family=os_family
        )
        return [identity] if identity is not None else []

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
            return self._with_namesake(*_one_maker(proven))
        if makers - {letters_of("".join(title_words(component)))}:
            # Somebody else made it: Mist by ninxsoft is not mist.io's, whatever its name.
            return [], "", 0.0
        return self._by_title_alone(component)

    def _with_namesake(
        self, products: list[Product], method: str, confidence: float
    ) -> tuple[list[Product], str, float]:
        """Add the product filed under its own name as vendor, which NVD does where no organization stands behind it.

        7-Zip of Igor Pavlov is both igor_pavlov:7-zip and, for most of its flaws, 7-zip:7-zip.
        """
        if not products:
            return products, method, confidence
        counts = dict(self.products.get(letters_of(products[0].name.partition(":")[2]), ()))
        own = [
            one
            for one in counts
            if one.ecosystem == "cpe:a"
            and one not in products
            and letters_of(one.name.partition(":")[0]) == letters_of(one.name.partition(":")[2])
        ]
        ordered = sorted(
            [*products, *own], key=lambda one: (one.ecosystem == _CVE5, -counts.get(one, 0), one)
        )
        return ordered, method, confidence

    def name_of_package(self, kind: str, name: str, version: str | None) -> CpeName | None:
        """Give the CPE name of a language package, to show; its flaws are judged in its own ecosystem.

        Taken where the product's vendor is the language's, the project itself, or the only one of that name.
        """
        letters = _package_letters(name)
        if len(letters) < _MIN_UNIQUE:
            return None
        found = [(one, count) for one, count in self.products.get(letters, ()) if one.ecosystem == "cpe:a"]
        makers = {letters, f"{letters}project", kind, *_LANGUAGE_VENDORS.get(kind, ())}
        proven = [pair for pair in found if letters_of(pair[0].name.partition(":")[0]) in makers]
        chosen = proven or (found if len(found) == 1 else [])
        if not chosen:
            return None
        product = max(chosen, key=lambda pair: (pair[1], pair[0]))[0]
        vendor, _, own = product.name.partition(":")
        return CpeName("a", vendor, own, _version_attribute(version))

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


def _version_attribute(version: str | None) -> str:
    """Give a version as a CPE attribute; `*` for none, and for one that CPE cannot write."""
    try:
        return escape(version) if version else ANY
    except InvalidName:
        return ANY


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
