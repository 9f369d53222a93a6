"""nginx with the configuration that is shipped: only its names, ports and paths are those of the test."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.peers.certificates import Files
from tests.peers.processes import free_port, program, started

SHIPPED = REPOSITORY / "deploy" / "nginx" / "sentrikat.conf"
NAME = "sentrikat.example.org"

# What stands around the file on a server: a distribution's nginx.conf, but as anybody and in the foreground.
AROUND = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    include {folder}/sentrikat.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """Where it listens, and what it wrote down."""

    http: int
    https: int
    log: Path


@contextmanager
def nginx(folder: Path, certificate: Files, upstream: int, **changed: str) -> Iterator[Nginx]:
    """Run it before the server on port `upstream`; `changed` gives other values to directives of the file."""
    ports = Nginx(free_port(), free_port(), folder / "sentrikat.log")
    text = SHIPPED.read_text(encoding="utf-8")
    for here, there in (
        ("server 127.0.0.1:8420;", f"server 127.0.0.1:{upstream};"),
        ("listen 80;", f"listen 127.0.0.1:{ports.http};"),
        ("listen [::]:80;", ""),
        ("listen 443 ssl;", f"listen 127.0.0.1:{ports.https} ssl;"),
        ("listen [::]:443 ssl;", ""),
        ("/etc/nginx/tls/sentrikat.pem", str(certificate.certificate)),
        ("/etc/nginx/tls/sentrikat.key", str(certificate.key)),
        ("/var/log/nginx/sentrikat.log", str(ports.log)),
    ):
        assert here in text, here
        text = text.replace(here, there)
    for directive, value in changed.items():
        text, count = re.subn(
            rf"^(\s*){directive} [^;]+;", rf"\1{directive} {value};", text, flags=re.MULTILINE
        )
        assert count, directive
    folder.mkdir(exist_ok=True)
    (folder / "sentrikat.conf").write_text(text)
    # Started by root it would become somebody who may not write into a folder of tests.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
    with started(
        [program("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder)],
        listens=("127.0.0.1", ports.https),
        log=folder / "output.log",
    ):
        yield ports
