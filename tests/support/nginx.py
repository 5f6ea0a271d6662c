"""Real nginx on a free port of the loopback, with TLS, as docs/proxies.md configures it."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.house.source_tree import ROOT
from tests.support.database_servers import ServerProcess, find_free_port

HOST = "films.example.org"
_CONFIG = """daemon off;
pid {folder}/pid;
error_log {folder}/errors;
user root;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""


@dataclass(frozen=True, slots=True)
class TlsProxy:
    """A proxy with TLS: its address, and what verifies its certificate."""

    url: str
    context: ssl.SSLContext


@contextmanager
def run_nginx(upstream: str, folder: Path) -> Iterator[TlsProxy]:
    """Run nginx before a server, with the configuration of the documentation."""
    port = find_free_port()
    certificate, key = _make_certificate(folder)
    server = _documented_server()
    for documented, used in (
        (r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (r"127\.0\.0\.1:8765", urlsplit(upstream).netloc),
        (r"/etc/\S*fullchain\.pem", str(certificate)),
        (r"/etc/\S*privkey\.pem", str(key)),
    ):
        server, replaced = re.subn(documented, used, server)
        assert replaced == 1, documented
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, server=server))
    context = ssl.create_default_context(cafile=str(certificate))
    process = ServerProcess(["nginx", "-p", str(folder), "-c", str(config)], port, folder, lambda: _accepts(port))
    process.start()
    try:
        yield TlsProxy(f"https://127.0.0.1:{port}", context)
    finally:
        process.stop()


def _documented_server() -> str:
    (block,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "proxies.md").read_text("utf-8"), re.DOTALL)
    return str(block)


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = f"subjectAltName=DNS:{HOST},IP:127.0.0.1"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command = ["openssl", "req", "-x509", *curve, "-nodes", "-days", "2"]
    paths = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *paths, "-subj", f"/CN={HOST}", "-addext", names], check=True, capture_output=True)
    return certificate, key


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
