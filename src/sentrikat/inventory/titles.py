"""Software by name: from the words of title and vendor to the products that sources speak of, or to nothing.

A reviewed correction (catalogue.corrections) is believed before anything else. Then the title, reduced to its letters
and digits, without version, architecture and language, is compared with the product part of every CPE name that a
source lists or makes statements about, and of every free-word product of a CVE record. Equality alone is not enough,
because short words are the products of many vendors: there must be evidence of the vendor, from the vendor field, the
bundle id or the title itself. Where the letters lead nowhere, candidates that resemble the title are looked up and
scored (domain.matching.likeness); the best is taken when it is beyond doubt, and else they are kept for people.

One product often goes by several names of one vendor (`apache:http_server`, `apache:apache_http_server`, and in CVE
records `apache software foundation:apache http server`). All of them are taken: they mean the same thing, and a
statement under the rarer name is as true. The one most statements use is the name that is shown. A name that the
dictionary deprecated comes with the one that replaced it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.catalogue.corrections import correction_of
from sentrikat.catalogue.packages import product_of_package
from sentrikat.domain.advisory import Product
from sentrikat.domain.cpe.name import CpeName, edition_product
from sentrikat.domain.inventory import APPLICATION_KINDS, LANGUAGE_KINDS, Component
from sentrikat.domain.matching.claim import Identity
from sentrikat.domain.matching.identity import declared_cpe, declared_products, identity_of
from sentrikat.domain.matching.likeness import Likeness, believed
from sentrikat.domain.matching.makers import MAKERS
from sentrikat.domain.matching.surroundings import extends, extension_id, fits, host_of
from sentrikat.domain.matching.titles import (
    LEGAL,
    is_update,
    letters_of,
    maker_of,
    spellings,
    title_words,
    vendor_words,
    without_tagline,
    words_of,
)
from sentrikat.inventory.candidates import ranked_candidates
from sentrikat.inventory.products import (
    CVE5,
    identities_of,
    product_named,
    product_of_package_url,
    version_attribute,
)

_ESTABLISHED = 60  # flaws
_FEW_MAKERS = 8
_MIN_UNIQUE = 4  # letters: shorter names are words of too many things to stand alone
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

# What CPE calls the language a package is made for.
_LANGUAGE_HOSTS = {
    "pypi": {"python", "pypi"},
    "npm": {"node.js", "npm"},
    "gem": {"ruby", "rails"},
    "golang": {"go"},
    "cargo": {"rust"},
    "maven": {"maven", "java"},
    "composer": {"php", "composer"},
    "nuget": {".net", "nuget"},
}
# Repositories that give each name to one project, and a distribution's source packages: there a name that one product
# alone has is that product. Anywhere else the name of a program is what its author pleased to call it.
_CURATED = frozenset({"brew", "snap", "flatpak", "upstream"})

_KNOWN = """
select p.ecosystem, p.name, known.statements, c.target_software, r.name as replaced_by
from product p
-- Flaws, not statements: old records list every version apart. Read from the index, so far as it tells one from another.
cross join lateral (select count(distinct vulnerability_id) as statements from (
    select a.vulnerability_id from affected_range a
    where a.product_id = p.id and a.valid_to is null limit 10000) as counted) as known
left join catalogue_product c on c.product_id = p.id
left join product r on r.id = c.replaced_by_id and r.ecosystem = p.ecosystem
where (p.ecosystem like 'cpe:%' or p.ecosystem = 'cve5') {narrowed}
  and (known.statements > 0 or c.product_id is not null)
"""
_LOOK_UP = text(
    _KNOWN.format(
        narrowed="and regexp_replace(split_part(p.name, ':', 2), '[^a-z0-9+#]', '', 'g')"
        " = any(cast(:letters as text[]))"
    )
)
_ARTIFACTS = text(
    "select name from product where ecosystem = 'maven'"
    " and exists (select from affected_range r where r.product_id = product.id and r.valid_to is null)"
)
_EVERYTHING = text(_KNOWN.format(narrowed=""))
_RARE = text(
    """
