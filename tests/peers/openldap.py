"""OpenLDAP, started by the tests: LDAPS and StartTLS, people, nested groups, a cycle, a locked account."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.certificates import Authority, Files
from tests.peers.processes import free_port, program, started

BASE = "dc=example,dc=test"
SERVICE = f"cn=sentrikat,ou=services,{BASE}"
SERVICE_PASSWORD = "service secret"
_ADMIN, _ADMIN_PASSWORD = f"cn=admin,{BASE}", "directory admin"
PEOPLE = 40  # more than one page of the tests' page size

_CONFIGURATION = """
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
security simple_bind=128
sizelimit 500
database mdb
suffix {base}
rootdn {admin}
rootpw "{admin_password}"
directory {folder}/db
index objectClass,uid,entryUUID,member eq
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
overlay memberof
overlay ppolicy
"""

_DATA = f"""
dn: {BASE}
objectClass: domain
dc: example

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: ou=services,{BASE}
objectClass: organizationalUnit
ou: services

dn: {SERVICE}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sentrikat
userPassword: {SERVICE_PASSWORD}
"""


def _person(uid: str, name: str, *more: str) -> str:
    lines = [
        f"dn: uid={uid},ou=people,{BASE}",
        "objectClass: inetOrgPerson",
        f"uid: {uid}",
        f"cn: {name}",
        f"sn: {name.rsplit(maxsplit=1)[-1]}",
        f"mail: {uid}@Example.test",
        f"userPassword: {password_of(uid)}",
        *more,
    ]
    return "\n".join(lines) + "\n\n"


def _group(cn: str, *members: str) -> str:
    lines = [f"dn: cn={cn},ou=groups,{BASE}", "objectClass: groupOfNames", f"cn: {cn}"]
    return "\n".join([*lines, *(f"member: {member}" for member in members)]) + "\n\n"


def password_of(uid: str) -> str:
    """Give a person's password."""
    return f"right for {uid}"


def person_dn(uid: str) -> str:
    """Give a person's name in the directory."""
    return f"uid={uid},ou=people,{BASE}"


def group_dn(cn: str) -> str:
    """Give a group's name in the directory."""
    return f"cn={cn},ou=groups,{BASE}"


@dataclass(frozen=True, slots=True)
class OpenLdap:
    """A running server."""

    plain_port: int
    tls_port: int
    ca_pem: str
    ca_file: Path

    def modify(self, ldif: str) -> None:
        """Change the directory as its administrator."""
        self._tool("ldapmodify", ldif)

    def add(self, ldif: str) -> None:
        """Add to the directory as its administrator."""
        self._tool("ldapadd", ldif)

    def delete(self, dn: str) -> None:
        """Take something out of the directory."""
        self._tool("ldapdelete", dn)

    def _tool(self, name: str, text: str) -> None:
        subprocess.run(
            [
                program(name),
                "-x",
                "-H",
                f"ldaps://127.0.0.1:{self.tls_port}",
                "-D",
                _ADMIN,
                "-w",
                _ADMIN_PASSWORD,
            ],
            input=text.encode(),
            env=os.environ | {"LDAPTLS_CACERT": str(self.ca_file)},
            check=True,
            capture_output=True,
        )


@contextmanager
def openldap(
    folder: Path, authority: Authority, certificate: Files, *, furnished: bool
) -> Iterator[OpenLdap]:
    """Run slapd with a certificate; empty, or with everybody the tests talk about."""
    slapd, slapadd = program("slapd"), program("slapadd")
    program("ldapadd")
    (folder / "db").mkdir(parents=True)
    configuration = folder / "slapd.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder,
            ca=authority.file,
            certificate=certificate.certificate,
            key=certificate.key,
            base=BASE,
            admin=_ADMIN,
            admin_password=_ADMIN_PASSWORD,
        )
    )
    data = folder / "data.ldif"
    data.write_text(
        _DATA
        + "\n"
        + _person("jane", "Jane Müller-Example")
        + _person("root", "Rita Root")
        + _person("guest", "Gus Guest")
        + _person("star*(x)", "Odd Login")
        + _person("locked", "Lotte Locked", "pwdAccountLockedTime: 000001010000Z")
        + "".join(_person(f"person{number:02}", f"Person {number}") for number in range(PEOPLE))
    )
    subprocess.run([slapadd, "-q", "-f", configuration, "-l", data], check=True, capture_output=True)
    plain, tls = free_port(), free_port()
    command = [
        slapd, "-d", "0", "-f", str(configuration), "-h", f"ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{tls}"
    ]  # fmt: skip
    with started(command, listens=("127.0.0.1", tls), log=folder / "slapd.log"):
        server = OpenLdap(plain, tls, authority.pem, authority.file)
        if furnished:
            # Online, because memberOf is kept by the running server only.
            server.add(
                _group("developers", person_dn("jane"))
                + _group("staff", group_dn("developers"), person_dn("guest"), person_dn("locked"))
                + _group("circle", group_dn("staff"), group_dn("round"))
                + _group("round", group_dn("circle"))
                + _group("admins", person_dn("root"))
            )
        yield server
