r"""NVD's configurations: which products, in which versions, in which company.

A configuration is a tree: AND or OR over nodes, each AND or OR over criteria, each level possibly
negated. A criterion marked `vulnerable` names the victim; the others name what it must run on.
"An application on Windows" is AND(OR(application, vulnerable), OR(Windows, not vulnerable)), and
only the application has the flaw.

Two ways to the same answer, and a property test holds them together:

    evaluate(configurations, inventory)       walks the tree
    statements(configurations)                flattens it into one Statement per victim, whose Condition
                                              says what else must run; `holds` checks that

How a criterion's version is read

    version `1.2`, update `*`           1.2 and its pre-releases (`1.2-rc1`): a name whose update is any
                                        covers each of them (NISTIR 7696, table 6-2). By the letter it covers
                                        what came after as well; `1.2-sp1` sorts apart and is not covered, as
                                        sources list service packs and updates one by one.
    version `1.2`, update `-`           exactly 1.2
    version `1.2`, update `sp1`         exactly `1.2-sp1`, and `update` is no longer in the target
    version `*` with bounds             the range; escapes in the bounds (`2004\/11\/23`) are undone
    version `*` without bounds, `-`,    every version, `described=False`: nobody said which; for
    or a pattern such as `1.*`          hardware, which has no versions, this is the normal form

Source  https://csrc.nist.gov/schema/nvd/api/2.0/cve_api_json_2.0.schema, NISTIR 7698
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product as combinations
from math import prod
from typing import Any

from sentrikat.domain.advisory import Condition, Product, Remedy, Statement, Status, Term, TermGroup
from sentrikat.domain.cpe.name import (
    ANY,
    CpeName,
    has_wildcard,
    parse,
    product_of,
    unescape,
    version_of,
)
from sentrikat.domain.cpe.target import Target, target_holds, target_of
from sentrikat.domain.errors import FeedFormatError, InvalidVersion
from sentrikat.domain.ranges import VersionRange, contains
from sentrikat.domain.versions import Scheme

ALTERNATIVES_MAX = 256  # ways to satisfy negated AND nodes; real records have none, so more is an attack

Groups = tuple[TermGroup, ...]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One name with bounds, as `parse_configurations` reads it.

    `versions`   what it covers; `described` whether it says so itself
    `product`    what the name is about
    `target`     what the name fixes beyond the version; an update joined to the version is not repeated
    """

    vulnerable: bool
    name: CpeName
    versions: VersionRange
    described: bool
    product: Product
    target: Target

    @property
    def names_a_product(self) -> bool:
        """False for wildcards in vendor or product: they would match every program."""
        return not has_wildcard(self.name.vendor) and not has_wildcard(self.name.product)

    def term(self) -> Term:
        """Give the criterion as a platform that a condition names."""
        return Term(self.product, None if self.versions.unbounded else self.versions, self.target)


