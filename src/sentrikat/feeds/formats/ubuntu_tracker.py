"""One file of Ubuntu's CVE tracker: a header, and the state of each source package in each release.

Source  https://git.launchpad.net/ubuntu-cve-tracker, README there

    Candidate: CVE-2022-36879
    Priority: medium
    xenial_linux: ignored (end of standard support, was needed)
    esm-infra/xenial_linux: released (4.4.0-233.267)
    jammy_linux: released (5.15.0-48.54)

A release past its standard support goes on under other names (esm-infra/xenial, trusty/esm): the packages are the same,
repaired by an update that only Ubuntu Pro brings. Here both are one release, and the version alone says who has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sentrikat.domain.advisory import Product, Remedy, Statement, Status
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme

RELEASES = {
    "warty": "4.10",
    "hoary": "5.04",
    "breezy": "5.10",
    "dapper": "6.06",
    "edgy": "6.10",
    "feisty": "7.04",
    "gutsy": "7.10",
    "hardy": "8.04",
    "intrepid": "8.10",
    "jaunty": "9.04",
    "karmic": "9.10",
    "lucid": "10.04",
    "maverick": "10.10",
    "natty": "11.04",
    "oneiric": "11.10",
    "precise": "12.04",
    "quantal": "12.10",
    "raring": "13.04",
    "saucy": "13.10",
    "trusty": "14.04",
    "utopic": "14.10",
    "vivid": "15.04",
    "wily": "15.10",
    "xenial": "16.04",
    "yakkety": "16.10",
    "zesty": "17.04",
    "artful": "17.10",
    "bionic": "18.04",
    "cosmic": "18.10",
    "disco": "19.04",
    "eoan": "19.10",
    "focal": "20.04",
    "groovy": "20.10",
    "hirsute": "21.04",
    "impish": "21.10",
    "jammy": "22.04",
    "kinetic": "22.10",
    "lunar": "23.04",
    "mantic": "23.10",
    "noble": "24.04",
    "oracular": "24.10",
    "plucky": "25.04",
    "questing": "25.10",
    "resolute": "26.04",
}

MOST_STATES = 60_000  # a kernel flaw has some 4,000

_FIELD = re.compile(r"(?P<name>[A-Z][A-Za-z-]*):\s*(?P<value>.*)")
_STATE = re.compile(
    r"(?P<where>[a-z][a-z0-9./-]*)_(?P<package>[a-z0-9][a-z0-9+.-]*):\s*(?P<status>[A-Za-z-]+)"
    r"(?:\s*[(\[](?P<note>.*)[)\]])?\s*"
)
_VERSION = re.compile(r"(?:\d+:)?\d[A-Za-z0-9.+:~-]*")
_NO_FLAW = re.compile(
    r"not a (?:security|vuln)|not for us|disputed|rejected|invalid|intended behavio", re.IGNORECASE
)
_OVER = re.compile(
    r"end of (?:life|\w+ support)|end-of-life|out of standard support|eol\b|superseded by|unsupported",
    re.IGNORECASE,
)
_NOTE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class State:
    """What the tracker says of a package in one release; `pocket` is the line of Ubuntu Pro, empty for the release."""

    status: str
    note: str | None
    pocket: str = ""

    @property
    def version(self) -> str | None:
        """Give the version the note names, if it names one."""
        first = (self.note or "").split(",")[0].split(" ")[0]
        return first if _VERSION.fullmatch(first) else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its header fields, and states by (release number, package)."""

    fields: Mapping[str, str]
    states: Mapping[tuple[str, str], tuple[State, ...]]


def read(text: str) -> Entry:
    """Read one file; ValueError where a line of states cannot be read."""
    header: dict[str, list[str]] = {}
    states: dict[tuple[str, str], list[State]] = {}
    current: list[str] = []
    count = 0
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            current.append(line.strip())
        elif found := _STATE.fullmatch(line):
            count += 1
            if count > MOST_STATES:
                raise ValueError(f"it has more than {MOST_STATES:,} states")
            current = []
            if (place := _place(found["where"])) is not None:
                note = (found["note"] or "").strip() or None
                states.setdefault((place[0], found["package"]), []).append(
                    State(found["status"], note, place[1])
                )
        elif found := _FIELD.fullmatch(line):
            current = header.setdefault(found["name"], [])
            if found["value"].strip():
                current.append(found["value"].strip())
        else:
            current = []  # Patches_openssl:, Tags_linux: and the like
    return Entry(
        {name: " ".join(words) for name, words in header.items()},
        {key: tuple(found) for key, found in states.items()},
    )


