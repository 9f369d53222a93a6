"""SimpleSAMLphp, started by the tests: an identity provider with two people, and as many of us as it is told of."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from lxml import etree

from sentrikat.identity.saml.certificates import make_key_pair
from sentrikat.identity.saml.names import NAMESPACES, PERSISTENT
from tests.peers.processes import free_port, program, started

WWW = Path("/usr/share/simplesamlphp/www")
PEOPLE = {
    "jane": (
        "jane-pw",
        {"uid": "jane", "mail": "jane@example.test", "displayName": "Jane Ångström"},
        ["analysts", "all"],
    ),
    "bob": ("bob-pw", {"uid": "bob", "mail": "bob@example.test", "displayName": "Bob"}, ["guests"]),
}


@dataclass(frozen=True, slots=True)
class Form:
    """A form that a page of the provider sends by itself."""

    action: str
    fields: dict[str, str]


@dataclass
class SimpleSamlPhp:
    """A running provider."""

    url: str
    folder: Path
    _known: dict[str, str] = field(default_factory=dict)

    @property
    def entity_id(self) -> str:
        """Its name."""
        return f"{self.url}/idp"

    def metadata(self) -> bytes:
        """What it says of itself."""
        answer = httpx2.get(f"{self.url}/saml2/idp/metadata.php")
        assert answer.status_code == 200, answer.text
        return answer.content

    def trust(self, metadata: bytes, *, encrypt: bool = True) -> None:
        """Tell it of a service provider, by what that says of itself."""
        root = etree.fromstring(metadata)

        def value(path: str, attribute: str) -> str:
            return str(root.find(path, NAMESPACES).get(attribute))

        keys = []
        for key in root.iterfind(".//md:KeyDescriptor", NAMESPACES):
            body = "".join(key.findtext(".//ds:X509Certificate", "", NAMESPACES).split())
            use = key.get("use")
            keys.append(
                f"['encryption'=>{str(use == 'encryption').lower()},'signing'=>{str(use == 'signing').lower()},"
                f"'type'=>'X509Certificate','X509Certificate'=>'{body}']"
            )
        self._known[root.get("entityID")] = f"""[
            'AssertionConsumerService'=>'{value(".//md:AssertionConsumerService", "Location")}',
            'SingleLogoutService'=>'{value(".//md:SingleLogoutService", "Location")}',
            'NameIDFormat'=>'{PERSISTENT}', 'validate.authnrequest'=>true, 'validate.logout'=>true,
            'sign.logout'=>true, 'assertion.encryption'=>{str(encrypt).lower()},
            'sharedkey_algorithm'=>'http://www.w3.org/2009/xmlenc11#aes256-gcm',
            'keys'=>[{",".join(keys)}]]"""
        lines = [f"$metadata['{entity}']={said};" for entity, said in self._known.items()]
        (self.folder / "metadata" / "saml20-sp-remote.php").write_text("\n".join(["<?php", *lines]))

    def browser(self) -> httpx2.Client:
        """A browser that nobody is signed in with at the provider."""
        return httpx2.Client(follow_redirects=True)

    def sign_in(self, browser: httpx2.Client, address: str, login: str = "jane") -> Form:
        """Go to the provider with a request of ours, sign in there, and give the form it answers with."""
        page = browser.get(address)
        if 'name="password"' in page.text:
            fields = _hidden(page.text) | {"username": login, "password": PEOPLE[login][0]}
            where = urlsplit(str(page.url))
            page = browser.post(
                f"{where.scheme}://{where.netloc}{where.path}",
                params=dict(parse_qsl(where.query)),
                data=fields,
            )
        return form_of(page)


def form_of(page: httpx2.Response) -> Form:
    """Give the form of a page that goes on by itself."""
    action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    fields = _hidden(page.text)
    if action is None or "SAMLResponse" not in fields:
        pytest.fail(f"the provider sent no answer: {page.status_code} {page.url}\n{page.text[:3000]}")
    return Form(html.unescape(action[1]), fields)


def _hidden(text: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in found}


@contextmanager
def simplesamlphp(folder: Path) -> Iterator[SimpleSamlPhp]:
    """Start the provider; skip the test where it is not installed."""
    php = program("php")
    if not (WWW / "index.php").exists():
        pytest.skip("needs simplesamlphp: make peers")
    for name in ("config", "metadata", "cert", "log", "data", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = free_port()
    peer = SimpleSamlPhp(f"http://127.0.0.1:{port}", folder)
    pair = make_key_pair("tests identity provider", datetime.now(UTC))
    (folder / "cert" / "idp.pem").write_text(pair.private)
    (folder / "cert" / "idp.crt").write_text(pair.certificate.pem)
    _configure(peer)
    environment = {
        **os.environ,
        "SIMPLESAMLPHP_CONFIG_DIR": str(folder / "config"),
        "PHP_CLI_SERVER_WORKERS": "2",
    }
    command = [
        php,
        "-d",
        "display_errors=0",
        "-d",
        "opcache.enable=0",
        "-S",
        f"127.0.0.1:{port}",
        "-t",
        str(WWW),
    ]
    with started(command, listens=("127.0.0.1", port), log=folder / "log" / "php.log", env=environment):
        yield peer


def _configure(peer: SimpleSamlPhp) -> None:
    folder = peer.folder
    settings: dict[str, object] = {
        "baseurlpath": f"{peer.url}/",
        "certdir": f"{folder}/cert/",
        "loggingdir": f"{folder}/log/",
        "datadir": f"{folder}/data/",
        "tempdir": f"{folder}/tmp",
        "metadatadir": f"{folder}/metadata",
        "metadata.sources": [{"type": "flatfile"}],
        "technicalcontact_name": "tests",
        "technicalcontact_email": "na@example.org",
        "timezone": "UTC",
        "secretsalt": "only-for-tests-0123456789",
        "auth.adminpassword": "only-for-tests",
        "trusted.url.domains": [],
        "logging.level": 5,
        "logging.handler": "file",
        "enable.saml20-idp": True,
        "module.enable": {"exampleauth": True, "core": True, "saml": True},
        "session.duration": 28800,
        "session.cookie.secure": False,
        "session.cookie.samesite": "Lax",
        "session.phpsession.savepath": f"{folder}/tmp",
        "session.phpsession.httponly": True,
        "language.available": ["en"],
        "language.default": "en",
        "theme.use": "default",
        "store.type": "phpsession",
        "authproc.idp": {},
        "authproc.sp": {},
    }
    people = {
        f"{login}:{password}": {**{k: [v] for k, v in attributes.items()}, "groups": groups}
        for login, (password, attributes, groups) in PEOPLE.items()
    }
    hosted = {
        "host": "__DEFAULT__",
        "privatekey": "idp.pem",
        "certificate": "idp.crt",
        "auth": "users",
        "signature.algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "saml20.sign.response": True,
        "saml20.sign.assertion": True,
        "sign.logout": True,
        "redirect.sign": True,
        "redirect.validate": True,
        "NameIDFormat": PERSISTENT,
        "attributes.NameFormat": "urn:oasis:names:tc:SAML:2.0:attrname-format:basic",
        "authproc": {3: {"class": "saml:PersistentNameID", "attribute": "uid"}},
    }
    _write(folder / "config" / "config.php", "config", settings)
    _write(
        folder / "config" / "authsources.php", "config", {"users": {"0": "exampleauth:UserPass", **people}}
    )
    _write(folder / "metadata" / "saml20-idp-hosted.php", f"metadata['{peer.entity_id}']", hosted)
    _write(folder / "metadata" / "saml20-sp-remote.php", "metadata", {})


def _write(path: Path, name: str, value: object) -> None:
    """Write a value as PHP reads it; its `json_decode` spares us the other syntax."""
    written = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'")
    path.write_text(f"<?php\n${name} = json_decode('{written}', true);\n")
