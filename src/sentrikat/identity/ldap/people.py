"""People and groups of a directory, found over an open connection."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sentrikat.identity.ldap.connection import Directory, DirectoryUnavailable, Entry, escaped
from sentrikat.identity.ldap.settings import LOGIN, LdapSettings

_IN_CHAIN = "1.2.840.113556.1.4.1941"  # LDAP_MATCHING_RULE_IN_CHAIN: members of members, by the server
_DISABLED = 0x2  # ADS_UF_ACCOUNTDISABLE
_NEVER = (0, 0x7FFFFFFFFFFFFFFF)
_UNIX_EPOCH_IN_FILETIME = 116444736000000000  # 100 ns since 1601
_AT_ONCE = 40  # values in one filter: some servers refuse filters of more than a few kilobytes
_DEEPEST = 30  # nested groups; a cycle ends by itself, a directory gone mad ends here

_STATE = ("userAccountControl", "accountExpires", "pwdAccountLockedTime", "nsAccountLock")
_LOCKED_FOR_GOOD = "000001010000Z"  # what ppolicy writes when an administrator locks an account


@dataclass(frozen=True, slots=True)
class DirectoryPerson:
    """Somebody in a directory, without their groups."""

    dn: str
    external_id: str
    login: str
    display_name: str
    email: str | None
    shut: str | None  # why the directory would not let them in, as far as their entry tells
    primary_group_sid: bytes | None
    member_of: tuple[str, ...]


def login_of(settings: LdapSettings, typed: str) -> str | None:
    """Give the name to search for somebody who typed `typed`; None when they named another domain."""
    typed = typed.strip()
    domain, slash, name = typed.partition("\\")
    if not slash:
        return typed or None
    if settings.domain is None or domain.casefold() != settings.domain.casefold():
        return None
    return name or None


def find_person(
    directory: Directory, settings: LdapSettings, login: str, *, now: datetime
) -> DirectoryPerson | None:
    """Find the one person of a login name; two of them are a fault of the filter, and nobody is signed in."""
    found = directory.search(
        settings.base_dn,
        settings.user_filter.replace(LOGIN, escaped(login)),
        attributes_of(settings),
        limit=2,
    )
    if len(found.entries) > 1:
        raise DirectoryUnavailable(
            f"“{login[:100]}” stands for more than one entry below “{settings.base_dn}”.",
            step="search",
            hint="Make the filter or the search base narrower. Nobody was signed in.",
        )
    return person_of(settings, found.entries[0], now=now) if found.entries else None


def find_people(
    directory: Directory, settings: LdapSettings, external_ids: Sequence[str], *, now: datetime
) -> tuple[dict[str, DirectoryPerson], bool]:
    """Look up people by their immutable names; say also whether the directory gave everything."""
    people: dict[str, DirectoryPerson] = {}
    whole = True
    anybody = settings.user_filter.replace(LOGIN, "*")
    for start in range(0, len(external_ids), _AT_ONCE):
        some = external_ids[start : start + _AT_ONCE]
        names = "".join(f"({settings.id_attribute}={_id_in_filter(settings, one)})" for one in some)
        found = directory.search(settings.base_dn, f"(&{anybody}(|{names}))", attributes_of(settings))
        whole = whole and found.complete
        for entry in found.entries:
            person = person_of(settings, entry, now=now)
            people[person.external_id] = person
    return people, whole


def groups_of(directory: Directory, settings: LdapSettings, person: DirectoryPerson) -> frozenset[str]:
    """Give names and DNs of every group somebody is in, through other groups as well unless switched off."""
    if settings.directory == "active_directory":
        return _groups_in_ad(directory, settings, person)
    return _groups_by_walking(directory, settings, person)


def attributes_of(settings: LdapSettings) -> list[str]:
    """Give what is read of a person: no more than is used."""
    wanted = [
        settings.id_attribute,
        settings.login_attribute,
        settings.name_attribute,
        settings.email_attribute,
        "memberOf",
        *_STATE,
    ]
    if settings.directory == "active_directory":
        wanted += ["objectSid", "primaryGroupID"]
    return wanted


def person_of(settings: LdapSettings, entry: Entry, *, now: datetime) -> DirectoryPerson:
    """Read a person's entry."""
    identity = entry.raw(settings.id_attribute)
    if identity is None:
        raise DirectoryUnavailable(
            f"“{entry.dn[:200]}” has no {settings.id_attribute}.",
            step="search",
            hint="The service account must be allowed to read it, or another attribute must be named. "
            "Nobody was signed in.",
        )
    return DirectoryPerson(
        dn=entry.dn,
        external_id=_id_as_text(settings, identity),
        login=entry.text(settings.login_attribute) or "",
        display_name=entry.text(settings.name_attribute) or "",
        email=entry.text(settings.email_attribute),
        shut=_shut(entry, now),
        primary_group_sid=_primary_group(entry),
        member_of=tuple(entry.texts("memberOf")),
    )


