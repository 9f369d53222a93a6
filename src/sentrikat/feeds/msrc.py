"""Microsoft Security Response Center (MSRC): what each month's updates repair, in which product, by which build.

Source  https://api.msrc.microsoft.com/cvrf/v3.0/updates   the months, each with the date it last changed
        https://api.msrc.microsoft.com/cvrf/v3.0/cvrf/YYYY-Mon   one month; JSON when asked for, else XML
        https://msrc.microsoft.com/csaf/   the same records one by one, as CSAF and VEX; read from files
        https://aka.ms/OfficeSecurityReleases   builds of Office by Click to Run, the page; see `formats.office_releases`
        wsusscn2.cab, the offline scan file of Microsoft Update; read from a file, see `formats.update_catalog`
Schema  https://api.msrc.microsoft.com/cvrf/v3.0/swagger/index
Pace    the second Tuesday of a month, and whenever a record of any month is revised

The cursor `month YYYY-Mon` is the CurrentReleaseDate of that month as held; only months that moved are fetched.

Only a Vendor Fix repairs: a Known Issue also carries a number that looks like one. ADV ids are advisories, not flaws:
what they say of updates is taken, and nothing else. `FixedBuild` is a build only where it is numbers and dots, see
`formats.microsoft`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from sentrikat.domain.advisory import Advisory, Record, Remedy, Score, Statement
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import (
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    attempt,
    familiar,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats import cvrf_xml, msrc_csaf, office_releases, update_catalog
from sentrikat.feeds.formats.microsoft import (
    Fix,
    Updates,
    build_named,
    linux_release,
    package_statement,
    plain,
    statement,
    unaffected,
    update_named,
    updates_named,
)
from sentrikat.feeds.formats.scores import score_of_vector
from sentrikat.feeds.unpacking import is_archive, json_files, unpacked

NAME = "msrc"
TITLE = "Microsoft Security Response Center"
API = "https://api.msrc.microsoft.com/cvrf/v3.0/"
MONTHS = API + "cvrf/"
LIST = API + "updates"
CSAF = "https://msrc.microsoft.com/csaf/"
SOURCES = (MONTHS, LIST, CSAF)
LICENSE = "LicenseRef-Microsoft-terms"
TERMS = "Security update information by Microsoft, for use with Microsoft products; not redistributed."
PACE = timedelta(days=2)
COMPLETE = False  # only the months that moved are fetched

_MONTH = re.compile(r"\d{4}-[A-Za-z]{3}")  # one of them is spelled 2018-FEB
_CWE = re.compile(r"CWE-\d{1,6}")
_JSON = {"Accept": "application/json"}
_LARGEST = 64 << 20  # a month has 2 to 20 MB
_DESCRIPTION_LENGTH = 8_000

_AFFECTED, _NOT_AFFECTED = 3, 4  # ProductStatuses
_VENDOR_FIX, _NONE_AVAILABLE, _WILL_NOT_FIX = 2, 3, 4  # Remediations
_DESCRIPTION = 2  # Notes

_FIELDS = frozenset(
    {
        "Acknowledgments",
        "CVE",
        "CVSSScoreSets",
        "CWE",
        "DiscoveryDate",
        "DiscoveryDateSpecified",
        "ID",
        "Involvements",
        "Notes",
        "Ordinal",
        "ProductStatuses",
        "References",
        "ReleaseDate",
        "ReleaseDateSpecified",
        "Remediations",
        "RevisionHistory",
        "Threats",
        "Title",
    }
)
_REMEDY_FIELDS = frozenset(
    {
        "AffectedFiles",
        "Date",
        "DateSpecified",
        "Description",
        "Entitlement",
        "FixedBuild",
        "GroupID",
        "ProductID",
        "RestartRequired",
        "SubType",
        "Supercedence",
        "Type",
        "URL",
    }
)


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield each month that changed since `state`; from a bundle or a file, all it holds."""
    held = transport.listing("https://")
    if held is not None:
        wanted = [url for url in held if url.startswith((MONTHS, CSAF))]
        yield from (document for url in wanted if (document := transport.get(url, state.of(url))))
        return
    listed = transport.get(LIST)
    if listed is None:
        return  # nothing was promised to be unchanged, so this transport has no list
    with reading(listed):
        months = list(_months(listed.json()))
    for month, changed in months:
        if state.cursors.get(f"month {month}") != changed and (
            document := transport.get(MONTHS + month, headers=_JSON)
        ):
            yield document.remembering(**{f"month {month}": changed})


