# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of crypt's SHA-512, with what its specification and the program openssl give."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.password_hash import salt_of, sha512_crypt


def test_the_specification() -> None:
    expected = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
    assert sha512_crypt("Hello world!", "saltstring") == expected


@pytest.mark.skipif(not shutil.which("openssl"), reason="program openssl is not installed")
@pytest.mark.parametrize("password", ["x", "a longer one, with spaces", "grün" * 40, "a" * 64, "a" * 63, "$6$rounds=5000$x"])
@pytest.mark.parametrize("salt", ["abcdefgh", "./ABCxyz01234567"])
def test_as_openssl_has_it(password: str, salt: str) -> None:
    done = subprocess.run(["openssl", "passwd", "-6", "-salt", salt, "-stdin"], input=password, capture_output=True, text=True, check=True)
    assert sha512_crypt(password, salt) == done.stdout.strip()


def test_a_salt_is_the_same_for_the_same_parts() -> None:
    salts = [salt_of("host-1", "prometheus"), salt_of("host-2", "prometheus"), salt_of("host-1", "other"), salt_of("host-1prometheus", "")]
    assert len(set(salts)) == len(salts)
    assert salt_of("host-1", "prometheus") == salts[0]
    assert all(re.fullmatch(r"[./0-9A-Za-z]{16}", salt) for salt in salts)
