"""Active Directory, spoken by Samba as a domain controller on a loopback address of its own.

Its ports are fixed, so every xdist worker has another address. What people there are is written while it is
down, by the Python that Samba brings.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.certificates import Authority
from tests.peers.processes import program, started

REALM, DOMAIN, BASE = "EXAMPLE.TEST", "EXAMPLE", "DC=example,DC=test"
PASSWORD = "Passw0rd!23"
SERVICE = f"sentrikat@{REALM.lower()}"

_PEOPLE = """
import json, sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
import ldb

folder, password = sys.argv[1:3]
lp = LoadParm()
lp.load(folder + "/etc/smb.conf")
db = SamDB(url=folder + "/private/sam.ldb", session_info=system_session(), lp=lp)
base = str(db.domain_dn())
for login, given, last in [
    ("sentrikat", "Service", "Account"), ("jane", "Jane", "Doe"), ("boss", "Bob", "Boss"),
    ("disabled", "Dora", "Disabled"), ("expired", "Eve", "Expired"), ("stale", "Stan", "Stale"),
    ("locked", "Lea", "Locked"), ("nogroup", "Nora", "Nogroup"), ("leaver", "Leo", "Leaver"),
    ("victim", "Vic", "Victim"), ("mallory", "Mal", "Lory"),
]:
    db.newuser(login, password if login != "mallory" else password + "x", givenname=given, surname=last, mailaddress=login + "@example.test")
for group in ("developers", "staff", "ring", "admins", "everyone"):
    db.newgroup(group)
def dn(name):
    return str(db.search(base, expression="(sAMAccountName=%s)" % name, attrs=[])[0].dn)
def join(group, *members):
    db.add_remove_group_members(group, list(members), add_members_operation=True)
join("developers", "jane", "leaver", "disabled", "expired", "stale", "locked")
join("staff", "developers")
join("ring", "staff")
join("staff", "ring")
join("admins", "boss")
join("everyone", "Domain Users")
def change(name, **values):
    message = ldb.Message(ldb.Dn(db, dn(name)))
    for key, value in values.items():
        message[key] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, key)
    db.modify(message)
change("victim", userPrincipalName="somebody@example.test")
change("mallory", userPrincipalName="victim@other.test")
change("disabled", userAccountControl="514")
change("expired", accountExpires="116444736000000001")
change("stale", pwdLastSet="0")
domain = ldb.Message(ldb.Dn(db, base))
domain["lockoutThreshold"] = ldb.MessageElement("3", ldb.FLAG_MOD_REPLACE, "lockoutThreshold")
db.modify(domain)
print(json.dumps({"base": base}))
"""

_CHANGE = """
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
folder, ldif = sys.argv[1:3]
lp = LoadParm()
lp.load(folder + "/etc/smb.conf")
db = SamDB(url=folder + "/private/sam.ldb", session_info=system_session(), lp=lp)
db.modify_ldif(ldif)
"""


@dataclass(frozen=True, slots=True)
class ActiveDirectory:
    """A running domain controller."""

    address: str
    ca_pem: str
    folder: Path

    def modify(self, ldif: str) -> None:
        """Change the directory as the machine itself."""
        _samba_python(_CHANGE, str(self.folder), ldif)

    def person_dn(self, login: str) -> str:
        """Give the place of a person made by these tests."""
        return f"CN={login},CN=Users,{BASE}"


def _samba_python(script: str, *arguments: str) -> str:
    done = subprocess.run(
        ["/usr/bin/python3", "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"Samba's Python failed: {done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def active_directory(folder: Path, address: str, authority: Authority) -> Iterator[ActiveDirectory]:
    """Provision a domain and run its controller."""
    tool, samba = program("samba-tool"), program("samba")
    if not Path("/usr/share/samba/setup/ad-schema").exists():
        pytest.skip("needs samba-ad-provision: make peers")
    if os.geteuid() != 0:
        pytest.skip("needs root: a domain controller listens on ports below 1024")
    for name in ("run", "log", "ncalrpc"):
        (folder / name).mkdir(parents=True)
    provision = [
        tool, "domain", "provision", f"--realm={REALM}", f"--domain={DOMAIN}", f"--adminpass={PASSWORD}",
        "--server-role=dc", "--dns-backend=NONE", "--host-ip=127.0.0.1", "--host-name=dc1",
        f"--targetdir={folder}", "--use-rfc2307", "--option=interfaces=lo",
        "--option=bind interfaces only=yes", f"--option=posix:eadb={folder}/eadb.tdb",
    ]  # fmt: skip
    done = subprocess.run(provision, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"The domain was not made: {done.stderr[-2000:]}")
    certificate = authority.issue("dc1", hosts=("dc1.example.test", address))
    configuration = folder / "etc" / "smb.conf"
    text = re.sub(r"(?ms)^\[(?!global).*", "", configuration.read_text())
    replaced = ("interfaces", "bind interfaces only", "server services", "log file")
    kept = [line for line in text.splitlines() if line.split("=")[0].strip() not in replaced]
    more = {
        "interfaces": f"{address}/8",
        "bind interfaces only": "yes",
        "server services": "ldap, cldap",
        "log file": f"{folder}/log/log.%m",
        "pid directory": f"{folder}/run",
        "ncalrpc dir": f"{folder}/ncalrpc",
        "ntp signd socket directory": f"{folder}/ntp",
        "winbindd socket directory": f"{folder}/wb",
        "tls enabled": "yes",
        "tls keyfile": str(certificate.key),
        "tls certfile": str(certificate.certificate),
        "tls cafile": str(authority.file),
        "dcerpc endpoint servers": "",
    }
    configuration.write_text(
        "\n".join([*kept, *(f"\t{name} = {value}" for name, value in more.items())]) + "\n"
    )
    base = json.loads(_samba_python(_PEOPLE, str(folder), PASSWORD).splitlines()[-1])["base"]
    assert base.casefold() == BASE.casefold()
    command = [samba, "-F", "-M", "single", "-s", str(configuration), "-d", "1"]
    with started(command, listens=(address, 636), log=folder / "samba.log"):
        yield ActiveDirectory(address, authority.pem, folder)