def _months(listed: object) -> Iterator[tuple[str, str]]:
    found = 0
    for one in fields.objects(fields.mapping(listed), "value"):
        month = fields.text(one, "ID")
        # Only its name is used, never the address it gives: that could lead anywhere.
        if _MONTH.fullmatch(month):
            found += 1
            yield month, fields.text(one, "CurrentReleaseDate")
    if not found:
        raise ValueError("it lists no month")


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per flaw of a month, and one with the updates of the month.

    A record's id is `2024-Jan/CVE-2024-20652`: several months may speak of one flaw.
    """
    yield from mostly_good(document, _records(document))


def _records(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document):
        if update_catalog.is_catalog(document):
            yield from _catalog(document)
            return
        if office_releases.is_page(document):
            yield from office_releases.advisories(document, NAME)
            return
        count = 0
        for content in _contents(document):
            month = _Month.of(content)
            for record in month.vulnerabilities:
                count += 1
                found = attempt(
                    record,
                    lambda record=record, month=month: f"{month.name}/{record['CVE']}",  # type: ignore[misc]
                    lambda record=record, month=month: month.advisory(fields.mapping(record)),  # type: ignore[misc]
                )
                if found is not None:
                    yield found
            if updates := month.updates.all():
                yield Advisory(source=NAME, id=month.name, vulnerabilities=(), updates=updates)
        if not count:
            raise ValueError("it names no vulnerability")


def _catalog(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory for every system: a later catalog says all anew of the systems it names."""
    for found in update_catalog.read(document):
        if isinstance(found, Quarantined):
            yield found
        else:
            system, updates = found
            yield Advisory(source=NAME, id=f"update-catalog/{system}", vulnerabilities=(), updates=updates)


def _contents(document: Document) -> Iterator[Mapping[str, Any]]:
    """Yield each month or flaw of the document: one in any of the three forms, or an archive of JSON ones."""
    if is_archive(document):
        for name, content in json_files(document):
            yield _of_json(content, name)
        return
    with unpacked(document, _LARGEST) as stream:
        if stream.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":  # type: ignore[attr-defined]
            yield cvrf_xml.read(stream)
        else:
            yield _of_json(stream.read(), "the document")


def _of_json(content: bytes, name: str) -> Mapping[str, Any]:
    found = fields.mapping(orjson.loads(content), name)
    return msrc_csaf.as_months(found) if msrc_csaf.is_csaf(found) else found


