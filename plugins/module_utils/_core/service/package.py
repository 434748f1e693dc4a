# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's program: the files of this package that it needs, put on a host as they are. Private to this collection.

There is no second implementation: what module ``models`` runs is what the service runs.
"""

from __future__ import annotations

import ast
import compileall
import pkgutil
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Never run: filters load this file in every task, and the service takes a while to import. Ansible sends to a host what it reads here.
    from ..backup import inside  # noqa: F401
    from ..backup import process as backup_process  # noqa: F401
    from . import container_start, process  # noqa: F401

__all__ = ["PACKAGE", "install", "sources"]

#: Name of the package on the host.
PACKAGE = "xinference_models"
#: The units of root run their own parts alone, which need nothing but the standard library.
_START = f"""import sys

if sys.argv[1:2] == ["start"]:
    from {PACKAGE}.service.container_start import main

    sys.exit(main(sys.argv[2:]))

if sys.argv[1:2] == ["backup"]:
    from {PACKAGE}.backup.process import main

    sys.exit(main(sys.argv[2:]))

from {PACKAGE}.service.process import main

sys.exit(main())
"""


def _imported(name: str, source: bytes) -> set[str]:
    """Modules of the core that a module of it imports.

    :param name: of the module, from the core on, such as ``service.process``.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = name.split(".")[: -node.level]
            if node.module is not None and (folder or "." in node.module):
                found.add(".".join([*folder, node.module]))
            else:
                # The names are modules.
                found |= {".".join([*folder, *filter(None, [node.module]), alias.name]) for alias in node.names}
    return found


@cache
def sources() -> dict[str, bytes]:
    """The program: content of each file, by its path in the directory.

    Read through the import system, because on a host the core lies in the archive that Ansible sends; and once, because parsing takes a while.

    :raises FileNotFoundError: where the core is not complete.
    """
    core = __name__.rsplit(".", 2)[0]
    files: dict[str, bytes] = {"__main__.py": _START.encode()}
    missing = {"service.process", "service.container_start", "backup.process", "backup.inside"}
    while missing:
        name = missing.pop()
        path = f"{name.replace('.', '/')}.py"
        content = pkgutil.get_data(core, path)
        if content is None:
            raise FileNotFoundError(path)
        files[f"{PACKAGE}/{path}"] = content
        missing |= {other for other in _imported(name, content) if f"{PACKAGE}/{other.replace('.', '/')}.py" not in files}
    return files


def install(folder: Path) -> None:
    """Put the program into a directory in place of what was there.

    :raises OSError: when it cannot be written; what was there is still there.
    """
    folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        new, old = scratch / "new", scratch / "old"
        for name, content in sources().items():
            path = new / name
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o644)
        for path in (new, new / PACKAGE):
            path.chmod(0o755)
        # The service may not write here, so it could not keep what it compiled.
        compileall.compile_dir(new, quiet=2, stripdir=str(new), prependdir=str(folder))
        for path in new.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
