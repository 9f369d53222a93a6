"""How much a product is what a title names, and why: the order of candidates, and whether the best is believed.

The score of a candidate is a sum of four parts, 0..1:

    0.50  title     share of the title's words that the product's names have; a word that many titles carry
                    ("client", "extension") and an edition count little when missing
    0.25  product   share of the product's own words that the title has
    0.20  maker     1 when the vendor field, the bundle id or the publisher says the vendor; 0.75 when the title does
    0.05  use       how many statements are about the product, logarithmically: a tie goes to the known one

A candidate that extends another program than the component does scores 0 (`surroundings.fits`). It is believed when
it scores ACCEPTED or more (ACCEPTED_BY_TITLE where only the title names the maker), there is evidence of its maker, no word that tells products apart is missing on either side,
and no product of another name comes within MARGIN. Everything else is for people to decide: a word too many is the
difference between a server and its desktop client.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log10

from sentrikat.domain.cpe.name import unescape
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.surroundings import extends, extension_id, fits, host_of
from sentrikat.domain.matching.titles import (
    EDITIONS,
    LEGAL,
    letters_of,
    maker_of,
    title_words,
    vendor_words,
    words_of,
)

ACCEPTED = 0.85
# "Mail" and "Notes" are makers too, of themselves: without anybody else's word only what is known is believed.
ACCEPTED_BY_TITLE = 0.91
MARGIN = 0.08
SHOWN = 0.30  # a candidate below is no help to anybody

_LANGUAGES = (
    "english",
    "german",
    "deutsch",
    "french",
    "français",
    "spanish",
    "español",
    "italian",
    "italiano",
)
# Words that say what kind of thing it is, or for whom: missing ones do not make it another product.
_FILLERS = EDITIONS | {
    "app",
    "program",
    "tool",
    "utility",
    "software",
    "runtime",
    "redistributable",
    "for",
    "windows",
    "mac",
    "macos",
    "linux",
    "by",
    "the",
    "a",
    "an",
    "and",
    "of",
    "with",
    "vscode",
    "extension",
    "plugin",
    "addon",
    "x64",
    "x86",
    "stable",
    "mui",  # an installer in many languages
    *_LANGUAGES,
}
_FILLER_WEIGHT = 0.1
_LONGEST_MAJOR = 2  # digits
_YEAR = re.compile(r"(?:19|20)\d\d")
# Each year of theirs is a product of its own, with versions and repairs of its own.
_YEARS_APART = frozenset({"microsoft"})
_SAID = 0.75  # what a maker counts whom the title alone names
_DENIED = 0.25  # ... and one whom the publisher contradicts
_SHORTEST_MAKER = 3  # letters of a vendor that a title can be said to name


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product that a title may mean. `vendor` and `product` as in its CPE name, `titles` what people call it."""

    vendor: str
    product: str
    titles: tuple[str, ...] = ()
    target_software: tuple[str, ...] = ()
    statements: int = 0

    @property
    def name(self) -> str:
        """Give vendor:product."""
        return f"{self.vendor}:{self.product}"


@dataclass(frozen=True, slots=True)
class Likeness:
    """A scored candidate. `evidence` are sentences for people; `sure` says that no telling word is missing."""

    candidate: Candidate
    score: float
    evidence: tuple[str, ...]
    maker: bool
    sure: bool
    told_maker: bool = False  # somebody other than the title says who made it