def _shut(entry: Entry, now: datetime) -> str | None:
    control = entry.text("userAccountControl")
    if control is not None and control.lstrip("-").isdecimal() and int(control) & _DISABLED:
        return "disabled in the directory"
    expires = entry.text("accountExpires")
    if expires is not None and expires.isdecimal() and int(expires) not in _NEVER:
        seconds = (int(expires) - _UNIX_EPOCH_IN_FILETIME) / 10_000_000
        if seconds <= now.timestamp():
            return f"expired in the directory on {_day(seconds)}"
    if entry.text("pwdAccountLockedTime") == _LOCKED_FOR_GOOD:
        return "locked in the directory"
    if (entry.text("nsAccountLock") or "").casefold() == "true":
        return "locked in the directory"
    return None


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(max(seconds, 0), UTC):%d %B %Y}"


def _primary_group(entry: Entry) -> bytes | None:
    """Give the SID of the primary group, which Active Directory lists among no group's members."""
    sid, group = entry.raw("objectSid"), entry.text("primaryGroupID")
    if sid is None or len(sid) < 12 or group is None or not group.isdecimal():
        return None
    return sid[:-4] + struct.pack("<I", int(group) & 0xFFFFFFFF)


def _groups_in_ad(directory: Directory, settings: LdapSettings, person: DirectoryPerson) -> frozenset[str]:
    base = settings.group_base_dn or settings.base_dn
    wanted = ["distinguishedName", settings.group_name_attribute]
    starts = [person.dn]
    names: set[str] = set()
    if person.primary_group_sid is not None:
        primary = directory.search(
            base, f"(&(objectClass=group)(objectSid={escaped(person.primary_group_sid)}))", wanted, limit=1
        ).entries
        names |= _names(settings, primary)
        starts += [entry.dn for entry in primary]
    rule = f"member:{_IN_CHAIN}:" if settings.nested_groups else "member"
    # Who is in the primary group is in its groups as well, only if nesting counts.
    for start in starts if settings.nested_groups else starts[:1]:
        found = directory.search(base, f"(&(objectClass=group)({rule}={escaped(start)}))", wanted)
        _require_whole(found.complete, directory)
        names |= _names(settings, found.entries)
    return frozenset(names)


def _groups_by_walking(
    directory: Directory, settings: LdapSettings, person: DirectoryPerson
) -> frozenset[str]:
    """Ask for groups with the person in them, then for groups with those in them, until there are no new ones."""
    base = settings.group_base_dn or settings.base_dn
    names: set[str] = {dn for dn in person.member_of if _below(dn, base)}
    seen = {person.dn.casefold()}
    asked = [person.dn, *(person.member_of if settings.nested_groups else ())]
    # The name of the entry, not what was typed: that may be a mail address which people can set themselves.
    by_login = f"(memberUid={escaped(person.login)})" if person.login else ""
    for _level in range(_DEEPEST):
        fresh: list[Entry] = []
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            members = "".join(f"(member={escaped(dn)})(uniqueMember={escaped(dn)})" for dn in some)
            found = directory.search(base, f"(|{members}{by_login})", [settings.group_name_attribute])
            _require_whole(found.complete, directory)
            fresh += [entry for entry in found.entries if entry.dn.casefold() not in seen]
            seen |= {entry.dn.casefold() for entry in fresh}
        by_login = ""
        names |= _names(settings, fresh)
        asked = [entry.dn for entry in fresh]
        if not asked or not settings.nested_groups:
            break
    return frozenset(names)


def _require_whole(complete: bool, directory: Directory) -> None:
    # A group that is missing from a cut list would take a role away, or leave one that was to be taken.
    if not complete:
        raise DirectoryUnavailable(
            f"{directory.host} gave only a part of the groups.",
            step="groups",
            hint="Raise the directory's size limit for the service account, or name a narrower group base.",
        )


def _names(settings: LdapSettings, entries: Iterable[Entry]) -> set[str]:
    names: set[str] = set()
    for entry in entries:
        names.add(entry.dn)
        # A name that reads like a DN would be taken for the group of that DN: whoever may make a group somewhere
        # could give themselves what a rule gives to another one.
        if (name := entry.text(settings.group_name_attribute)) and not ("," in name and name.count("=") > 1):
            names.add(name)
    return names


def _below(dn: str, base: str) -> bool:
    spelled = ["".join(one.split()).casefold() for one in (dn, base)]
    return spelled[0].endswith(spelled[1])


def _id_as_text(settings: LdapSettings, value: bytes) -> str:
    if settings.id_attribute.casefold() == "objectguid" and len(value) == 16:
        return str(uuid.UUID(bytes_le=value))  # as Microsoft's tools print it
    return value.decode("utf-8", "backslashreplace")


def _id_in_filter(settings: LdapSettings, external_id: str) -> str:
    if settings.id_attribute.casefold() == "objectguid":
        try:
            return escaped(uuid.UUID(external_id).bytes_le)
        except ValueError:
            pass  # stored when another attribute was the id: nobody is found, and the synchronization held
    return escaped(external_id)
