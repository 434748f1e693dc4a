# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the collections that galaxy.yml depends on out of a release of the package ``ansible``, for an ansible-core that it is not made for.

The collections say themselves which ansible-core they support; the package only pins one. Prints what was taken, one a line.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


class NotTaken(Exception):
    """What is missing, in one sentence."""


def package(release: str, folder: Path) -> Path:
    """The file of a release; it is downloaded once."""
    name = f"ansible-{release}-py3-none-any.whl"
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--progress-bar", "off")
            # The release may want another Python than this one, for the ansible-core that it pins.
            done = subprocess.run(
                (*pip, "--no-deps", "--ignore-requires-python", "--only-binary", ":all:", "--dest", fresh, f"ansible=={release}"),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise NotTaken((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
            (Path(fresh) / name).replace(folder / name)
    return folder / name


def take(archive: zipfile.ZipFile, core: str, into: Path) -> dict[str, str]:
    """Extract the collections that are needed, and those that they need; the versions by name."""
    taken: dict[str, str] = {}
    wanted: dict[str, str] = dict(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"])
    while wanted:
        name, versions = wanted.popitem()
        inside = f"ansible_collections/{name.replace('.', '/')}"
        info: dict[str, Any] = json.loads(archive.read(f"{inside}/MANIFEST.json"))["collection_info"]
        if info["version"] not in SpecifierSet(versions):
            raise NotTaken(f"{archive.filename} carries {name} {info['version']}, but {versions} is needed")
        supported = str(yaml.safe_load(archive.read(f"{inside}/meta/runtime.yml"))["requires_ansible"])
        if Version(core) not in SpecifierSet(supported):
            raise NotTaken(f"{name} {info['version']} supports ansible-core {supported}, not {core}")
        for entry in archive.namelist():
            if entry.startswith(f"{inside}/"):
                archive.extract(entry, into)
        taken[name] = info["version"]
        wanted.update({other: span for other, span in info["dependencies"].items() if other not in taken})
    return taken


def main() -> int:
    """0 when they are there; else 1, with one sentence."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--release", required=True, help="of the package ansible")
    parser.add_argument("--core", required=True, help="version of ansible-core that will run them")
    parser.add_argument("--files", type=Path, required=True, help="directory that keeps the package's file")
    parser.add_argument("--into", type=Path, required=True, help="directory that gets ansible_collections; it is made again")
    given = parser.parse_args()
    into: Path = given.into
    fresh = into.with_name(f".{into.name}")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        with zipfile.ZipFile(package(given.release, given.files)) as archive:
            taken = take(archive, given.core, fresh)
    except (NotTaken, OSError, KeyError, zipfile.BadZipFile) as error:
        print(f"range: cannot go on: {error}", file=sys.stderr)
        return 1
    # In one step, so that an interrupted run leaves nothing half done.
    if into.exists():
        shutil.rmtree(into)
    fresh.rename(into)
    print("\n".join(f"{name} {version}" for name, version in sorted(taken.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
