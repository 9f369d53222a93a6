"""Pages from templates: what every page has, and the words templates use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from sentrikat.domain.matching.wording import source_name
from sentrikat.domain.permissions import Permission
from sentrikat.identity.access import Visit
from sentrikat.web import words
from sentrikat.web.static import static_url

FOLDER = Path(__file__).parent / "templates"
THEMES = frozenset({"light", "dark"})


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """An entry of the left-hand list, and the key that goes there after `g`."""

    title: str
    path: str
    key: str
    permission: Permission


NAVIGATION: tuple[NavigationItem, ...] = (
    NavigationItem("Overview", "/", "o", Permission.FINDINGS_READ),
    NavigationItem("Findings", "/findings", "f", Permission.FINDINGS_READ),
    NavigationItem("Possibly affected", "/possibly-affected", "p", Permission.FINDINGS_READ),
    NavigationItem("Vulnerabilities", "/vulnerabilities", "v", Permission.FINDINGS_READ),
    NavigationItem("Assets", "/assets", "a", Permission.INVENTORY_READ),
    NavigationItem("Software to identify", "/identification", "s", Permission.INVENTORY_READ),
    NavigationItem("Feeds", "/feeds", "d", Permission.KNOWLEDGE_READ),
    NavigationItem("API keys", "/api-keys", "k", Permission.KEYS_READ),
    NavigationItem("Members", "/members", "m", Permission.MEMBERS_READ),
    NavigationItem("Audit log", "/audit", "l", Permission.AUDIT_READ),
    NavigationItem("Users", "/users", "u", Permission.INSTALLATION_READ),
    NavigationItem("Organizations", "/organizations", "n", Permission.INSTALLATION_READ),
    NavigationItem("Identity providers", "/identity-providers", "i", Permission.INSTALLATION_READ),
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason why the figures are qualified, and where it is cured."""

    words: str
    href: str


def render(
    request: Request,
    template: str,
    *,
    visit: Visit | None,
    now: datetime,
    status: int = 200,
    doubts: Sequence[Doubt] = (),
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """Give a page."""
    organization = visit.organization if visit is not None else None
    theme = request.cookies.get("theme", "")
    text = (
        environment()
        .get_template(template)
        .render(
            visit=visit,
            organization=organization,
            navigation=[
                item for item in NAVIGATION if visit is not None and visit.caller.may(item.permission)
            ],
            path=request.url.path,
            here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            theme=theme if theme in THEMES else "",
            doubts=doubts,
            now=now,
            zone=words.zone_of(organization.time_zone if organization is not None else None),
            **values,
        )
    )
    return Response(text, status_code=status, media_type="text/html", headers=dict(headers or {}))


@cache
def environment() -> Environment:
    """Give the templates, with everything escaped and nothing undefined passed over."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(static=static_url, version=version("sentrikat"), Permission=Permission)
    made.filters.update(
        number=words.number,
        plural=words.plural,
        percent=words.percent,
        repair=words.repair,
        browser=words.browser,
        source_name=source_name,
        iso=words.iso,
        moment=_moment,
        day=_day,
        due=_due,
        query=_query,
    )
    return made


@pass_context
def _moment(context: Context, value: datetime | None) -> Markup:
    """Write a moment with how long ago it was."""
    if value is None:
        return Markup('<span class="muted">never</span>')
    return Markup('<time datetime="{}">{} <span class="muted">({})</span></time>').format(
        words.iso(value), words.moment(value, context["zone"]), words.ago(value, context["now"])
    )


@pass_context
def _day(context: Context, value: date | datetime | None) -> Markup:
    """Write a day."""
    if value is None:
        return Markup('<span class="muted">&ndash;</span>')
    return Markup('<time datetime="{}">{}</time>').format(
        words.iso(value), words.day(value, context["zone"], context["now"])
    )


@pass_context
def _due(context: Context, value: datetime | None) -> Markup:
    """Write a deadline: the day, how many are left, and in red only when it is past."""
    if value is None:
        return Markup('<span class="muted">no deadline</span>')
    now, zone = context["now"], context["zone"]
    kind = "overdue" if value <= now else "soon" if words.days_left(value, zone, now) <= 7 else "later"
    return Markup('<time class="due due-{}" datetime="{}">{} <span>({})</span></time>').format(
        kind, words.iso(value), words.day(value, zone, now), words.due_words(value, zone, now)
    )


def _query(values: Mapping[str, Any], **changes: Any) -> Markup:
    """Write a query string with changes; empty values fall out."""
    merged = {**values, **changes}
    return escape("?" + urlencode({k: v for k, v in merged.items() if v not in (None, "", False)}))
