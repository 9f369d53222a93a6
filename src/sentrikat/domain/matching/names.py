"""Evidence by name: software that a flaw may concern, where nobody published products or versions to compare.

A catalog of exploited flaws says "Fortinet, FortiClient EMS" and no source describes the product. What is known is
then words against words. A component may be concerned when its maker is named and its title holds every word of one
of the flaw's product names:

    maker     a word of the flaw's vendor (or all of them in one) stands in the component's vendor, bundle id or title
    product   all words of the name, of which one must say more than "server" or "management", or at least two
    itself    a product named like its maker ("Grafana Labs", "Grafana") is the whole title, apart from numbers

This is never a verdict. It fills a queue for people: `possibly affected`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Legal forms and filler in the names of makers; they say nothing about who it is.
_LEGAL = _split(
    "inc incorporated corp corporation llc ltd limited gmbh ag sa co company the team project foundation software"
    " technologies technology systems system labs group international and of org com net open source"
)
# Words that products of every maker bear. One alone is no evidence.
_COMMON = _split(
    "access agent android api app appliance appliances application applications assistant browser camera cameras"
    " client cloud collaboration connect console control core data desktop device devices driver edition endpoint"
    " engine enterprise explorer framework gateway hub internet ios kernel linux mac macos mail manager management"
    " messenger mobile monitor network office online output platform player plugin portal pro products proxy reader"
    " remote router routers security server servers service services site standard storage studio suite support"
    " tool tools update viewer virtual web windows"
)
# Words that stand for several products or for none.
_FILLER = _split("a all and chipsets devices for in multiple of on or other product products series the")
_UNNAMED = frozenset(
    {"", "n/a", "na", "unknown", "unspecified", "none", "multiple products", "multiple chipsets"}
)

_WORDS = re.compile(r"[a-z0-9+#]+")
_BRACKETS = re.compile(r"\(([^()]*)\)")
_ALTERNATIVES = re.compile(r"\s*(?:,|;|/|\band\b|\bor\b)\s*")
_MOST_ALTERNATIVES = 8


@dataclass(frozen=True, slots=True)
class FlawName:
    """One way a flaw names the software it is in.

    `key` is one of `words`, the least common by its looks; titles are looked up by it.
    """

    words: frozenset[str]
    makers: frozenset[str]
    itself: bool
    key: str


@dataclass(frozen=True, slots=True)
class SoftwareName:
    """What a component is called: the words of its title, those of them that are no version, and who made it."""

    words: frozenset[str]
    plain: frozenset[str]
    makers: frozenset[str]


def flaw_names(vendor: str, product: str) -> list[FlawName]:
    """Give the names a flaw's vendor and product stand for; none where they name nothing in particular."""
    vendor, product = _plain(vendor), _plain(product)
    makers = _makers(vendor)
    if not makers or product in _UNNAMED:
        return []
    outside = _BRACKETS.sub(" ", product)
    # "Endpoint Manager Mobile (EPMM)": the short form is another name, not more words of the same.
    forms = [outside, *_BRACKETS.findall(product)]
    if " and " in outside or " or " in outside or re.search("[,;/]", outside):
        forms += _ALTERNATIVES.split(outside)
    found: dict[frozenset[str], FlawName] = {}
    for form in forms[:_MOST_ALTERNATIVES]:
        words = frozenset(_WORDS.findall(form)) - _FILLER
        own = words - makers
        telling = {word for word in own if word not in _COMMON and not word.isdigit()}
        itself = bool(words) and not own
        if itself or telling or len({word for word in own if not word.isdigit()}) > 1:
            key = min(telling or own or words, key=lambda word: (-len(word), word))
            found.setdefault(words, FlawName(words, makers, itself, key))
    return list(found.values())


def software_name(title: str, vendor: str | None = None, bundle_id: str | None = None) -> SoftwareName:
    """Give the words by which a component may be recognized."""
    words = _WORDS.findall(_plain(title))
    makers = set(words) | _makers(_plain(vendor or ""))
    if bundle_id:
        makers.update(set(bundle_id.lower().split(".")[1:2]) - _LEGAL)
    # Two and three words of the title together: "n able" is N-able, "d link" D-Link, which vendors write as one.
    makers.update(
        "".join(words[start : start + size]) for size in (2, 3) for start in range(len(words) - size + 1)
    )
    plain = frozenset(word for word in words if not word[0].isdigit() and word not in {"x64", "x86", "bit"})
    return SoftwareName(frozenset(words), plain, frozenset(makers))


def may_be(flaw: FlawName, software: SoftwareName) -> bool:
    """Say whether the name of a flaw's product may mean this software; `findings.possible` repeats it in SQL."""
    return (
        flaw.words <= software.words
        and bool(flaw.makers & software.makers)
        and (not flaw.itself or software.plain <= flaw.words | flaw.makers)
    )


def _makers(vendor: str) -> frozenset[str]:
    if vendor in _UNNAMED:
        return frozenset()
    words = _WORDS.findall(vendor)
    telling = {word for word in words if word not in _LEGAL and len(word) > 1}
    return frozenset({*telling, "".join(words)} - _LEGAL - {""})


def _plain(words: str) -> str:
    """Give words without accents, in lower case: Dassault Systèmes is written both ways."""
    folded = unicodedata.normalize("NFKD", words)
    return "".join(one for one in folded if not unicodedata.combining(one)).lower().strip()
