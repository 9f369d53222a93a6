"""Who makes a program, where its publisher and NVD call the maker by different words. Reviewed data, a reason each.

Key    the publisher as programs register themselves, reduced to letters and digits without legal forms
Value  the vendor part NVD files the program under, reduced the same way
"""

from __future__ import annotations

MAKERS: dict[str, str] = {
    "igorpavlov": "7zip",  # author of 7-Zip; NVD files it under the program's own name
    "simontatham": "putty",  # author of PuTTY
    "dominikreichl": "keepass",  # author of KeePass
    "winrar": "rarlab",  # win.rar GmbH publishes RARLAB's WinRAR
    "timkosse": "filezilla",  # author of FileZilla
    "martinprikryl": "winscp",  # author of WinSCP
    "irfanskiljan": "irfanview",  # author of IrfanView
    "notepad++": "notepadplusplus",  # Notepad++ Team; NVD spells the signs out, and also files it under the program
    "donho": "notepadplusplus",  # author of Notepad++
    "documentfoundation": "libreoffice",  # publishes LibreOffice
    "gimp": "gimp",  # The GIMP Team
}