@dataclass(frozen=True, slots=True)
class Named:
    """What a component's title says, ready to be held against many candidates."""

    words: tuple[str, ...]
    makers: frozenset[str]  # who the vendor field, the bundle id or the publisher says made it
    host: str | None
    runs: frozenset[str]  # the words, and neighbors of them as one word
    heard: frozenset[str]  # everything said: runs and makers

    @classmethod
    def of(cls, component: Component) -> Named:
        """Read a component."""
        makers = vendor_words(component)
        extension = extension_id(component)
        if extension is None:
            words = [part for word in title_words(component) for part in words_of(word)]
        else:
            publisher, own = extension
            words = [part for part in words_of(own.replace("_", "-")) if part != "vscode"] or words_of(own)
            fake = Component("application", "", own, vendor=publisher)
            makers = makers | vendor_words(fake) | {letters_of(publisher)}
        named = tuple(dict.fromkeys(words))
        runs = frozenset({*named, *_runs(named)})
        return cls(named, frozenset(makers), host_of(component), runs, runs | makers)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A candidate's names, taken apart once however many titles it is held against."""

    maker: str  # the vendor as letters
    makers: frozenset[str]  # ... and each of its words
    words: tuple[str, ...]  # the product's, without the vendor's
    vocabulary: frozenset[str]
    hosts: frozenset[str]
    use: float


@lru_cache(maxsize=65536)
def _parts(candidate: Candidate) -> _Parts:
    vendor = [word for word in words_of(unescape(candidate.vendor).replace("_", " ")) if word not in LEGAL]
    product = words_of(unescape(candidate.product).replace("_", " "))
    return _Parts(
        maker=letters_of(candidate.vendor),
        makers=frozenset(
            {letters_of(candidate.vendor), maker_of(candidate.vendor), "".join(vendor), *vendor} - {""}
        ),
        words=tuple(word for word in product if word not in vendor) or tuple(product),
        vocabulary=frozenset(_vocabulary(candidate, vendor)),
        hosts=extends(candidate.target_software),
        use=min(1.0, log10(1 + candidate.statements) / 2),
    )


def product_words(candidate: Candidate) -> tuple[str, ...]:
    """Give the words of a product's name that are not its vendor's."""
    return _parts(candidate).words


def likeness(named: Named, candidate: Candidate) -> Likeness:
    """Hold one candidate against a title."""
    parts = _parts(candidate)
    field = not parts.makers.isdisjoint(named.makers)
    # In a title, one word of a vendor's several proves nothing: “Perl” is not Vanilla Perl Project.
    said = len(parts.maker) >= _SHORTEST_MAKER and (
        parts.maker in named.runs or parts.maker.removesuffix("project") in named.runs
    )
    if not fits(named.host, candidate.target_software):
        return Likeness(candidate, 0.0, ("it extends another program",), field, sure=False)
    title = [word for word in named.words if word not in parts.makers or word in parts.vocabulary]
    missing = [word for word in title if not _among(word, parts.vocabulary)]
    last = next((word for word in reversed(named.words) if word not in _FILLERS), "")
    if last in missing and _is_edition_of_a_year(last, parts):
        missing.remove(last)
    extra = [word for word in parts.words if not _among(word, named.heard)]
    covered = 1 - _weight(missing) / (_weight(title) or 1)
    told = 1 - _weight(extra) / (_weight(parts.words) or 1)
    maker = 1.0 if field else _SAID if said else 0.0
    if said and not field and named.makers - named.runs:
        maker = _DENIED  # Mist by ninxsoft: the title names mist.io, and the publisher is somebody else
    if named.host and named.host in parts.hosts and not missing:
        # An extension of the right program with the very name: who files a lone author's work calls the vendor
        # after the product, so the publisher proves nothing and is not asked for.
        maker = max(maker, 0.9)
    score = 0.5 * covered + 0.25 * told + 0.2 * maker + 0.05 * parts.use
    if named.host and not parts.hosts and not _calls_itself_extension(candidate):
        # Nobody filed this product as an extension: it is the program, more likely than not.
        score *= 0.7
    # A title may leave its edition to the product's name, but a product that names one is that edition.
    telling = [word for word in missing if not _is_slack(word)]
    telling += [word for word in extra if not _is_slack(word) or word in EDITIONS]
    evidence = tuple(_evidence(candidate, title, missing, extra, maker, field=field, said=said))
    told_maker = field or maker > _SAID
    return Likeness(candidate, round(score, 3), evidence, maker > _DENIED, not telling, told_maker)


