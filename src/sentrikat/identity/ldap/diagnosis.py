"""Test a directory step by step, and say in words how far it came: for an administrator who sets one up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentrikat.identity.group_rules import EVERYBODY, GroupRule, applies, normal_group
from sentrikat.identity.ldap.authentication import bind_to_search, name_to_bind
from sentrikat.identity.ldap.connection import (
    BindRefused,
    Directory,
    DirectoryUnavailable,
    connect,
    reach,
)
from sentrikat.identity.ldap.people import find_person, groups_of, login_of
from sentrikat.identity.ldap.settings import LdapSettings


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a test: what was tried, whether it went well, and what came of it."""

    name: str
    good: bool
    words: str
    host: str


class _Add(Protocol):
    def __call__(self, step: str, words: str, *, good: bool = True) -> None: ...


def diagnose(
    settings: LdapSettings,
    secret: str | None,
    rules: Sequence[GroupRule],
    *,
    login: str = "",
    password: str = "",
    now: datetime,
) -> list[Step]:
    """Try every host; a person's name shows how they are found, their groups and the rules that apply.

    Their password is needed only where there is no service account, and is otherwise checked if it is given.
    """
    steps: list[Step] = []
    for host, port in settings.endpoints:
        steps += _one_host(settings, host, port, secret, rules, login.strip(), password, now)
    return steps


def _one_host(
    settings: LdapSettings,
    host: str,
    port: int,
    secret: str | None,
    rules: Sequence[GroupRule],
    login: str,
    password: str,
    now: datetime,
) -> list[Step]:
    name = f"{host}:{port}"
    steps: list[Step] = []

    def add(step: str, words: str, *, good: bool = True) -> None:
        steps.append(Step(step, good, words, name))

    try:
        address = reach(settings, host, port)
        add("Connect", f"Reached at {address}.")
        with connect(settings, host, port) as directory:
            facts = directory.certificate()
            add(
                "Encrypt",
                f"{facts.protocol}. The certificate is for {', '.join(facts.names) or facts.subject}, "
                f"from {facts.issuer}, valid until {facts.expires}.",
            )
            if settings.bind_dn is not None:
                bind_to_search(directory, settings, secret)
                add("Sign in", f"As {settings.bind_dn}.")
            elif not (login and password):
                add("Sign in", "Not tried: without a service account it needs somebody's name and password.")
                return steps
            else:
                outcome = directory.bind(name_to_bind(settings, login_of(settings, login) or ""), password)
                if isinstance(outcome, BindRefused):
                    add("Sign in", f"Refused: {outcome.why}.", good=False)
                    return steps
                add("Sign in", f"As {name_to_bind(settings, login)}.")
            if login:
                _person(settings, directory, host, port, rules, login, password, now, add)
            else:
                found = directory.search(settings.base_dn, "(objectClass=*)", ["1.1"], limit=1)
                if found.entries:
                    add("Search", f"“{settings.base_dn}” can be searched.")
                else:
                    add("Search", f"Nothing is visible below “{settings.base_dn}”.", good=False)
    except DirectoryUnavailable as error:
        step = {"tcp": "Connect", "tls": "Encrypt", "bind": "Sign in", "groups": "Groups"}.get(
            error.step, "Search"
        )
        add(step, f"{error.message} {error.hint or ''}".strip(), good=False)
    return steps


def _person(
    settings: LdapSettings,
    directory: Directory,
    host: str,
    port: int,
    rules: Sequence[GroupRule],
    login: str,
    password: str,
    now: datetime,
    add: _Add,
) -> None:
    wanted = login_of(settings, login)
    if wanted is None:
        add("Search", f"“{login}” names another domain than this directory's.", good=False)
        return
    person = find_person(directory, settings, wanted, now=now)
    if person is None:
        add("Search", f"Nobody is found as “{wanted}” below “{settings.base_dn}”.", good=False)
        return
    add("Search", f"Found {person.dn}, with the login name “{person.login}” and the id {person.external_id}.")
    if person.shut is not None:
        add("Account", f"It is {person.shut}: signing in is refused.", good=False)
    if password:
        with connect(settings, host, port) as proof:
            outcome = proof.bind(person.dn, password)
        refused = isinstance(outcome, BindRefused)
        add(
            "Password",
            f"Refused: {outcome.why}." if isinstance(outcome, BindRefused) else "It is right.",
            good=not refused,
        )
    groups = groups_of(directory, settings, person)
    shown = sorted((group for group in groups if "=" in group), key=str.casefold)
    add("Groups", f"In {len(shown)}: {'; '.join(shown[:50])}." if shown else "In no group.")
    spelled = {normal_group(group) for group in groups}
    matching = [rule for rule in rules if applies(rule, spelled)]
    if matching:
        named = ", ".join("everybody" if rule.group == EVERYBODY else f"“{rule.group}”" for rule in matching)
        add("Rules", f"{len(matching)} of {len(rules)} apply: {named}.")
    else:
        add("Rules", f"None of {len(rules)} rules applies: this person has no way in.", good=False)