select w.word from unnest(cast(:words as text[])) as w(word)
where (select count(distinct split_part(found.name, ':', 1)) from (
    select p.name from product p
    where p.ecosystem = 'cpe:a' and regexp_split_to_array(p.name, '[^a-z0-9+#]+') @> array[w.word]
      and split_part(p.name, ':', 2) ~ ('(^|[^a-z0-9+#])' || regexp_replace(w.word, '[+]', '[+]', 'g') || '($|[^a-z0-9+#])')
    limit 2000) as found) between 1 and :most
"""
)


def needs_title(component: Component) -> bool:
    """Say whether a component is known by its title only."""
    return (
        component.corrected is None
        and (component.kind in APPLICATION_KINDS or component.kind == "cpe")
        and not declared_products(component)
    )


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


_EDITION_WORD = re.compile(r"(?<![a-z])esr(?![a-z])", re.IGNORECASE)  # also of 128.0esr
_MOST_HOMES = 4  # groups one artifact was published under; more of them is a word anybody uses


@dataclass(frozen=True, slots=True)
class Choice:
    """What a title was taken for: the names of one product, shown first; none where it cannot be told."""

    products: tuple[Product, ...] = ()
    method: str = ""
    confidence: float = 0.0


NOBODY = Choice()


def _of_its_edition(component: Component, choice: Choice) -> Choice:
    """Give the product of the edition that title or version name, where that is a product apart: Firefox ESR."""
    said = {word for one in (component.name, component.version or "") for word in _EDITION_WORD.findall(one)}
    if not said:
        return choice
    found: dict[Product, None] = {}
    for one in choice.products:
        name = next(
            (name for word in said if (name := edition_product(one.name, word.lower())) != one.name), None
        )
        if name is None:
            found[one] = None
        elif one.ecosystem != CVE5:  # CVE records name the edition in words of its own
            found[Product(one.ecosystem, name)] = None
    return Choice(tuple(found), choice.method, choice.confidence)


def _has_cpe(choice: Choice) -> bool:
    return any(one.ecosystem != CVE5 for one in choice.products)


@dataclass(frozen=True, slots=True)
class TitleIndex:
    """Products by the letters of their product part, with how many flaws statements about each name.

    `targets` are what a product's names are made for, `replaced` the product that took a deprecated one's place, and
    `ranked` what resembles the titles whose letters led nowhere.
    """

    products: dict[str, list[tuple[Product, int]]]
    artifacts: dict[str, list[Product]] = field(default_factory=dict)  # Maven products by artifact
    targets: dict[Product, tuple[str, ...]] = field(default_factory=dict)
    replaced: dict[Product, Product] = field(default_factory=dict)
    ranked: dict[Component, list[Likeness]] = field(default_factory=dict)
    rare: frozenset[str] = (
        frozenset()
    )  # words of anonymous titles that few makers' products have in their names

    @classmethod
    def load(cls, session: Session, components: Sequence[Component] | None = None) -> TitleIndex:
        """Read the products that these components may be; None: all there are."""
        if components is None:
            rows = session.execute(_EVERYTHING).all()
        else:
            letters = {letters for one in components for letters in names_of(one)}
            rows = session.execute(_LOOK_UP, {"letters": sorted(letters)}).all()
        artifacts: dict[str, list[Product]] = defaultdict(list)
        anonymous = {
            word
            for one in components or ()
            if needs_title(one) and not vendor_words(one)
            for part in title_words(one)
            for word in words_of(part)
        }
        rare = session.scalars(_RARE, {"words": sorted(anonymous), "most": _FEW_MAKERS}) if anonymous else ()
        jars = components is None or any(one.kind == "maven" for one in components)
        for name in session.scalars(_ARTIFACTS) if jars else ():
            artifacts[name.partition(":")[2]].append(Product("maven", name))
        found = cls.of(
            ((Product(row.ecosystem, row.name), row.statements) for row in rows),
            dict(artifacts),
            frozenset(rare),
        )
        for row in rows:
            product = Product(row.ecosystem, row.name)
            if row.target_software:
                found.targets[product] = tuple(row.target_software)
            if row.replaced_by:
                found.replaced[product] = Product(row.ecosystem, row.replaced_by)
        unresolved = [
            one for one in components or () if needs_title(one) and not is_update(one) and found.is_open(one)
        ]
        found.ranked.update(ranked_candidates(session, unresolved))
        return found

    @classmethod
    def of(
        cls,
        products: Iterable[tuple[Product, int]],
        artifacts: dict[str, list[Product]] | None = None,
        rare: frozenset[str] = frozenset(),
    ) -> TitleIndex:
        """Index products by their letters."""
        found: dict[str, list[tuple[Product, int]]] = defaultdict(list)
        for product, statements in products:
            found[letters_of(product.name.partition(":")[2])].append((product, statements))
        return cls(dict(found), artifacts or {}, rare=rare)

    def identities(self, component: Component, os_family: str) -> list[Identity]:
        """Give the product the title names, under each of its names, the most used first; or nothing."""
        choice = self.choose(component)
        return identities_of(component, choice.products, choice.method, choice.confidence, os_family)

    def artifact(self, component: Component, os_family: str) -> list[Identity]:
        """Give the Maven products of a jar that names its artifact but not its group.

        Taken where one group alone has it, or where groups are named for it, as Maven's convention has groups end in
        the project's name: `com.google.guava:guava`, `org.eclipse.jetty:jetty-io`, `commons-io:commons-io`. Several
        such groups are homes of one project, before and after it moved or was forked (`org.mortbay.jetty`,
        `org.eclipse.jetty`): the jar is judged by what is said of any of them.
        """
        found = self.artifacts.get(component.name, [])
        if len(found) > 1:
            ends = {one: one.name.partition(":")[0].rpartition(".")[2] for one in found}
            found = [one for one in found if component.name == ends[one]] or [
                one for one in found if component.name.startswith(f"{ends[one]}-")
            ]
        method, confidence = ("artifact", 0.8) if len(found) == 1 else ("artifact_homes", 0.7)
        identities = (
            identity_of(one, component.version, method=method, confidence=confidence, os_family=os_family)
            for one in (found if len(found) <= _MOST_HOMES else ())
        )
        return [one for one in identities if one is not None]

    def records_of(self, component: Component, name: CpeName, os_family: str) -> list[Identity]:
        """Give the identities under which CVE records speak, in free words, of a declared CPE product."""
        makers = set(words_of(name.vendor)) - LEGAL
        found = []
        for letters in sorted(_declared_spellings(name)):
            for product, _ in self.products.get(letters, ()):
                if product.ecosystem == CVE5 and _made_by(product, makers, letters_of(name.vendor)):
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

    def choose(self, component: Component) -> Choice:
        """Give what the title is taken for; nothing where evidence is missing or divided."""
        if (correction := correction_of(component)) is not None:
            return Choice(tuple(map(product_named, correction.products)), "correction", 1.0)
        if (product := product_of_package_url(component)) is not None:
            return Choice((product,), "package_index", 0.95)
        choice = _of_its_edition(component, self._by_letters(component))
        if _has_cpe(choice):
            return self._with_replacements(choice)
        best = believed(self.ranked.get(component, ()))
        if best is None:
            return choice
        # What CVE records call it in words stays: NVD and they speak of different flaws.
        products = (Product("cpe:a", best.candidate.name), *choice.products)
        return self._with_replacements(_of_its_edition(component, Choice(products, "likeness", best.score)))

    def is_open(self, component: Component) -> bool:
        """Say whether neither a correction nor its letters lead a component to a CPE name."""
        return correction_of(component) is None and not _has_cpe(self.choose(component))

    def _by_letters(self, component: Component) -> Choice:
        if is_update(component):
            return NOBODY
        makers = vendor_words(component)
        host = host_of(component)
        proven: dict[str, list[tuple[Product, int]]] = defaultdict(list)
        for letters, before in spellings(component).items() if extension_id(component) is None else ():
            for product, statements in self.products.get(letters, ()):
                if product.ecosystem not in {"cpe:a", CVE5} or not fits(host, self.targets.get(product, ())):
                    continue
                if _made_by(product, makers, before) and _is_maker(before, product, makers):
                    proven[_maker(product, makers | ({before} if before else set()))].append(
                        (product, statements)
                    )
        if proven:
            return Choice(*self._with_namesake(*_one_maker(proven)))
        if makers - {letters_of("".join(title_words(component)))}:
            # Somebody else made it: Mist by ninxsoft is not mist.io's, whatever its name.
            return NOBODY
        choice = Choice(*self._by_title_alone(component, host))
        if not choice.products and (brief := without_tagline(component)) is not component:
            choice = Choice(*self._by_title_alone(brief, host))
        return choice

    def _with_replacements(self, choice: Choice) -> Choice:
        """Put the name that replaced a deprecated one before it; statements may use either."""
        found: list[Product] = []
        for product in choice.products:
            if (newer := self.replaced.get(product)) is not None and newer not in choice.products:
                found.append(newer)
            found.append(product)
        return Choice(tuple(found), choice.method, choice.confidence)

    def _with_namesake(
        self, products: tuple[Product, ...], method: str, confidence: float
    ) -> tuple[tuple[Product, ...], str, float]:
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
        ordered = sorted([*products, *own], key=lambda one: (one.ecosystem == CVE5, -counts.get(one, 0), one))
        return tuple(ordered), method, confidence

    def name_of_package(self, kind: str, name: str, version: str | None) -> CpeName | None:
        """Give the CPE name of a language package, to show; its flaws are judged in its own ecosystem.

        Taken where the product's vendor is the language's, the project itself, or the only one of that name.
        """
        attribute = version_attribute(version)
        if (indexed := product_of_package(kind, name)) is not None:
            vendor, _, own = indexed.partition(":")
            return CpeName("a", vendor, own, attribute)
        letters = _package_letters(name)
        if len(letters) < _MIN_UNIQUE:
            return None
        hosts = _LANGUAGE_HOSTS.get(kind, set())
        found = [
            (one, count)
            for one, count in self.products.get(letters, ())
            if one.ecosystem == "cpe:a"
            and (not (extended := extends(self.targets.get(one, ()))) or not extended.isdisjoint(hosts))
        ]
        makers = {letters, f"{letters}project", kind, *_LANGUAGE_VENDORS.get(kind, ())}
        proven = [pair for pair in found if letters_of(pair[0].name.partition(":")[0]) in makers]
        chosen = proven or (found if len(found) == 1 else [])
        if not chosen:
            return None
        product = max(chosen, key=lambda pair: (pair[1], pair[0]))[0]
        vendor, _, own = product.name.partition(":")
        return CpeName("a", vendor, own, attribute)

    def _by_title_alone(
        self, component: Component, host: str | None
    ) -> tuple[tuple[Product, ...], str, float]:
        """Give a product named after its maker, whom the title then names; in curated repositories also a lone one.

        Without anybody's word on the maker, an established name is believed as well: many flaws are filed under it,
        hardly any under that name of others, and its rarest word stands in few makers' products: "thunderbird" is
        Mozilla's; "player" is not VMware's.
        """
        words = title_words(component)
        letters = letters_of("".join(words))
        if len(letters) < _MIN_UNIQUE:
            return (), "", 0.0
        candidates = [
            one
            for one, _ in self.products.get(letters, ())
            if one.ecosystem == "cpe:a"
            and fits(host, self.targets.get(one, ()))
            and not one.name.partition(":")[2].startswith("\\")  # "Mail" is not @mail
        ]
        counts = dict(self.products.get(letters, ()))
        named = {letters, f"{letters}project", f"{letters}team", MAKERS.get(letters, letters)}
        own = [one for one in candidates if letters_of(one.name.partition(":")[0]) in named]
        if self._is_established(component, words, candidates, counts):
            return _one_maker(_by_maker(candidates, counts), 0.7)
        if own:
            return tuple(sorted(own, key=lambda one: (-counts[one], one))), "title", 0.7
        if len(candidates) == 1 and component.kind in _CURATED:
            return (candidates[0],), "title", 0.6
        return (), "", 0.0

    def _is_established(
        self,
        component: Component,
        words: Sequence[str],
        candidates: Sequence[Product],
        counts: Mapping[Product, int],
    ) -> bool:
        if vendor_words(component) or self.rare.isdisjoint(word for part in words for word in words_of(part)):
            return False
        return max((counts[one] for one in candidates), default=0) >= _ESTABLISHED


def _by_maker(
    candidates: Iterable[Product], counts: Mapping[Product, int]
) -> dict[str, list[tuple[Product, int]]]:
    found: dict[str, list[tuple[Product, int]]] = defaultdict(list)
    for one in candidates:
        found[maker_of(one.name.partition(":")[0])].append((one, counts[one]))
    return found


def _one_maker(
    proven: dict[str, list[tuple[Product, int]]], anonymous: float | None = None
) -> tuple[tuple[Product, ...], str, float]:
    """Give the names of the one maker, most statements first; nothing when two makers are as likely."""
    # A product that is only listed weighs a fifth of a statement: less than any that somebody speaks of.
    weights = {maker: max(0.2, *(count for _, count in found)) for maker, found in proven.items()}
    ordered = sorted(weights, key=lambda maker: -weights[maker])
    if len(ordered) > 1 and weights[ordered[0]] < _CLEARLY * weights[ordered[1]]:
        return (), "", 0.0
    found = sorted(proven[ordered[0]], key=lambda pair: (pair[0].ecosystem == CVE5, -pair[1], pair[0]))
    if anonymous is not None:
        return tuple(product for product, _ in found), "title", anonymous
    return tuple(product for product, _ in found), "title_and_vendor", 0.9 if len(ordered) == 1 else 0.8


_CLEARLY = 5  # times as many statements: a namesake of an established product, not its equal


def _maker(product: Product, makers: set[str]) -> str:
    """Give the word by which the vendor of a product was proven, so that one maker's names come together."""
    vendor = product.name.partition(":")[0]
    letters = maker_of(vendor)
    if letters in makers:
        return letters
    return min(map(maker_of, set(words_of(vendor)) & makers), default=letters)


def _is_maker(before: str, product: Product, makers: set[str]) -> bool:
    """Say whether the words left out of a title name its maker: Tools for .NET is not .NET, Microsoft .NET is."""
    vendor = product.name.partition(":")[0]
    letters = letters_of(vendor)
    return not before or before in {
        *makers,
        letters,
        maker_of(letters),
        *words_of(vendor),
        "".join(_named(vendor)),
    }


def _named(vendor: str) -> list[str]:
    return [word for word in words_of(vendor) if word not in LEGAL]


def _made_by(product: Product, makers: set[str], before: str) -> bool:
    """Say whether the vendor part of a product agrees with what is known of the maker."""
    vendor = product.name.partition(":")[0]
    letters = letters_of(vendor)
    if {letters, maker_of(letters)} & makers or (before and before in (letters, maker_of(letters))):
        return True
    own = set(words_of(vendor)) - LEGAL
    return bool(own & (makers | ({before} if before else set())))
