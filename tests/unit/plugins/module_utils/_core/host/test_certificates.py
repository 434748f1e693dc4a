# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a certificate, read without a library, against certificates that a library made."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.certificates import certificate_facts, days_left, served_end

KEY = ec.generate_private_key(ec.SECP256R1())


def made(begin: datetime, end: datetime, name: str = "example") -> bytes:
    """A certificate in PEM format."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, KEY.public_key(), x509.random_serial_number(), begin, end)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("begin", [datetime(1999, 1, 2, 3, 4, 5), datetime(2026, 11, 23), datetime(2050, 1, 1)])
@pytest.mark.parametrize("end", [datetime(2026, 12, 31, 23, 59, 59), datetime(2049, 12, 31, 23, 59, 59), datetime(2051, 6, 1), datetime(9999, 12, 31)])
def test_the_end_of_a_certificate(begin: datetime, end: datetime) -> None:
    if begin >= end:
        end = begin + timedelta(days=1)
    pem = made(begin, end)
    expected = {"sha256": hashlib.sha256(pem).hexdigest(), "not_after": end.replace(tzinfo=timezone.utc).isoformat()}
    assert certificate_facts(pem) == expected


def test_the_first_of_a_chain_counts() -> None:
    first, second = made(datetime(2020, 1, 1), datetime(2030, 1, 1)), made(datetime(2020, 1, 1), datetime(2040, 1, 1), "authority")
    facts = certificate_facts(b"Subject: what openssl writes above\n" + first.replace(b"\n", b"\r\n") + second)
    assert facts["not_after"] == "2030-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
)
def test_what_is_no_certificate(content: bytes) -> None:
    assert certificate_facts(content)["not_after"] is None


@pytest.mark.parametrize(("hours", "days"), [(49, 2), (1, 0), (-1, -1)])
def test_days_left(hours: int, days: int) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
    assert days_left((now + timedelta(hours=hours)).isoformat(), now) == days


def test_the_certificate_that_a_server_shows(tmp_path: Path) -> None:
    """Whoever made it, for whatever name, and though it has ended."""
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "both.pem").write_bytes(made(datetime(2020, 1, 1), datetime(2021, 2, 3, 4, 5, 6)) + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def show() -> None:
            connection, _address = listener.accept()
            # Whoever asks goes without a word.
            with context.wrap_socket(connection, server_side=True) as wrapped, contextlib.suppress(OSError):
                wrapped.recv(1)

        showing = threading.Thread(target=show)
        showing.start()
        assert served_end("127.0.0.1", listener.getsockname()[1], 60.0) == datetime(2021, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
        showing.join()


def test_a_server_without_a_certificate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # It takes the connection, and says nothing.
        with pytest.raises(OSError, match="timed out"):
            served_end("127.0.0.1", port, 0.2)
    with pytest.raises(ConnectionRefusedError):
        served_end("127.0.0.1", port, 60.0)
