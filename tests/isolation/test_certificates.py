# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host that an attacker controls asks the fleet's CA to sign: nothing but its own declared names is signed."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BIN = Path(sys.executable).parent
PLAYBOOK = Path(__file__).with_name("sign.yml")
NAMES = ["inference-01.example.com", "192.0.2.10", "2001:0db8::0001"]
Builder = x509.CertificateSigningRequestBuilder


def names(*more: str) -> x509.SubjectAlternativeName:
    """The declared names and others."""
    addresses = [x509.IPAddress(ipaddress.ip_address(name)) for name in NAMES[1:]]
    return x509.SubjectAlternativeName([x509.DNSName(NAMES[0]), *addresses, *map(x509.DNSName, more)])


def usage(*, certificates: bool = False) -> x509.KeyUsage:
    """Key usage of a server, or of a CA."""
    return x509.KeyUsage(True, False, False, False, False, certificates, certificates, False, False)


def subject(builder: Builder, name: str = NAMES[0]) -> Builder:
    """With a subject."""
    return builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))


def ordinary(builder: Builder, more: tuple[str, ...] = (), purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,)) -> Builder:
    """With the extensions that the role asks for."""
    made = builder.add_extension(names(*more), False).add_extension(usage(), True)
    return made.add_extension(x509.ExtendedKeyUsage(purposes), False)


REQUESTS: dict[str, Callable[[Builder], Builder]] = {
    "as declared": lambda builder: subject(ordinary(builder)),
    "a name more": lambda builder: subject(ordinary(builder, ("inference-02.example.com",))),
    "every name": lambda builder: subject(ordinary(builder, ("*.example.com",))),
    "no name": lambda builder: subject(builder.add_extension(usage(), True)),
    "two subjects": lambda builder: ordinary(builder).subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("inference-02.example.com", NAMES[0])])
    ),
    "another subject": lambda builder: subject(ordinary(builder), "admin"),
    "for clients": lambda builder: subject(ordinary(builder, (), (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH))),
    "for anything": lambda builder: subject(builder.add_extension(names(), False).add_extension(usage(), True)),
    "a CA": lambda builder: subject(ordinary(builder).add_extension(x509.BasicConstraints(True, None), True)),
    "signs certificates": lambda builder: subject(
        builder.add_extension(names(), False)
        .add_extension(usage(certificates=True), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    ),
    "an extension of its own": lambda builder: subject(ordinary(builder).add_extension(x509.OCSPNoCheck(), False)),
}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Output of a run of hosts that each bring a request."""
    hosts: dict[str, dict[str, Any]] = {}
    for name, made in REQUESTS.items():
        request = made(Builder()).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        hosts[name.replace(" ", "-")] = {"request": request.public_bytes(serialization.Encoding.PEM).decode()}
    text = hosts["as-declared"]["request"]
    # It says itself which names are its own.
    claimed = REQUESTS["every name"](Builder()).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    hosts["its-own-word"] = {"request": claimed.public_bytes(serialization.Encoding.PEM).decode(), "claimed": [*NAMES, "*.example.com"]}
    # Signed by another key than the one in it.
    hosts["not-its-own-key"] = {"request": forged(text)}
    given = tmp_path_factory.mktemp("requests") / "hosts.json"
    common = {"ansible_connection": "local", "ansible_python_interpreter": str(BIN / "python"), "xinference_proxy_names": NAMES, "xinference_proxy": True}
    given.write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}), encoding="utf-8")
    command = (str(BIN / "ansible-playbook"), "--inventory", str(given), "--forks", "2", str(PLAYBOOK))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_NOCOWS": "1"})
    return done.stdout + done.stderr


def forged(text: str) -> str:
    """The same request with another signature."""
    content = bytearray(x509.load_pem_x509_csr(text.encode()).public_bytes(serialization.Encoding.DER))
    content[-1] ^= 1
    return x509.load_der_x509_csr(bytes(content)).public_bytes(serialization.Encoding.PEM).decode()


def test_only_what_was_declared_is_signed(output: str) -> None:
    failures = {name: int(count) for name, count in re.findall(r"^(\S+) +: ok=.* failed=(\d+) ", output, re.MULTILINE)}
    assert len(failures) == len(REQUESTS) + 2, output
    assert [name for name, count in failures.items() if not count] == ["as-declared"], output


def test_the_sentence_says_what_was_asked(output: str) -> None:
    assert "Traceback" not in output
    sentence, *_again = [line for line in output.splitlines() if "a-name-more asks the CA on a-name-more for a certificate that was not declared" in line]
    assert "DNS:inference-02.example.com" in sentence
    assert "xinference_proxy_names came as facts from this host, where they would count for more than the inventory." in output
    assert "It was not signed. Find out who changed what on that host." in sentence
