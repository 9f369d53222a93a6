"""What an administrator says about a directory: where it is, how it is trusted, how people are found in it."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from sentrikat.infra.outbound import Rules

_DN = re.compile(r"\s*[A-Za-z0-9.-]+\s*=")  # the first part of a name in a directory

LOGIN = "{login}"
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")

PEOPLE_OF_AD = (
    "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={login})(userPrincipalName={login})))"
)
PEOPLE_OF_OPENLDAP = "(&(objectClass=inetOrgPerson)(uid={login}))"


class LdapSettings(BaseModel):
    """One directory. Fields left out follow from its kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Which addresses its servers may have: the installation's decision, not that of who enters a host here.
    _reach: Rules = PrivateAttr(default=Rules())

    directory: Literal["active_directory", "openldap"] = Field(
        default="active_directory", description="Active Directory (also Samba), or OpenLDAP and its like."
    )
    hosts: tuple[str, ...] = Field(
        min_length=1,
        max_length=8,
        description="Servers of the directory, host or host:port, asked in this order until one answers.",
    )
    security: Literal["ldaps", "starttls"] = Field(
        default="ldaps",
        description="TLS from the first byte (port 636) or from the first message (port 389). There is no third.",
    )
    ca_pem: str | None = Field(
        default=None, max_length=100_000, description="Certificate authorities to trust, as PEM text."
    )
    ca_file: str | None = Field(
        default=None,
        max_length=1000,
        description="File of certificate authorities on this server. Neither: the system's.",
    )
    base_dn: str = Field(
        min_length=1, max_length=1000, description="Where people are searched, with all below."
    )
    bind_dn: str | None = Field(
        default=None,
        max_length=1000,
        description="Service account that searches: a DN, or user@domain in Active Directory.",
    )
    bind_template: str | None = Field(
        default=None,
        max_length=1000,
        description="Without a service account: the name people sign in to the directory with, such as "
        "{login}@example.org or uid={login},ou=people,dc=example,dc=org.",
    )
    domain: str | None = Field(
        default=None,
        max_length=64,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="NetBIOS name of the domain: EXAMPLE in EXAMPLE\\jane. Names of other domains are left alone.",
    )
    user_filter: str = Field(
        default="", max_length=2000, description="How a person is found; {login} stands for the name."
    )
    login_attribute: str = ""
    name_attribute: str = ""
    email_attribute: str = "mail"
    id_attribute: str = ""
    group_base_dn: str | None = Field(default=None, max_length=1000, description="Where groups are searched.")
    group_name_attribute: str = ""
    nested_groups: bool = Field(default=True, description="Members of a group's groups are its members too.")
    timeout_seconds: int = Field(default=5, ge=1, le=60)  # a sign-in waits for it, once per host
    page_size: int = Field(default=500, ge=10, le=1000)  # Active Directory gives at most 1000 at a time
    sync: bool = Field(default=True, description="Look every hour who is gone, disabled, or in other groups.")
    sync_hold_percent: int = Field(
        default=20,  # a department that leaves at once is rarer than a search base mistyped
        ge=1,
        le=100,
        description="A synchronization that would disable more than this share of the accounts is held.",
    )

    @field_validator("base_dn", "group_base_dn")
    @classmethod
    def _names_an_entry(cls, given: str | None) -> str | None:
        """Refuse a domain name in its place, the usual mistake: each search would fail in words of the protocol."""
        if given is not None and not _DN.match(given):
            raise ValueError("This is no DN: it names an entry as in dc=example,dc=org.")
        return given

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: object) -> object:
        """Let what was left out follow from the kind of directory."""
        if not isinstance(given, dict):
            return given
        filled = {key: value for key, value in given.items() if value not in ("", None)}
        of_ad = filled.get("directory", "active_directory") == "active_directory"
        for name, ad, openldap in (
            ("user_filter", PEOPLE_OF_AD, PEOPLE_OF_OPENLDAP),
            ("login_attribute", "sAMAccountName", "uid"),
            ("name_attribute", "displayName", "cn"),
            ("id_attribute", "objectGUID", "entryUUID"),
            ("group_name_attribute", "sAMAccountName", "cn"),
        ):
            filled.setdefault(name, ad if of_ad else openldap)
        return filled

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            found = _HOST.fullmatch(host)
            if found is None or (found["port"] is not None and not 0 < int(found["port"]) < 65536):
                raise ValueError(f"“{host[:100]}” is not a host or host:port, such as dc1.example.org:636")
        return hosts

    @field_validator(
        "login_attribute", "name_attribute", "email_attribute", "id_attribute", "group_name_attribute"
    )
    @classmethod
    def _is_attribute(cls, name: str) -> str:
        if not _ATTRIBUTE.fullmatch(name):
            raise ValueError(f"“{name[:70]}” is not the name of an attribute")
        return name

    @field_validator("user_filter")
    @classmethod
    def _is_filter(cls, text: str) -> str:
        if LOGIN not in text:
            raise ValueError("must contain {login}, or it would find the same person whatever the name")
        # In a filter, parentheses of values are escaped: those that are left pair up.
        depth = 0
        for character in text:
            depth += (character == "(") - (character == ")")
            if depth < 0:
                break
        if depth != 0 or not (text.startswith("(") and text.endswith(")")):
            raise ValueError("must begin with ( and end with ), and every ( needs its )")
        return text

    @field_validator("ca_pem")
    @classmethod
    def _is_pem(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                ssl.create_default_context(cadata=text)
            except (ssl.SSLError, ValueError) as error:
                raise ValueError(f"holds no certificate in PEM form ({error})") from error
        return text

    @field_validator("ca_file")
    @classmethod
    def _is_file(cls, name: str | None) -> str | None:
        if name is not None and not Path(name).is_file():
            raise ValueError(f"there is no file {name} on this server")
        return name

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if (self.bind_dn is None) == (self.bind_template is None):
            raise ValueError("needs either bind_dn (a service account) or bind_template, and not both")
        if self.bind_template is not None and LOGIN not in self.bind_template:
            raise ValueError("bind_template must contain {login}")
        if self.ca_pem is not None and self.ca_file is not None:
            raise ValueError("takes ca_pem or ca_file, not both")
        return self

    def within(self, reach: Rules) -> Self:
        """Give the same settings for an installation that lets these addresses be reached."""
        limited = self.model_copy()
        limited._reach = reach  # noqa: SLF001 - our own
        return limited

    @property
    def reach(self) -> Rules:
        """What its servers' addresses are judged by."""
        return self._reach

    @property
    def endpoints(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each server."""
        usual = 636 if self.security == "ldaps" else 389
        found = [_HOST.fullmatch(host) for host in self.hosts]
        return tuple((one["host"].strip("[]"), int(one["port"] or usual)) for one in found if one is not None)
