"""Every setting of the server: one class, one prefix, checked at the start.

A setting is an environment variable `SENTRIKAT_<NAME>`. An unknown one is refused: a typing
error in a security setting must not pass for the default. docs/admin/settings.md is compared
with this file by a test.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from sentrikat.domain.errors import InvalidInput

PREFIX = "SENTRIKAT_"

LARGEST_BANNER = 16 * 1024  # bytes; a page that somebody reads before signing in
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

# Variables of the test run and the tools, which share the prefix but are no server settings.
FOREIGN = frozenset({"SENTRIKAT_SHARED", "SENTRIKAT_NO_SKIPS"})


class Settings(BaseSettings):
    """What an operator may decide. Each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    # Storage
    database_url: SecretStr | None = Field(
        default=None,
        description="Address of an external PostgreSQL 15 or newer, "
        "postgresql://user:password@host:5432/name. Unset: an embedded server in the data directory.",
    )
    data_dir: Path = Field(
        default=Path("var"),
        description="Where the embedded database, its password and imported bundles are kept. "
        "Relative to the working directory.",
    )
    database_pool_size: int = Field(
        default=10,  # as many requests as two cores usefully serve at once, with waiting ones
        ge=2,  # one for a request, one for its streamed answer
        le=90,  # PostgreSQL's default of 100 connections less the worker's and the reserve
        description="Connections that one web process keeps; also how many requests it serves at once.",
    )
    statement_timeout_ms: int = Field(
        default=15_000,  # a page budget is 150 ms; a statement a hundred times slower is a fault
        ge=100,
        le=600_000,
        description="Longest time one database statement of a web request may take, in milliseconds. "
        "The worker has no such limit.",
    )

    # Web server
    host: str = Field(default="127.0.0.1", description="Address the web server listens on.")
    port: int = Field(
        default=8420,  # unassigned at IANA, and not 8000/8080, where everything else already sits
        ge=0,
        le=65535,
        description="Port the web server listens on; 0 takes a free one.",
    )
    public_url: str | None = Field(
        default=None,
        description="Address under which users reach the server, for links and the origin check, "
        "such as https://sentrikat.example.org. Unset: taken from the request.",
    )
    allowed_hosts: str | None = Field(
        default=None,
        description="Comma-separated names, with their port if it is not the usual one, that the server also answers "
        "to when a public address is set. Without a public address it answers to any name.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Comma-separated addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto "
        "are believed.",
    )
    cookie_secure: bool | None = Field(
        default=None,
        description="Send cookies over HTTPS only, and refuse requests of other machines over plain HTTP. Unset: yes, "
        "except when the server listens on a loopback address and has no https public address.",
    )
    security_contact: str | None = Field(
        default=None,
        description="Whom to tell of a weakness of this installation, such as mailto:security@example.org or an https "
        "address; served as /.well-known/security.txt (RFC 9116). Unset: there is no such file.",
    )
    privacy_notice_url: str | None = Field(
        default=None,
        description="https address of your own privacy notice, linked from the page /privacy, which says what is kept "
        "about people and why. Unset: that page alone.",
    )
    sign_in_banner_file: Path | None = Field(
        default=None,
        description="Text file shown before everybody who signs in, such as a notice about the use of this system; at "
        "most 16 KiB of UTF-8. Read at the start.",
    )
    max_report_bytes: int = Field(
        default=20 * 1024 * 1024,  # the largest real host seen has 12,000 packages: 4 MB of JSON
        ge=64 * 1024,
        le=512 * 1024 * 1024,
        description="Largest agent report or SBOM accepted, in bytes, after decompression.",
    )
    max_request_bytes: int = Field(
        default=1024 * 1024,  # forms and API calls other than reports are a few kilobytes
        ge=16 * 1024,
        le=64 * 1024 * 1024,
        description="Largest body of any other request, in bytes.",
    )
    request_body_seconds: float = Field(
        default=120.0,  # the largest report over a line of 1.5 Mbit/s; agents send it packed, a tenth of that
        gt=0,
        le=3600,
        description="A request's body must have arrived within so many seconds.",
    )

    # Sign-in
    session_idle_minutes: int = Field(
        default=60,  # OWASP ASVS 5.0 7.3.1 leaves it to the risk; a working hour without a click
        ge=5,
        le=1440,
        description="A session ends after so many minutes without a request.",
    )
    session_lifetime_hours: int = Field(
        default=12,  # one working day: nobody stays signed in overnight (NIST SP 800-63B AAL2)
        ge=1,
        le=168,
        description="A session ends after so many hours in any case.",
    )
    password_min_length: int = Field(
        default=12,  # NIST SP 800-63B asks for at least 8, ASVS recommends 15; local accounts are few
        ge=8,
        le=64,  # bcrypt reads 72 bytes
        description="Shortest password a local account may have.",
    )
    password_list_file: Path | None = Field(
        default=None,
        description="File of further passwords that nobody may choose, one a line: names of the house, of "
        "products, of people. Read anew when it changes.",
    )
    second_factor: Literal["off", "optional", "administrators", "everybody"] | None = Field(
        default=None,
        description="Who needs a second factor (TOTP): off (nobody sets one up any more), optional, "
        "administrators (of the installation and of organizations), everybody. Asked for at the next sign-in, and "
        "before an administrator's changes; SAML accounts and emergency accounts are left out. Unset: administrators, "
        "but optional on a server for its own machine alone: on a loopback address, without a public one.",
    )
    step_up_minutes: int = Field(
        default=15,  # a visit to the settings; a browser left open over lunch is outside
        ge=1,
        le=720,
        description="Sensitive changes ask again for the password or the second factor when it was last given "
        "so many minutes ago.",
    )
    local_sign_in: Literal["everybody", "break_glass_only"] = Field(
        default="everybody",
        description="Who signs in with a local password: everybody, or break_glass_only: emergency accounts "
        "alone, when directories or SAML are for all others.",
    )

    encryption_keys: SecretStr | None = Field(
        default=None,
        description="Fernet keys for secrets in the database, the newest first, separated by commas; every "
        "process of the installation needs the same. Unset: encryption.keys in the data directory, made at "
        "the first need.",
    )

    api_key_pepper: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="What the secrets of API keys are hashed with, at least 32 characters; without it a copy of "
        "the database lets nobody check a guess. Every process needs the same, and changing it ends every key. "
        "Unset: api-keys.pepper in the data directory, made at the first need.",
    )

    admin_api_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Key of the admin API, at least 32 characters; two, separated by a comma, while it is "
        "exchanged. Unset: there is no admin API.",
    )
    admin_api_networks: str = Field(
        default="127.0.0.0/8, ::1/128",
        description="Networks the admin API may be used from, separated by commas.",
    )

    # Requests a client may make (docs/admin/rate-limits.md); 0 is no limit
    rate_limit_api_per_hour: int = Field(
        default=200,  # both required by SEC-6
        ge=0,
        le=1_000_000,
        description="API requests an hour of one key, token or person; 0: no limit.",
    )
    rate_limit_api_per_day: int = Field(
        default=1_000, ge=0, le=10_000_000, description="API requests a day of the same; 0: no limit."
    )
    rate_limit_agents_per_hour: int = Field(
        default=100_000,  # one key may be on every machine of an estate, and all may report after one outage
        ge=0,
        le=10_000_000,
        description="Requests an hour of one agent key, over all machines that hold it; 0: no limit.",
    )
    rate_limit_agents_per_day: int = Field(
        default=500_000,  # 100,000 machines, five reports each
        ge=0,
        le=100_000_000,
        description="Requests a day of one agent key; 0: no limit.",
    )
    rate_limit_sign_in_per_hour: int = Field(
        default=600,  # an office behind one address on a Monday morning; guesses are slowed down much earlier
        ge=0,
        le=1_000_000,
        description="Sign-in forms and refused SAML messages an hour from one address; 0: no limit.",
    )
    rate_limit_sign_in_per_day: int = Field(
        default=3_000, ge=0, le=10_000_000, description="The same a day; 0: no limit."
    )

    rate_limit_admin_per_hour: int = Field(
        default=600,  # a configuration tool that looks every ten seconds
        ge=0,
        le=1_000_000,
        description="Requests an hour to the admin API, over all its clients; 0: no limit.",
    )
    rate_limit_admin_per_day: int = Field(
        default=5_000, ge=0, le=10_000_000, description="Requests a day to the admin API; 0: no limit."
    )

    # Worker
    worker_concurrency: int = Field(
        default=2,  # jobs wait for PostgreSQL most of the time; the machine counted on has 2 cores
        ge=1,
        le=32,
        description="Jobs that the worker runs at the same time.",
    )

    # Mail
    smtp_host: str | None = Field(
        default=None,
        description="Server that mails are given to: links to choose a new password, and what administrators are "
        "told. Unset: no mail is sent.",
    )
    smtp_port: int = Field(
        default=587,  # submission (RFC 6409)
        ge=1,
        le=65535,
        description="Port of the mail server; 465 is usual with tls.",
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls, tls (from the first byte), or none: nothing is encrypted, and no password sent. "
        "Certificates are checked, against SENTRIKAT_CA_FILE if given.",
    )
    smtp_user: str | None = Field(default=None, description="Account at the mail server, if it asks for one.")
    smtp_password: SecretStr | None = Field(default=None, description="Its password.")
    smtp_from: str | None = Field(
        default=None,
        description="Sender of mails, such as sentrikat@example.org; needed with SENTRIKAT_SMTP_HOST.",
    )

    # Feeds and other outbound connections
    feeds_enabled: bool = Field(
        default=True,
        description="Fetch the feeds on schedule. Off: data comes by bundle only, and nothing "
        "connects outwards.",
    )
    feed_base_url: str | None = Field(
        default=None,
        description="Internal mirror of the feeds: https://host/path is fetched as "
        "<this address>/host/path, and nothing else is reached.",
    )
    proxy: str | None = Field(
        default=None,
        description="Proxy of all outbound connections, such as http://proxy.example.org:3128.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of certificate authorities to trust instead of the system's.",
    )
    outbound_allow: str | None = Field(
        default=None,
        description="Comma-separated networks that may be reached although they are loopback, link-local, "
        "multicast or a cloud's metadata service, such as 127.0.0.1/32. A loopback address that another of these "
        "settings names itself is allowed by that.",
    )
    nvd_api_key: SecretStr | None = Field(
        default=None,
        description="Key for the NVD API: 50 instead of 5 requests in 30 seconds.",
    )
    http_timeout_seconds: float = Field(
        default=30.0,  # NVD pages take up to 20 s to begin in busy hours
        gt=0,
        le=600,
        description="Longest silence of a remote server before an outbound request fails, in seconds.",
    )
    max_feed_bytes: int = Field(
        default=2 * 1024**3,  # the largest document, OSV's all.zip of npm, is some 200 MB
        ge=1024**2,
        description="Largest feed document accepted, in bytes on the wire.",
    )

    # Feeds that look wrong
    feed_hold_withdrawn_share: float = Field(
        default=0.05,  # a usual day takes back a few in ten thousand; a cut copy half of everything
        gt=0,
        le=1,
        description="A feed run is held for approval when it would withdraw more than this share of the "
        "feed's records. 1 switches the check off.",
    )
    feed_hold_closing_share: float = Field(
        default=0.10,  # corrections close single findings; a whole product's range gone closes thousands
        gt=0,
        le=1,
        description="A feed run is held when it would close more than this share of all open findings "
        "(and at least 100). 1 switches the check off.",
    )
    feed_hold_opening_share: float = Field(
        default=1.0,  # doubling what is open has been, so far, a lost upper bound of some product
        gt=0,
        le=1000,
        description="A feed run is held when it would open more findings than this share of those open "
        "(and at least 100).",
    )
    feed_hold_shrunken_share: float = Field(
        default=0.20,  # complete feeds grow; the largest real step back seen in a year was below 3 %
        gt=0,
        le=1,
        description="A run of a complete feed is held when it has fewer records than its last runs by more "
        "than this share. 1 switches the check off.",
    )
    feed_hold_quarantined_share: float = Field(
        default=0.05,  # no record of the real feeds is quarantined today
        gt=0,
        le=1,
        description="A feed run is held when more than this share of its records break their form. "
        "1 switches the check off.",
    )
    feed_drift_share: float = Field(
        default=0.005,  # single bad records are accidents of their authors
        gt=0,
        le=1,
        description="A feed is shown as drifted when more than this share of its records break their form, "
        "or have fields or words that this version does not know.",
    )
    feed_hold_max_bytes: int = Field(
        default=1024**3,  # all of NVD is 83 MB packed, all of OSV some 600 MB
        ge=1024**2,
        description="Documents of a held feed run kept for its approval, in bytes. Of a larger run only the "
        "comparison is kept, and approving it means to fetch it again.",
    )
    feed_rollback_days: int = Field(
        default=14,  # what NVD replaces in two weeks is some 100 MB
        ge=1,
        le=365,
        description="Feed runs can be rolled back for so many days.",
    )
    bundle_two_persons: bool = Field(
        default=False,
        description="An imported bundle waits until a second account approves it, another than the one that "
        "brought it: sentrikat feeds import-bundle --as, then approve-bundle --as.",
    )

    # Audit log
    audit_key_file: Path | None = Field(
        default=None,
        description="PEM file of the Ed25519 key that signs checkpoints of the audit log. Unset: "
        "audit/signing.pem in the data directory, made when it is first needed.",
    )
    syslog_host: str | None = Field(
        default=None,
        description="Collector that the audit log is handed on to, by syslog over TLS (RFC 5425). Its "
        "certificate must be of this name. Unset: nowhere.",
    )
    syslog_port: int = Field(default=6514, ge=1, le=65535, description="Port of that collector.")
    syslog_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the certificate authorities that the collector's certificate is checked by. "
        "Unset: SENTRIKAT_CA_FILE, or the system's.",
    )
    syslog_certificate_file: Path | None = Field(
        default=None,
        description="PEM file of a certificate and its key, for collectors that ask who sends.",
    )
    syslog_content: Literal["entry", "ocsf"] = Field(
        default="entry",
        description="What a message holds: entry, the line of the export, which can be verified; or ocsf, an "
        "event of the Open Cybersecurity Schema Framework 1.3.",
    )

    # Logging
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged: debug, info, warning or error."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="json, console, or auto: console on a terminal, otherwise JSON, one line per event.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment; no .env file that lies around by chance."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings

    @field_validator(
        "database_url",
        "public_url",
        "security_contact",
        "privacy_notice_url",
        "sign_in_banner_file",
        "feed_base_url",
        "proxy",
        "ca_file",
        "encryption_keys",
        "password_list_file",
        "api_key_pepper",
        "admin_api_key",
        "audit_key_file",
        "outbound_allow",
        "allowed_hosts",
        "smtp_host",
        "smtp_user",
        "smtp_password",
        "smtp_from",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        """Compose files pass `NAME=` for "not set"."""
        return None if value == "" else value

    @field_validator("public_url", "feed_base_url", "proxy")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value is not None else None

    @field_validator("security_contact")
    @classmethod
    def _is_contact(cls, value: str | None) -> str | None:
        # It is sent to everybody as one line of a file (RFC 9116, 2.5.3).
        if value is not None and (
            not value.startswith(("mailto:", "https://", "tel:")) or not value.isprintable()
        ):
            raise ValueError("must begin with mailto:, https:// or tel: and be one line")
        return value

    @field_validator("privacy_notice_url")
    @classmethod
    def _is_https(cls, value: str | None) -> str | None:
        if value is not None and (not value.startswith("https://") or not value.isprintable()):
            raise ValueError("must begin with https:// and be one line")
        return value

    @field_validator("outbound_allow")
    @classmethod
    def _may_be_reached(cls, value: str | None) -> str | None:
        for one in (value or "").replace(",", " ").split():
            try:
                ip_network(one)
            except ValueError as error:
                raise ValueError(f"“{one}” is no network, such as 127.0.0.1/32 ({error})") from error
        return value

    @model_validator(mode="after")
    def _ca_file_exists(self) -> Self:
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ValueError(f"SENTRIKAT_CA_FILE: there is no file {self.ca_file}")
        return self

    @model_validator(mode="after")
    def _banner_can_be_shown(self) -> Self:
        # Whoever must show it must not find out later that nobody saw it.
        if self.sign_in_banner_file is not None:
            try:
                self.sign_in_banner()
            except (OSError, ValueError) as error:
                raise ValueError(f"SENTRIKAT_SIGN_IN_BANNER_FILE: {error}") from error
        return self

    @model_validator(mode="after")
    def _password_list_exists(self) -> Self:
        if self.password_list_file is not None and not self.password_list_file.is_file():
            raise ValueError(f"SENTRIKAT_PASSWORD_LIST_FILE: there is no file {self.password_list_file}")
        return self

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Self:
        if self.smtp_host is not None and self.smtp_from is None:
            raise ValueError("SENTRIKAT_SMTP_FROM: needed with SENTRIKAT_SMTP_HOST")
        if self.smtp_security == "none" and self.smtp_password is not None:
            raise ValueError(
                "SENTRIKAT_SMTP_PASSWORD: would be sent unencrypted with SENTRIKAT_SMTP_SECURITY=none"
            )
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _are_proxies(cls, value: str) -> str:
        # What is believed of everybody can be forged by everybody; a misspelled address trusts nobody, silently.
        for one in filter(None, (part.strip() for part in value.split(","))):
            try:
                network = ip_network(one)
            except ValueError as error:
                raise ValueError(
                    f"“{one}” is no address or network, such as 10.0.0.5 or 172.16.0.0/12 ({error}); "
                    "to trust everybody would let everybody forge their address"
                ) from error
            if network.prefixlen == 0:
                raise ValueError(
                    f"“{one}” is everybody, who could then forge their address; name the proxy's"
                )
        return value

    @field_validator("admin_api_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for text in filter(None, value.replace(",", " ").split()):
            ipaddress.ip_network(text)  # its ValueError names the text
        return value

    def sign_in_banner(self) -> str | None:
        """Read the text shown before signing in; ValueError when it is empty, too long, or no text."""
        if self.sign_in_banner_file is None:
            return None
        content = self.sign_in_banner_file.read_bytes()
        if len(content) > LARGEST_BANNER:
            raise ValueError(f"{self.sign_in_banner_file} is larger than {LARGEST_BANNER:,} bytes")
        text = content.decode("utf-8-sig").replace("\r\n", "\n").strip()
        if not text:
            raise ValueError(f"{self.sign_in_banner_file} is empty")
        return text

    @property
    def admin_networks(self) -> tuple[str, ...]:
        """Networks the admin API may be used from."""
        return tuple(self.admin_api_networks.replace(",", " ").split())

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies carry the Secure attribute (see `cookie_secure`)."""
        if self.cookie_secure is not None:
            return self.cookie_secure
        if self.public_url is not None:
            return self.public_url.startswith("https://")
        return self.listens_beyond_loopback

    @property
    def listens_beyond_loopback(self) -> bool:
        """Whether other machines can open a connection to the web server."""
        return self.host not in _LOOPBACK

    @property
    def is_for_others(self) -> bool:
        """Whether people of other machines use the server, directly or by a proxy."""
        public = urlsplit(self.public_url).hostname if self.public_url is not None else "localhost"
        return self.listens_beyond_loopback or public not in _LOOPBACK

    @property
    def second_factor_of(self) -> Literal["off", "optional", "administrators", "everybody"]:
        """Who needs a second factor (see `second_factor`)."""
        if self.second_factor is not None:
            return self.second_factor
        return "administrators" if self.is_for_others else "optional"


def load(**overrides: object) -> Settings:
    """Read the settings from the environment; InvalidInput names every wrong one."""
    _refuse_unknown()
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # checked by pydantic right here
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        fields = {_variable(problem["loc"]): problem["msg"] for problem in problems}
        listed = "; ".join(f"{name}: {message}" for name, message in fields.items())
        raise InvalidInput(
            f"The server did not start, because a setting is wrong: {listed}.",
            hint="All settings are listed in docs/admin/settings.md.",
            fields=fields,
        ) from error


def _refuse_unknown() -> None:
    names = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {name for name in os.environ if name.upper().startswith(PREFIX)}
    for variable in sorted(given):
        if variable.upper() not in names | FOREIGN:
            near = difflib.get_close_matches(variable.upper(), sorted(names), n=1, cutoff=0.5)
            raise InvalidInput(
                f"The server did not start: there is no setting {variable}.",
                hint=(f"Did you mean {near[0]}? " if near else "")
                + "All settings are listed in docs/admin/settings.md.",
                fields={variable: "unknown setting"},
            )


def _variable(location: tuple[int | str, ...]) -> str:
    return PREFIX + str(location[0]).upper() if location else "SENTRIKAT settings"
