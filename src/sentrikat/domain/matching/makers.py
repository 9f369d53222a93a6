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
    "hewlettpackard": "hp",
    "advancedmicrodevices": "amd",
    "businessmachines": "ibm",  # International Business Machines, without filler
    "environmentalresearchinstitute": "esri",  # Environmental Systems Research Institute, without filler
    "curl": "haxx",  # the curl project; NVD files it under the domain of its author
    "transmission": "transmissionbt",
    "nitro": "gonitro",  # NVD files Nitro's programs under three names, most under the maker's domain
    "nitropdf": "gonitro",
    "getpostman": "postman",
    "getbrave": "brave",
    "getgreenshot": "greenshot",
    "kovidgoyal": "calibreebook",  # author of calibre
    "calibre": "calibreebook",
    "krzysztofkowalczyk": "sumatrapdfreader",  # author of SumatraPDF
    "glavsoft": "tightvnc",  # GlavSoft LLC makes TightVNC
    "power": "poweriso",  # Power Software Ltd makes PowerISO
    "xbmc": "kodi",  # Kodi's foundation kept the program's former name
    "sublimehq": "sublimetext",
    "corel": "winzip",  # Corel publishes WinZip; for Corel's own programs the word stays
    "bitnami": "apachefriends",  # builds the installers of XAMPP
    "gougeletpierree": "xnview",  # author of XnView, as Windows registers him
    "nextgeneration": "mremoteng",  # Next Generation Software publishes mRemoteNG
    "mysolutionsnordic": "nsclient",
    "enterprisedb": "postgresql",  # builds PostgreSQL's installers for Windows
    "rubyinstaller": "rubylang",
    "iterate": "cyberduck",  # iterate GmbH makes Cyberduck
    # Projects that NVD files under a person, an organization or a domain
    "openssh": "openbsd",
    "mysql": "oracle",
    "keycloak": "redhat",
    "libxml2": "xmlsoft",
    "wget": "gnu",
    "xz": "tukaani",
    "squid": "squidcache",
    "elasticsearch": "elastic",
    "internetconsortium": "isc",  # Internet Systems Consortium, without filler
    # Second parts of bundle ids
    "philandro": "anydesk",  # AnyDesk's maker by its former name
    "getdropbox": "dropbox",
    "tinyspeck": "slack",
    "whispersystems": "signal",
    "bohemiancoding": "sketch",
    "keepcoder": "telegram",  # developer of Telegram for macOS
}
