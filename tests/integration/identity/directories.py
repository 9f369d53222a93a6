"""Short ways to say which directory a test talks to."""

from __future__ import annotations

from typing import Any

from sentrikat.identity.ldap.settings import LdapSettings
from sentrikat.infra.outbound import LOOPBACK, Rules
from tests.peers import openldap, samba


def openldap_settings(server: openldap.OpenLdap, **more: Any) -> dict[str, Any]:
    """The settings an administrator would enter for the tests' OpenLDAP."""
    return {
        "directory": "openldap",
        "hosts": [f"127.0.0.1:{server.tls_port}"],
        "ca_pem": server.ca_pem,
        "base_dn": openldap.BASE,
        "bind_dn": openldap.SERVICE,
        "page_size": 10,
    } | more


def ad_settings(server: samba.ActiveDirectory, **more: Any) -> dict[str, Any]:
    """The settings an administrator would enter for the tests' Active Directory."""
    return {
        "hosts": [server.address],
        "ca_pem": server.ca_pem,
        "base_dn": samba.BASE,
        "bind_dn": samba.SERVICE,
        "domain": samba.DOMAIN,
    } | more


def read(settings: dict[str, Any]) -> LdapSettings:
    """The settings as they are stored, where servers of this machine may be asked."""
    return LdapSettings.model_validate(settings).within(Rules(LOOPBACK))