@dataclass(frozen=True, slots=True)
class Node:
    """Criteria joined by `operator` ("AND" or "OR")."""

    operator: str
    negate: bool
    matches: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Nodes joined by `operator` ("AND" or "OR")."""

    operator: str
    negate: bool
    nodes: tuple[Node, ...]


def parse_configurations(configurations: Sequence[Mapping[str, Any]]) -> tuple[Configuration, ...]:
    """Read the `configurations` of an NVD 2.0 record, or of an override.

    Input   [{"operator"?: "AND"|"OR", "negate"?: bool, "nodes": [{"operator", "negate"?, "cpeMatch": [
            {"vulnerable", "criteria", "versionStartIncluding"?, "versionStartExcluding"?,
             "versionEndIncluding"?, "versionEndExcluding"?}]}]}]
    Raises  FeedFormatError where the form is broken, InvalidName where a name is
    """
    read = []
    for configuration in _mappings(configurations, "configurations"):
        nodes = []
        for node in _mappings(configuration.get("nodes"), "nodes"):
            criteria = tuple(_criterion(match) for match in _mappings(node.get("cpeMatch"), "cpeMatch"))
            nodes.append(Node(_operator(node), _flag(node, "negate"), criteria))
        read.append(Configuration(_operator(configuration), _flag(configuration, "negate"), tuple(nodes)))
    return tuple(read)


def evaluate(
    configurations: Iterable[Configuration], inventory: Iterable[CpeName], os_family: str = "other"
) -> frozenset[CpeName]:
    """Give the names of the inventory that are vulnerable, walking the trees as they are.

    Only what a positive node of a positive configuration marks as vulnerable can be a victim: "not
    running X" is a condition and never says that something is broken.
    """
    names = tuple(inventory)
    victims: set[CpeName] = set()
    for configuration in configurations:
        true = [_node_holds(node, names, os_family) for node in configuration.nodes]
        together = all(true) if configuration.operator == "AND" else any(true)
        if configuration.negate or not together:
            continue
        for node, holds_here in zip(configuration.nodes, true, strict=True):
            if node.negate or not holds_here:
                continue
            for criterion in node.matches:
                if criterion.vulnerable:
                    victims.update(name for name in names if _criterion_covers(criterion, name, os_family))
    return frozenset(victims)


def statements(
    configurations: Iterable[Configuration], status: Status = Status.AFFECTED
) -> tuple[Statement, ...]:
    """Flatten the trees: one Statement per victim, with what else must run as its condition.

    A group of a condition is an OR of terms or its denial. NOT(a AND b) is neither; it becomes two
    statements, one that needs "not a" and one that needs "not b". FeedFormatError past 256 of those.
    """
    found: list[Statement] = []
    numbers: dict[Condition | None, int] = {}  # a condition can be long; hash each once, not per victim
    seen: set[tuple[int, Product, VersionRange, Target]] = set()
    for configuration in configurations:
        if configuration.negate:
            continue
        for position, node in enumerate(configuration.nodes):
            if node.negate or not any(criterion.vulnerable for criterion in node.matches):
                continue
            others = [n for i, n in enumerate(configuration.nodes) if i != position]
            around = _alternatives(others) if configuration.operator == "AND" else [()]
            for criterion, condition, number in _victims(node, around, numbers):
                what = (number, criterion.product, criterion.versions, criterion.target)
                if criterion.names_a_product and what not in seen:
                    seen.add(what)
                    found.append(_statement(criterion, condition, status))
    return tuple(found)


def holds(condition: Condition | None, inventory: Iterable[CpeName], os_family: str = "other") -> bool:
    """Say whether the other things that a statement needs are in the inventory; no condition always holds."""
    if condition is None:
        return True
    names = tuple(inventory)
    return all(_group_holds(group, names, os_family) for group in condition.groups)


def covers(
    product: Product, versions: VersionRange | None, target: Target, name: CpeName, os_family: str = "other"
) -> bool:
    """Say whether a name lies in a product's span. An unnamed version lies in none but "every version"."""
    if product_of(name) != product or has_wildcard(name.vendor) or has_wildcard(name.product):
        return False
    if versions is not None and not versions.unbounded:
        version = version_of(name)
        if version is None:
            return False
        try:
            if not contains(versions, version):
                return False
        except InvalidVersion:
            return False
    return target_holds(target, name, os_family) is not False


def _victims(
    node: Node, around: Sequence[Groups], numbers: dict[Condition | None, int]
) -> Iterator[tuple[Criterion, Condition | None, int]]:
    """Yield each victim of a node with each condition under which it is one, and the condition's number."""

    def numbered(groups: Groups) -> tuple[Condition | None, int]:
        condition = Condition(groups) if groups else None
        return condition, numbers.setdefault(condition, len(numbers))

    shared = [numbered(groups) for groups in around]
    for index, criterion in enumerate(node.matches):
        if not criterion.vulnerable:
            continue
        if node.operator == "OR":
            yield from ((criterion, *condition) for condition in shared)
            continue
        beside = tuple(TermGroup((other.term(),)) for i, other in enumerate(node.matches) if i != index)
        for groups in around:
            yield (criterion, *numbered(beside + groups))


def _statement(criterion: Criterion, condition: Condition | None, status: Status) -> Statement:
    return Statement(
        product=criterion.product,
        status=status,
        versions=criterion.versions,
        described=criterion.described,
        remedy=Remedy.FIXED if criterion.versions.fixed is not None else None,
        target=criterion.target,
        condition=condition,
    )


