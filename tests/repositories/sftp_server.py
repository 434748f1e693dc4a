# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An SSH server with SFTP: ``sftp_server.py PORT ROOT HOST_KEY AUTHORIZED_KEYS``. Run in the environment of requirements.txt."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any


async def serve(port: int, root: Path, host_key: str, authorized: str) -> None:
    """Serve the files of a directory until the end."""
    import asyncssh

    class Files(asyncssh.SFTPServer):  # type: ignore[misc]  # it is in another environment
        def exit(self) -> None:
            # OpenSSH gives a status in the end, and older versions of restic want one.
            self.channel.exit(0)

    def files(channel: Any) -> Any:
        return Files(channel, chroot=str(root))

    server = await asyncssh.listen("127.0.0.1", port, server_host_keys=[host_key], authorized_client_keys=authorized, sftp_factory=files)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
