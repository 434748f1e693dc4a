# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare the server's own directory: what lies in it, its keys and its first administrator.

It runs as root in a container of the server's image without network, which sees the volumes and nothing else of the host: whatever links a server has left
in its directory, they lead to no file of the host. What to do comes through standard input, because it holds a password. The last line of the output says in
JSON whether the secrets that a server reads when it starts were changed. Standard library only; the Python is that of the image.
"""

from __future__ import annotations

import contextlib
import grp
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Secret of the server's processes. Who does not know it can send them nothing; without it they run what anybody sends who reaches their ports.
ACTOR_KEY = "XOSCAR_AUTH_KEY"
ACCOUNT_KEYS = ("JWT_SECRET_KEY", "ENCRYPTION_KEY")
#: What could not be done.
FOLDER, ACCOUNT = "The server's directory could not be prepared", "The first administrator could not be made"
NO_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def number(name: str, look_up: Callable[[str], int]) -> int:
    """Number of a user or a group that is given by it or by a name of this image."""
    try:
        return int(name)
    except ValueError:
        return look_up(name)


def make_folder(wanted: dict[str, Any]) -> None:
    """A directory with owner, group and mode."""
    path = Path(wanted["inside"])
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | NO_LINKS)
    except OSError as error:
        sys.exit(f"{FOLDER}: {path} is no directory, or a link: {error.strerror}.")
    try:
        owner = number(str(wanted["owner"]), lambda name: pwd.getpwnam(name).pw_uid)
        group = number(str(wanted["group"]), lambda name: grp.getgrnam(name).gr_gid)
        os.fchown(handle, owner, group)
        os.fchmod(handle, int(str(wanted["mode"]), 8))
    except KeyError as error:
        sys.exit(f"{FOLDER}: {path}: {error.args[0]}; write its number.")
    finally:
        os.close(handle)


def give(path: Path, mode: int, owner: tuple[int, int]) -> None:
    """Owner and mode of a file that is a file and nothing else."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | NO_LINKS)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            os.fchmod(handle, mode)
            os.fchown(handle, *owner)
        os.close(handle)


def knows_actor_key() -> bool:
    """Whether the transport of the server's processes asks for a key, which it does since xoscar 0.12.0. An older one would not notice."""
    found = importlib.util.find_spec("xoscar")
    places = [Path(place) for place in (found.submodule_search_locations or [])] if found else []
    return any(ACTOR_KEY.encode() in file.read_bytes() for place in places for file in place.rglob("*.py"))


def read(path: Path) -> list[str]:
    """Lines of a file of the server; none where there is no such file."""
    try:
        handle = os.open(path, os.O_RDONLY | NO_LINKS)
    except OSError:
        return []
    with os.fdopen(handle, "rb") as file:
        return file.read(1 << 16).decode("utf-8", "replace").splitlines() if stat.S_ISREG(os.fstat(handle).st_mode) else []


def keep_keys(folder: Path, owner: tuple[int, int], accounts: bool, cluster_key: str | None) -> bool:
    """Make the secrets that a server takes from its environment; whether any changed.

    ``cluster_key`` is that of a cluster, empty for one whose network alone keeps others out; None for a server alone, which makes its own.
    """
    path = folder / "environment"
    lines = read(path)
    kept = dict(line.partition("=")[::2] for line in lines if not line.startswith("#"))
    before = dict(kept)
    if not knows_actor_key():
        # Empty, to show that this was checked.
        if cluster_key:
            sys.exit(f"{FOLDER}: this server knows no key of a cluster; take one since 4.0.1, or set xinference_cluster_without_key.")
        kept[ACTOR_KEY] = ""
    elif cluster_key is not None:
        kept[ACTOR_KEY] = cluster_key
    elif not kept.get(ACTOR_KEY):
        kept[ACTOR_KEY] = secrets.token_hex(32)
    # Servers since 3.0 make these keys themselves. Those before do not start without, and take them from their environment alone.
    if accounts and int(version("xinference").split(".")[0]) < 3:
        for name in ACCOUNT_KEYS:
            # A newer server that was here before has left its own.
            own = "".join(read(folder / name.lower())[:1]).strip()
            kept.setdefault(f"XINFERENCE_AUTH_{name}", own or secrets.token_hex(32))
    if kept != before:
        fresh = folder / "environment.new"
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o600)
        with os.fdopen(handle, "w") as file:
            file.writelines([line + "\n" for line in lines if line.startswith("#")])
            file.writelines(f"{name}={value}\n" for name, value in kept.items())
            file.flush()
            os.fchown(handle, *owner)
            os.fsync(handle)
        fresh.replace(path)
    return any(value != before.get(name, "") for name, value in kept.items())


def main() -> None:
    """Do what standard input says, and exit with a sentence where that fails."""
    wanted: dict[str, Any] = json.load(sys.stdin)
    os.umask(0o077)
    user, _colon, group = wanted["user"].partition(":")
    owner = (int(user), int(group))
    folder = Path(wanted["home"]) / "auth"
    account = wanted["account"]
    command = shutil.which("xinference-migrate-auth")
    if account and not command:
        # Servers before 2.9 have no such command and no accounts of this kind.
        sys.exit(f"{ACCOUNT}: {wanted['without_accounts']}")
    if account and not wanted["administrator_alone"] and int(version("xinference").split(".")[0]) < 3:
        sys.exit(
            f"{ACCOUNT}: this server is older than 3.0 and knows no account but the administrator; set xinference_service_account to '', and leave out "
            "xinference_users and xinference_api_keys, or take a server since 3.0."
        )
    for each in wanted["folders"]:
        make_folder(each)
    if wanted["keeper"]:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(wanted["keeper"], os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o644))
        give(Path(wanted["keeper"]), 0o644, (0, 0))
    make_folder({"inside": folder, "owner": owner[0], "group": owner[1], "mode": "0700"})
    # The keys come before the accounts, and are made where these are there already, too: then the command says so, and writes nothing.
    changed = keep_keys(folder, owner, bool(account), str(wanted["cluster_key"]) if wanted.get("cluster") else None)
    if account and command:
        # The encryption key serves API keys, of which there are none.
        done = subprocess.run(  # noqa: S603  its arguments are ours
            [command, "--auth-config", "/dev/stdin", "--db-path", str(folder / "auth.db"), "--encryption-key", "none"],
            input=json.dumps({"auth_config": {}, "user_config": [account]}),
            text=True,
            capture_output=True,
            check=False,
        )
        output = (done.stdout + done.stderr).strip()
        if done.returncode and "already has users" not in output:
            sys.exit(f"{ACCOUNT}: {output or f'xinference-migrate-auth ended with {done.returncode}'}")
    # A server leaves the database that it makes itself readable by all. Its directory is restricted, but a copy keeps the mode.
    for file in folder.iterdir():
        give(file, 0o600, owner)
    json.dump({"secrets_changed": changed}, sys.stdout)


if __name__ == "__main__":
    main()
