"""Who makes a program, where its publisher and NVD call the maker by different words. Reviewed data, a reason each.

Key    the publisher as programs register themselves, or the second part of a bundle id (`org.virtualbox.app`), reduced
       to letters and digits without legal forms
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
    "document": "libreoffice",  # The Document Foundation, without legal forms, publishes LibreOffice
    "gimp": "gimp",  # The GIMP Team
    "virtualbox": "oracle",  # VirtualBox kept the domain it had before Sun, and Oracle, bought its maker
    "mstoolsai": "microsoft",  # publisher names of Microsoft in the Visual Studio marketplace
    "msvscode": "microsoft",
    "msvscoderemote": "microsoft",
    "msdotnettools": "microsoft",
    "mskubernetestools": "microsoft",
    "vscjava": "microsoft",
    "quantum": "microsoft",
    "winscp": "winscp",
    "openjsfoundation": "nodejs",  # took over Node.js from the Node.js Foundation
    "openjs": "nodejs",
    "apachesoftware": "apache",  # The Apache Software Foundation, without legal forms
    "pythonsoftware": "python",  # Python Software Foundation
    "gitdevelopmentcommunity": "git",  # Git for Windows registers "The Git Development Community"
    "thegitdevelopmentcommunity": "git",
    "wiresharkdevelopercommunity": "wireshark",
    "postgresqlglobaldevelopment": "postgresql",
    "audacityteam": "audacityteam",
    "musecy": "audacityteam",  # Muse CY Ltd publishes Audacity since 2021
    "tigervnc": "tigervnc",
}
