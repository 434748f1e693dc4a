# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when a certificate holds, read without any library, because a bare host has none. Private to this collection."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
from datetime import datetime, timezone
from typing import Any

__all__ = ["certificate_facts", "days_left", "served_end"]

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
#: RFC 5280, 4.1: Validity is a sequence of two times, and the only such pair. Years before 2050 have two digits, later ones four.
_SHORT, _LONG = rb"\x17\x0d(\d{12})Z", rb"\x18\x0f(\d{14})Z"
_VALIDITY = re.compile(rb"\x30[\x1e-\x22](?:%b|%b)(?:%b|%b)" % (_SHORT, _LONG, _SHORT, _LONG))


def _not_after(pem: bytes) -> datetime | None:
    """The end of the first certificate of a file, in UTC; None where there is none."""
    block = _PEM.search(pem)
    try:
        # The library wants the end marked in the line after the last character.
        return _end(ssl.PEM_cert_to_DER_cert(block.group(0).decode("ascii") + "\n") if block else b"")
    except ValueError:
        return None


def _end(encoded: bytes) -> datetime | None:
    """The end of a certificate in DER format, in UTC; None where it is none."""
    try:
        found = _VALIDITY.search(encoded)
        if found is None:
            return None
        short, long = found.group(3), found.group(4)
        # Two digits mean 1950 to 2049.
        digits = long or (b"19" if short >= b"50" else b"20") + short
        return datetime.strptime(digits.decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def certificate_facts(content: bytes) -> dict[str, Any]:
    """What a file with certificates holds.

    :param content: the file, in PEM format; its first certificate counts.
    :returns: ``sha256`` of the file, ``not_after`` (in UTC, as ISO 8601; None where the file holds no certificate).
    """
    end = _not_after(content)
    return {"sha256": hashlib.sha256(content).hexdigest(), "not_after": end.isoformat() if end else None}


def served_end(address: str, port: int, seconds: float) -> datetime | None:
    """Until when the certificate holds that a server shows, in UTC; None where it shows none that can be read. It is not verified, and asked for nothing.

    :param address: of the server.
    :param port: of the server.
    :param seconds: for which it may take to answer.
    :raises OSError: when it does not show one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, port), timeout=seconds) as connection, context.wrap_socket(connection) as wrapped:
        return _end(wrapped.getpeercert(binary_form=True) or b"")


def days_left(not_after: str, now: datetime) -> int:
    """Whole days until a certificate ends; negative when it has.

    :param not_after: as :func:`certificate_facts` returns it.
    :param now: the time, with its offset.
    """
    return (datetime.fromisoformat(not_after) - now).days
