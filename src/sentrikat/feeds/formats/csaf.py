"""CSAF 2.0, profile csaf_vex: what its publishers share, and how they differ is told by formats.redhat_vex and .suse_vex.

Source  https://docs.oasis-open.org/csaf/csaf/v2.0/

A status names product ids; a product id is a component of a platform, put together by `relationships`, and both are
branches of a tree. A document is about one flaw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sentrikat.domain.advisory import Advisory, Remedy, Score, Statement
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import familiar
from sentrikat.feeds.formats.scores import score_of_vector

DEEPEST_TREE = 12  # branches of real documents are five deep
MOST_PRODUCTS = 400_000  # the kernel's documents name some 50,000
_DESCRIPTION_LENGTH = 8_000
_NOTE_LENGTH = 300

# The word of a remediation, lower case, as Red Hat's fix states go by in all its data.
REMEDIES = {
    "affected": Remedy.OPEN,
    "fix deferred": Remedy.DEFERRED,
    "will not fix": Remedy.WILL_NOT_FIX,
    # "the release is past the phase in which a flaw of this impact is repaired; it should be assumed to be affected"
    "out of support scope": Remedy.END_OF_LIFE,
}

# Statuses that exclude each other (section 6.1.6); "recommended" may stand beside any of them.
_GROUPS = {
    "affected": ("first_affected", "known_affected", "last_affected"),
    "not affected": ("known_not_affected",),
    "fixed": ("first_fixed", "fixed"),
    "under investigation": ("under_investigation",),
}

_FIELDS = frozenset(
    {
        "document",
        "product_tree",
        "vulnerabilities",
    }
)
_FLAW_FIELDS = frozenset(
    {
        "acknowledgments",
        "cve",
        "cwe",
        "discovery_date",
        "flags",
        "id",
        "ids",
        "involvements",
        "notes",
        "product_status",
        "references",
        "release_date",
        "remediations",
        "scores",
        "threats",
        "title",
    }
)
_STATUSES = frozenset(
    {
        "first_affected",
        "first_fixed",
        "fixed",
        "known_affected",
        "known_not_affected",
        "last_affected",
        "recommended",
        "under_investigation",
    }
)

Flaw = Mapping[str, Any]


class ProductTree:
    """The products of a document: names, what else identifies them, and which component is part of which platform."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.names: dict[str, str] = {}
        self.parts: dict[str, tuple[str, str]] = {}
        self._helpers: dict[str, Mapping[str, Any]] = {}
        self._walk(fields.objects(tree, "branches"), 0)
        for one in fields.objects(tree, "full_product_names"):
            self._add(one)
        for one in fields.objects(tree, "relationships"):
            name = fields.text(fields.child(one, "full_product_name"), "product_id")
            self.parts[name] = (
                fields.text(one, "product_reference"),
                fields.text(one, "relates_to_product_reference"),
            )
        if len(self._helpers) + len(self.parts) > MOST_PRODUCTS:
            raise ValueError(f"it names more than {MOST_PRODUCTS:,} products")

    def cpe(self, product_id: str) -> str | None:
        """Give the CPE name of a product, if it has one."""
        return fields.optional(self._helpers.get(product_id, {}), "cpe")

    def purl(self, product_id: str) -> str | None:
        """Give the package URL of a product, if it has one."""
        return fields.optional(self._helpers.get(product_id, {}), "purl")

    def _walk(self, branches: Iterable[Mapping[str, Any]], depth: int) -> None:
        if depth > DEEPEST_TREE:
            raise ValueError(f"its product tree is more than {DEEPEST_TREE} levels deep")
        for branch in branches:
            if product := fields.child(branch, "product"):
                self._add(product)
            self._walk(fields.objects(branch, "branches"), depth + 1)

    def _add(self, product: Mapping[str, Any]) -> None:
        product_id = fields.text(product, "product_id")
        self.names[product_id] = fields.optional(product, "name") or product_id
        self._helpers[product_id] = fields.child(product, "product_identification_helper")


def advisory(
    document: Mapping[str, Any],
    source: str,
    author: str,
    statements: Callable[[Flaw, ProductTree], Iterator[Statement]],
) -> Advisory:
    """Give the Advisory of one document; ValueError or KeyError where it breaks the form."""
    flaws = fields.objects(document, "vulnerabilities")
    if len(flaws) != 1:
        raise ValueError(f"it is about {len(flaws)} flaws instead of one")
    flaw = flaws[0]
    familiar(document, _FIELDS, "document")
    familiar(flaw, _FLAW_FIELDS, "vulnerability")
    familiar(fields.child(flaw, "product_status"), _STATUSES, "product_status")
    name = fields.cve(flaw, "cve")
    head = fields.child(document, "document")
    if flaw.get("product_status") and not document.get("product_tree"):
        raise ValueError("it speaks of products and has no product_tree")
    tree = ProductTree(fields.child(document, "product_tree"))
    return Advisory(
        source=source,
        id=name,
        vulnerabilities=(name,),
        statements=tuple(statements(flaw, tree)),
        title=fields.prose(flaw, "title"),
        description=description(flaw) or description(head),
        published=fields.moment(flaw, "release_date"),
        modified=fields.moment(fields.child(head, "tracking"), "current_release_date"),
        scores=tuple(_scores(flaw, author)),
        weaknesses=_weaknesses(flaw),
        references=fields.unique(
            url for one in fields.objects(flaw, "references") if (url := fields.optional(one, "url"))
        )[: fields.MOST_REFERENCES],
    )


def refuse_contradictions(status: Mapping[str, Any]) -> None:
    """Raise ValueError where a product is said to be two things that exclude each other."""
    said: dict[str, str] = {}
    for group, kinds in _GROUPS.items():
        for product_id in {one for kind in kinds for one in fields.texts(status, kind)}:
            if product_id in said:
                raise ValueError(f"it says that {product_id} is both {said[product_id]} and {group}")
            said[product_id] = group


def reasons(entries: Iterable[Mapping[str, Any]], words: str) -> dict[str, str]:
    """Give by product id what `entries` say of it."""
    found: dict[str, str] = {}
    for entry in entries:
        if said := fields.prose(entry, words):
            for name in fields.texts(entry, "product_ids"):
                found[name] = said[:_NOTE_LENGTH]
    return found


def description(holder: Mapping[str, Any]) -> str | None:
    """Give the note that describes the flaw, of a document or of its vulnerability."""
    for note in fields.objects(holder, "notes"):
        if note.get("category") == "description" and (words := fields.prose(note, "text")):
            return words[:_DESCRIPTION_LENGTH]
    return None


def _scores(flaw: Flaw, author: str) -> Iterator[Score]:
    seen: set[str] = set()
    for entry in fields.objects(flaw, "scores"):
        for form in ("cvss_v2", "cvss_v3", "cvss_v4"):
            vector = fields.optional(fields.child(entry, form), "vectorString")
            if vector and vector not in seen:
                if score := score_of_vector(vector, author, primary=not seen):
                    yield score
                seen.add(vector)


def _weaknesses(flaw: Flaw) -> tuple[str, ...]:
    weakness = fields.optional(fields.child(flaw, "cwe"), "id")
    return (weakness,) if weakness and weakness.startswith("CWE-") else ()
