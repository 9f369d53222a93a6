"""Mail to a real server: encrypted, with the certificate checked, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sentrikat.domain.errors import InvalidInput, Unavailable
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.mail import Message, can_send, is_address, send
from sentrikat.infra.settings import Settings, load
from tests.smtp_peer import PASSWORD, USER, Mailbox, mail_server

MESSAGE = Message("jane@acme.example", "A subject", "Some text, with an é.\n")


def settings_for(box: Mailbox, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": box.port,
        "smtp_user": USER,
        "smtp_password": SecretStr(PASSWORD),
        "smtp_from": "sentrikat@acme.example",
        "ca_file": box.ca_file,
        **changes,
    }
    return Settings(**values)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_arrives_encrypted_and_authenticated(
    tmp_path: Path, clock: FrozenClock, security: str
) -> None:
    with mail_server(tmp_path, security) as box:
        send(settings_for(box, smtp_security=security), MESSAGE, clock)

    (mail,) = box.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "jane@acme.example",
        "sentrikat@acme.example",
        "A subject",
    )
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@acme.example>")
    assert mail.get_content().strip() == MESSAGE.text.strip()


@pytest.mark.parametrize(
    ("security", "changes", "why"),
    [
        ("starttls", {"ca_file": None}, "certificate verify failed"),
        ("starttls", {"smtp_host": "localhost"}, "certificate verify failed"),  # not the name in it
        ("starttls", {"smtp_password": SecretStr("wrong")}, "535"),
        ("starttls", {"smtp_user": None}, "530"),  # the server wants an account
        ("none", {}, "STARTTLS extension not supported"),  # nothing is sent in clear instead
        ("tls", {"ca_file": None, "smtp_security": "tls"}, "certificate verify failed"),
    ],
)
def test_nothing_is_sent_over_a_way_that_is_not_as_asked(
    tmp_path: Path, clock: FrozenClock, security: str, changes: dict[str, Any], why: str
) -> None:
    with mail_server(tmp_path, security) as box, pytest.raises(Unavailable, match=why) as refused:
        send(settings_for(box, **changes), MESSAGE, clock)

    assert box.mails == []
    assert PASSWORD not in str(refused.value)
    assert f":{box.port}" in refused.value.message


def test_a_server_that_is_away_is_named(tmp_path: Path, clock: FrozenClock) -> None:
    with mail_server(tmp_path) as box:
        settings = settings_for(box)

    with pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{box.port} \(starttls\) said"):
        send(settings, MESSAGE, clock)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "jane",
        "jane@",
        "a@b@c",
        "jane@acme.example\nBcc: all@acme.example",
        "jane @acme.example",
        "a,b@c.d",
    ],
)
def test_what_is_no_address_gets_no_mail(clock: FrozenClock, address: str) -> None:
    settings = Settings(smtp_host="127.0.0.1", smtp_port=1, smtp_from="s@acme.example")

    assert not is_address(address)
    with pytest.raises(InvalidInput, match="no mail address"):
        send(settings, Message(address, "A subject", "Text"), clock)


def test_without_a_mail_server_nothing_is_tried(clock: FrozenClock) -> None:
    assert not can_send(Settings())
    with pytest.raises(Unavailable, match="no mail server is set"):
        send(Settings(), MESSAGE, clock)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"smtp_host": "mail.acme.example"}, "SMTP_FROM"),
        ({"smtp_security": "none", "smtp_password": "secret"}, "SMTP_PASSWORD"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        load(**wrong)
