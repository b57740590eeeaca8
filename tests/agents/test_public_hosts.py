"""HTTP to public addresses only: which they are, and that the connection goes to the very address that was checked."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import anyio
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from memweb.functions import public_hosts

NAME = "mcp.test"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((address, True) for address in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8")),
        *((address, False) for address in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.5.5", "169.254.169.254")),
        *((address, False) for address in ("0.0.0.0", "100.64.0.1", "224.0.0.1", "::1", "fe80::1%eth0", "fd00::1")),
        *(
            (address, False)
            for address in (
                "::ffff:10.0.0.1",
                "64:ff9b::a00:1",
                "2002:7f00:1::",
                "::",
                "ff02::1",
                "64:ff9b:1::a00:1",
                "fec0::1",
                "::10.0.0.1",
            )
        ),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert public_hosts.is_public(address) is public


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "[::1]".strip("[]")])
def test_another_way_to_write_this_machine_is_no_public_address(host: str) -> None:
    with pytest.raises(public_hosts.NotPublic):
        public_hosts.public_address(host)


class _Host(BaseHTTPRequestHandler):
    """Says by which name it was asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write((self.headers["host"] or "").encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of NAME, with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False).sign(key, SHA256())
    path = tmp_path / "certificate.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form) + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    """Of a server that has the certificate."""
    server = HTTPServer(("127.0.0.1", 0), _Host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_the_checked_address_is_asked_by_the_name_of_the_url(
    certificate: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that its certificate is checked as ever."""
    monkeypatch.setattr(public_hosts, "public_address", lambda _host: "127.0.0.1")
    transport = public_hosts.PublicOnly()
    transport._inner = httpx2.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=str(certificate)))

    async def ask() -> None:
        async with httpx2.AsyncClient(transport=transport) as client:
            assert (await client.get(f"https://{NAME}:{port}/")).text == f"{NAME}:{port}"
            with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(f"https://another.test:{port}/")

    anyio.run(ask)