def _place(where: str) -> tuple[str, str] | None:
    """Give (release number, pocket) of `jammy`, `esm-apps/jammy`, `trusty/esm`; None for what no host is.

    `upstream` and `devel` are no release, FIPS and robotics lines are other builds of the packages.
    """
    if number := RELEASES.get(where):
        return number, ""
    left, _, right = where.partition("/")
    if left.startswith("esm-") and (number := RELEASES.get(right)):
        return number, left
    if right == "esm" and (number := RELEASES.get(left)):
        return number, "esm"
    return None


def statements(entry: Entry) -> Iterator[Statement]:
    """Yield one statement per release and package that is there."""
    priority = entry.fields.get("Priority", "").split(" ")[0].lower()
    for (number, package), states in entry.states.items():
        state = _deciding(states)
        if state is None:
            continue
        said = _said(state)
        if said is None:
            continue
        status, remedy, fixed, described, words = said
        notes = [words, f"priority: {priority}" if priority and priority != "untriaged" else ""]
        yield Statement(
            Product(f"ubuntu:{number}", package),
            status,
            VersionRange(Scheme.DPKG, fixed=fixed),
            described=described,
            remedy=remedy,
            note="; ".join(note for note in notes if note)[:_NOTE_LENGTH] or None,
        )


# Of several lines of Ubuntu Pro the one that says most; a package is in one of them.
_ORDER = ("released", "pending", "not-affected", "needed", "deferred", "needs-triage", "ignored", "DNE")


def _deciding(states: tuple[State, ...]) -> State | None:
    """Give the state that counts: the release's own, or Ubuntu Pro's where that went on."""
    own = next((one for one in states if not one.pocket), None)
    extended = sorted(
        (one for one in states if one.pocket and one.status in _ORDER),
        key=lambda one: _ORDER.index(one.status),
    )
    best = extended[0] if extended and extended[0].status not in {"DNE", "ignored"} else None
    if own is None or own.status == "DNE":
        return best or (extended[0] if extended and extended[0].status == "ignored" else None)
    if own.status == "ignored" and best is not None and not _NO_FLAW.search(own.note or ""):
        return best
    if own.status in {"needed", "needs-triage", "deferred", "pending"} and best is not None:
        return best if best.status == "released" else own
    return own


def _said(state: State) -> tuple[Status, Remedy | None, str | None, bool, str] | None:
    """Give status, remedy, first good version, whether versions are described, and words; None for no statement."""
    words = state.note or ""
    if state.pocket:
        words = f"in Ubuntu Pro ({state.pocket})" + (f": {words}" if words and not state.version else "")
    match state.status:
        case "released":
            if state.version is None:
                return Status.AFFECTED, Remedy.FIXED, None, False, words
            return Status.AFFECTED, Remedy.FIXED, state.version, True, words if state.pocket else ""
        case "pending":
            return Status.AFFECTED, Remedy.OPEN, state.version, True, "the repair is not published yet"
        case "not-affected":
            return Status.UNAFFECTED, Remedy.NOT_AFFECTED, None, True, words if not state.version else ""
        case "needed":
            return Status.AFFECTED, Remedy.OPEN, None, True, words
        case "deferred":
            return Status.AFFECTED, Remedy.DEFERRED, None, True, words
        case "needs-triage":
            return Status.AFFECTED, Remedy.OPEN, None, True, "; ".join(filter(None, (words, "needs triage")))
        case "ignored":
            if _NO_FLAW.search(words):
                return Status.UNAFFECTED, Remedy.NOT_AFFECTED, None, True, words
            remedy = Remedy.END_OF_LIFE if _OVER.search(words) else Remedy.WILL_NOT_FIX
            return Status.AFFECTED, remedy, None, True, words
        case "DNE":
            return None
        case _:
            raise ValueError(f"the status {state.status[:40]!r} is unknown")