@dataclass(slots=True)
class _Month:
    """A document while it is read: its product titles, and the updates met so far."""

    name: str
    titles: Mapping[str, str]
    vulnerabilities: list[Any]
    updates: Updates

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> _Month:
        tracking = fields.child(content, "DocumentTracking")
        name = _value(fields.child(tracking, "Identification"), "ID")
        if name is None:
            raise KeyError("DocumentTracking.Identification.ID")
        if "Vulnerability" not in content:
            raise KeyError("Vulnerability")
        released = fields.moment(tracking, "InitialReleaseDate")
        titles = {
            fields.text(one, "ProductID"): fields.text(one, "Value")
            for one in fields.objects(fields.child(content, "ProductTree"), "FullProductName")
        }
        if not titles:
            raise ValueError("its product tree is empty")
        return cls(
            name,
            titles,
            fields.sequence(content["Vulnerability"], "Vulnerability"),
            Updates(released.date() if released else None),
        )

    def advisory(self, record: Mapping[str, Any]) -> Advisory | None:
        """Give what the month says of one flaw; None for an advisory that is about none."""
        familiar(record, _FIELDS, "Vulnerability")
        number = fields.text(record, "CVE")
        name = number.removesuffix("-M")  # what Microsoft's Linux says of a flaw beside another record of it
        is_flaw = bool(fields.CVE.fullmatch(name))
        if not is_flaw and not name.startswith("ADV"):
            raise ValueError(f"{name[:40]!r} is neither a CVE nor an ADV id")
        for part in ("ProductStatuses", "Remediations"):
            if (
                part not in record
            ):  # always there, if empty: a renamed one would quietly take back every repair
                raise KeyError(part)
        fixes: dict[str, list[Fix]] = {}
        words: dict[str, Remedy] = {}
        packages: list[Statement] = []
        for remedy in fields.objects(record, "Remediations"):
            self._remedy(remedy, fixes, words, packages)
        for product, found in fixes.items():
            for fix in found:
                self.updates.add(self._title(product), fix, name if is_flaw else None)
        if not is_flaw:
            return None
        statements = [
            statement(self._title(one), fixes.get(one, ()), remedy=words.get(one))
            for one in self._with_status(record, _AFFECTED)
            if linux_release(self._title(one)) is None
        ]
        statements += [unaffected(self._title(one)) for one in self._with_status(record, _NOT_AFFECTED)]
        statements += packages
        dates = [fields.moment(one, "Date") for one in fields.objects(record, "RevisionHistory")]
        known = [one for one in dates if one is not None]
        description = plain(
            next(
                (
                    fields.prose(one, "Value")
                    for one in fields.objects(record, "Notes")
                    if one.get("Type") == _DESCRIPTION
                ),
                None,
            )
        )
        return Advisory(
            source=NAME,
            id=f"{self.name}/{number}",
            vulnerabilities=(name,),
            statements=fields.unique(statements),
            title=_value(record, "Title"),
            description=description[:_DESCRIPTION_LENGTH] if description else None,
            published=min(known, default=None),
            modified=max(known, default=None),
            scores=_scores(record),
            weaknesses=fields.unique(
                one for entry in fields.objects(record, "CWE") if (one := _weakness(entry)) is not None
            ),
            references=(f"https://msrc.microsoft.com/update-guide/vulnerability/{name}",),
        )

    def _remedy(
        self,
        remedy: Mapping[str, Any],
        fixes: dict[str, list[Fix]],
        words: dict[str, Remedy],
        packages: list[Statement],
    ) -> None:
        """File one remedy under each product it is for."""
        familiar(remedy, _REMEDY_FIELDS, "Remediation")
        kind = remedy.get("Type")
        numbers = fields.texts(remedy, "ProductID")
        if kind in (_NONE_AVAILABLE, _WILL_NOT_FIX):
            said = Remedy.OPEN if kind == _NONE_AVAILABLE else Remedy.WILL_NOT_FIX
            words.update(dict.fromkeys(numbers, said))
        if kind != _VENDOR_FIX:
            return
        name, build = _value(remedy, "Description"), fields.optional(remedy, "FixedBuild")
        fix = Fix(
            update_named(name),
            build_named(build),
            fields.optional(remedy, "SubType"),
            updates_named(fields.optional(remedy, "Supercedence")),
        )
        for number in numbers:
            release = linux_release(self._title(number))
            if release is None:
                fixes.setdefault(number, []).append(fix)
            elif name:
                packages.append(package_statement(release, name, build))

    def _with_status(self, record: Mapping[str, Any], wanted: int) -> tuple[str, ...]:
        return fields.unique(
            number
            for status in fields.objects(record, "ProductStatuses")
            if status.get("Type") == wanted
            for number in fields.texts(status, "ProductID")
        )

    def _title(self, number: str) -> str:
        """Give the title of a product id; a number the tree does not name stands for itself."""
        return self.titles.get(number) or number


def _value(record: Mapping[str, Any], name: str) -> str | None:
    return fields.optional(fields.child(record, name), "Value")


def _weakness(entry: Mapping[str, Any]) -> str | None:
    name = fields.optional(entry, "ID")
    return name if name and _CWE.fullmatch(name) else None


def _scores(record: Mapping[str, Any]) -> tuple[Score, ...]:
    """Give each vector once: a month repeats it for every product."""
    vectors = fields.unique(
        vector
        for one in fields.objects(record, "CVSSScoreSets")
        if (vector := fields.optional(one, "Vector")) is not None
    )
    found = (score_of_vector(_base(vector), "Microsoft") for vector in vectors)
    return fields.unique(score for score in found if score is not None)


def _base(vector: str) -> str:
    """Give a vector without temporal metrics: `/E:U/RL:O/RC:C`."""
    return "/".join(part for part in vector.split("/") if part.split(":")[0] not in {"E", "RL", "RC"})
