"""The search of every page: to what the words name, or to what has such a name."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from sentrikat.domain.permissions import Permission
from sentrikat.identity.access import Visit
from sentrikat.inventory.installed import MOST, find_installed
from sentrikat.inventory.queries import count_assets
from sentrikat.vulnerabilities.queries import get_vulnerability
from sentrikat.web.context import Now, TenantSession, requires
from sentrikat.web.doubts import doubts_of
from sentrikat.web.rendering import render
from sentrikat.web.sign_in import see_other

router = APIRouter()
Reader = Annotated[Visit, requires(Permission.FINDINGS_READ)]

_FLAW = re.compile(r"[A-Za-z]{2,10}-[0-9A-Za-z-]{4,60}")
_CVE = re.compile(r"(?i)cve-[0-9]{4}-[0-9]{4,10}")


@router.get("/search")
def search(
    request: Request,
    visit: Reader,
    session: TenantSession,
    now: Now,
    q: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Go to what the words name, a vulnerability or hosts alone; else list the software and hosts of that name.

    Who may not read the inventory is led to the findings of such software.
    """
    words = q.replace("\x00", "").strip()
    if not words:
        return see_other("/findings")
    if _FLAW.fullmatch(words):
        for name in (words.upper(), words):
            found = get_vulnerability(session, name)
            if found is not None:
                return see_other(f"/vulnerabilities/{quote(found.row.name, safe='')}")
    if _CVE.fullmatch(words):  # its page says that no loaded feed names it
        return see_other(f"/vulnerabilities/{words.upper()}")
    if ":" in words:
        return see_other(f"/findings?q={quote(words, safe='')}")
    if not visit.caller.may(Permission.INVENTORY_READ):
        plain = words.replace('"', "")
        query = f'software:"{plain}"'
        return see_other(f"/findings?q={quote(query, safe='')}")
    hosts = count_assets(session, visit.caller.organization_id, hostname=words)
    software = find_installed(session, visit.caller.organization_id, words)
    if hosts and not software:
        return see_other(f"/assets?hostname={quote(words, safe='')}")
    return render(
        request,
        "search.html",
        visit=visit,
        now=now,
        doubts=doubts_of(session, visit, now),
        words=words,
        hosts=hosts,
        software=software,
        most=MOST,
    )