def _alternatives(nodes: Sequence[Node]) -> list[Groups]:
    """Give the ways to satisfy all nodes, each as groups that must hold together."""
    ways = [_node_groups(node) for node in nodes]
    if prod(len(choice) for choice in ways) > ALTERNATIVES_MAX:
        raise FeedFormatError("The configuration has too many negated AND nodes to be understood.")
    return [tuple(group for groups in choice for group in groups) for choice in combinations(*ways)]


def _node_groups(node: Node) -> list[Groups]:
    terms = tuple(criterion.term() for criterion in node.matches)
    if node.operator == "OR":
        return [(TermGroup(terms, negate=node.negate),)]
    if node.negate:
        return [(TermGroup((term,), negate=True),) for term in terms]
    return [tuple(TermGroup((term,)) for term in terms)]


def _node_holds(node: Node, names: tuple[CpeName, ...], os_family: str) -> bool:
    true: Iterator[bool] = (
        any(_criterion_covers(criterion, name, os_family) for name in names) for criterion in node.matches
    )
    return (all(true) if node.operator == "AND" else any(true)) is not node.negate


def _criterion_covers(criterion: Criterion, name: CpeName, os_family: str) -> bool:
    return covers(criterion.product, criterion.versions, criterion.target, name, os_family)


def _group_holds(group: TermGroup, names: tuple[CpeName, ...], os_family: str) -> bool:
    found = any(
        covers(term.product, term.versions, term.target, name, os_family)
        for term in group.terms
        for name in names
    )
    return found is not group.negate


def _criterion(match: Mapping[str, Any]) -> Criterion:
    criteria = match.get("criteria")
    if not isinstance(criteria, str):
        raise FeedFormatError("A cpeMatch has no criteria.", fields={"criteria": "must be a CPE name"})
    bounds = [_bound(match, field) for field in _BOUNDS]
    return _criterion_of(criteria, _flag(match, "vulnerable"), *bounds)


# The same criterion stands in many records: products have many flaws.
@lru_cache(maxsize=32768)
def _criterion_of(
    criteria: str, vulnerable: bool, start: str | None, after: str | None, fixed: str | None, last: str | None
) -> Criterion:
    name = parse(criteria)
    exact = version_of(name)
    versions = _versions(name, exact, start, after, fixed, last)
    return Criterion(
        vulnerable=vulnerable,
        name=name,
        versions=versions,
        described=not versions.unbounded or name.part == "h",
        product=product_of(name),
        target=target_of(name, without_update=exact is not None),
    )


def _versions(
    name: CpeName,
    exact: str | None,
    start: str | None,
    after: str | None,
    fixed: str | None,
    last: str | None,
) -> VersionRange:
    if exact is not None:
        return VersionRange(
            Scheme.GENERIC, introduced=exact, last_affected=exact, from_candidates=name.update == ANY
        )
    if name.version != ANY:
        return VersionRange(Scheme.GENERIC)
    return VersionRange(
        Scheme.GENERIC,
        introduced=after if start is None else start,
        fixed=fixed,
        last_affected=last,
        introduced_excluded=start is None and after is not None,
    )


_BOUNDS = ("versionStartIncluding", "versionStartExcluding", "versionEndExcluding", "versionEndIncluding")


def _bound(match: Mapping[str, Any], field: str) -> str | None:
    value = match.get(field)
    if value is None or value in ("", ANY, "-"):
        return None
    if not isinstance(value, str):
        raise FeedFormatError(f"{field} is not text.", fields={field: "must be a version"})
    return unescape(value)


def _operator(of: Mapping[str, Any]) -> str:
    """Give AND or OR; a configuration of one node does not say, and means OR."""
    operator = of.get("operator") or "OR"
    if operator not in ("AND", "OR"):
        raise FeedFormatError(
            "A configuration joins by neither AND nor OR.", fields={"operator": str(operator)}
        )
    return str(operator)


def _flag(of: Mapping[str, Any], field: str) -> bool:
    value = of.get(field) or False
    if not isinstance(value, bool):
        raise FeedFormatError(f"{field} is neither true nor false.", fields={field: "must be true or false"})
    return value


def _mappings(value: object, field: str) -> Iterator[Mapping[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise FeedFormatError(f"{field} is not a list.", fields={field: "must be a list"})
    for item in value:
        if not isinstance(item, Mapping):
            raise FeedFormatError(
                f"{field} holds something else than objects.", fields={field: "must hold objects"}
            )
        yield item