def rank(named: Named, candidates: Iterable[Candidate]) -> list[Likeness]:
    """Give the candidates worth showing, best first."""
    found = [one for candidate in candidates if (one := likeness(named, candidate)).score >= SHOWN]
    return sorted(found, key=lambda one: (-one.score, -one.candidate.statements, one.candidate.name))


def believed(ranked: Sequence[Likeness]) -> Likeness | None:
    """Give the best candidate when it may be taken without asking anybody."""
    if not ranked:
        return None
    best = ranked[0]
    if best.score < (ACCEPTED if best.told_maker else ACCEPTED_BY_TITLE) or not best.maker or not best.sure:
        return None
    letters = letters_of(best.candidate.product)
    # What would not be believed itself is no rival: SketchUp is not taken for SketchUp Pro, and does not wait for it.
    rivals = [
        one for one in ranked[1:] if letters_of(one.candidate.product) != letters and one.maker and one.sure
    ]
    return None if rivals and best.score - rivals[0].score < MARGIN else best


def is_filler(word: str) -> bool:
    """Say whether a word tells no products apart."""
    return word in _FILLERS


def _calls_itself_extension(candidate: Candidate) -> bool:
    words = set(words_of(candidate.product.replace("_", " ")))
    return bool(words & {"extension", "vscode", "plugin"}) or "visual_studio_code_" in candidate.product


def _vocabulary(candidate: Candidate, vendor: Sequence[str]) -> set[str]:
    """Give every word of the product's names, and runs of them as one word: "vm virtualbox" is also `vmvirtualbox`."""
    product = words_of(unescape(candidate.product).replace("_", " "))
    found = {*product, *_runs(product), letters_of(candidate.product)}
    for title in candidate.titles:
        words = [word for word in words_of(title) if word not in vendor]
        found |= {*words, *_runs(words)}
    return found


def _runs(words: Sequence[str]) -> set[str]:
    """Give the neighbors of a list of words written as one: libre office -> libreoffice."""
    limit = min(len(words), 6)
    return {
        "".join(words[start:end])
        for start in range(limit)
        for end in range(start + 1, min(start + 4, limit) + 1)
    }


def _among(word: str, vocabulary: Collection[str]) -> bool:
    """Say whether a word is there, a plural counting as its singular."""
    return word in vocabulary or f"{word}s" in vocabulary or (word.endswith("s") and word[:-1] in vocabulary)


def _is_edition_of_a_year(word: str, parts: _Parts) -> bool:
    """Say whether a title's last word is the year of an edition, which the version says again: Snagit 2023."""
    return _YEAR.fullmatch(word) is not None and not parts.makers & _YEARS_APART


def _weight(words: Iterable[str]) -> float:
    return sum(_FILLER_WEIGHT if _is_slack(word) else 1.0 for word in words)


def _is_slack(word: str) -> bool:
    """Say whether a word may be missing: a filler, or the major version that a title ends with (a year is no such)."""
    return word in _FILLERS or (word.isdigit() and len(word) <= _LONGEST_MAJOR)


def _evidence(
    candidate: Candidate,
    title: Sequence[str],
    missing: Sequence[str],
    extra: Sequence[str],
    maker: float,
    *,
    field: bool,
    said: bool,
) -> Iterable[str]:
    if not missing:
        yield (
            f"every word of the title is in its name: {' '.join(title)}"
            if title
            else "the title names its maker only"
        )
    else:
        yield f"the title also says {_quoted(missing)}"
    if extra:
        yield f"its name also says {_quoted(extra)}"
    vendor = unescape(candidate.vendor).replace("_", " ")
    if field:
        yield f"the publisher is {vendor}"
    elif said:
        yield f"the title names {vendor}"
    elif maker:
        yield "it is filed as an extension of the same program"
    else:
        yield f"nothing says that {vendor} made it"
    if candidate.statements:
        one = candidate.statements == 1
        yield f"{candidate.statements} {'statement of a source is' if one else 'statements of sources are'} about it"


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)
