# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the files of models are complete: directories of a test in the shape that a real server leaves, and what a hostile one may put there."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose import files as files_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.files import ModelFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, Finding
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import DEFAULT_HOME, ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import CachedRow
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import custom, gone, llm

#: One tensor of 100 values of 4 bytes, which begins at a multiple of 32.
_NAME = b"one"
_HEADER = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 3) + _NAME + struct.pack("<IQIQ", 1, 100, 0, 0)
GGUF = _HEADER + bytes(-len(_HEADER) % 32) + bytes(400)
_PLACES = json.dumps({"a": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}}).encode()
SAFETENSORS = struct.pack("<Q", len(_PLACES)) + _PLACES + bytes(400)
SNAPSHOT = "/root/.xinference/cache/v2/qwen3-ggufv2"
ROW: CachedRow = {"model_version": "v", "model_name": "qwen3", "model_type": "LLM", "path": SNAPSHOT, "real_path": SNAPSHOT}


class Machine:
    """A host with the server's directory and one of models.

    :param folder: of the test.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.models = folder / ".xinference", folder / "models"
        self.home.mkdir()
        self.models.mkdir()
        self.server_files = ServerFiles({DEFAULT_HOME: str(self.home), "/models": str(self.models)})

    def put(self, path: str, content: bytes) -> Path:
        """Write a file, by its path in the container."""
        place = self.server_files.on_host(path)
        assert place is not None
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def cached(self, *names: str, content: bytes = SAFETENSORS) -> list[str]:
        """Put files into a hub's cache, each as a link to what is named by its SHA-256; the names of the latter."""
        blobs = []
        for name in names:
            data = content + name.encode()
            blob = f"/root/.xinference/cache/huggingface/hub/models--a--b/blobs/{hashlib.sha256(data).hexdigest()}"
            self.put(blob, data)
            link = self.put(f"{SNAPSHOT}/{name}", b"")
            link.unlink()
            link.symlink_to(blob)
            blobs.append(blob)
        return blobs

    def check(self, *items: dict[str, Any], cached: Any = None, checksums: bool = False) -> tuple[list[Finding], list[str]]:
        """What is found of declared models."""
        return ModelFiles(self.server_files, checksums).check(parse_models(list(items)), cached)

    def wrong(self, path: str = "/models/a.gguf", **options: Any) -> str:
        """What is found of a model with a path, without the words around it; empty for nothing."""
        engine = "llama.cpp" if path.lower().endswith(".gguf") else "transformers"
        found, missing = self.check(llm("chat", engine=engine, path=path), **options)
        assert missing == []
        assert [(each.check, each.severity, each.subject) for each in found] == [("files", CRITICAL, "chat")] * len(found)
        begin = "Files of model 'chat' are not complete: "
        assert all(each.seen.startswith(begin) for each in found)
        return found[0].seen[len(begin) :] if found else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A host without models."""
    return Machine(tmp_path)


# Files that were copied.


@pytest.mark.parametrize(("name", "content"), [("a.gguf", GGUF), ("a.safetensors", SAFETENSORS), ("A.GGUF", GGUF), ("a.gguf", GGUF + b"more")])
def test_a_whole_file(machine: Machine, name: str, content: bytes) -> None:
    machine.put(f"/models/{name}", content)
    assert machine.wrong(f"/models/{name}") == ""


@pytest.mark.parametrize("name", ["a.bin", "a.pt", "a.pth", "a.onnx"])
def test_a_file_that_does_not_say_its_size_is_taken_for_whole_unless_it_is_empty(machine: Machine, name: str) -> None:
    machine.put(f"/models/m/{name}", b"whatever")
    assert machine.wrong("/models/m") == ""
    machine.put(f"/models/m/{name}", b"")
    assert machine.wrong("/models/m") == f"{name} is empty."


def test_a_file_that_was_cut_in_its_tensors(machine: Machine) -> None:
    for name, content in (("a.gguf", GGUF), ("a.safetensors", SAFETENSORS)):
        for size in (len(content) - 1, len(content) - 399):
            machine.put(f"/models/{name}", content[:size])
            assert machine.wrong(f"/models/{name}") == f"{name} has {size} bytes, and by its header it should have {len(content)}."


def test_a_file_that_was_cut_in_its_header(machine: Machine) -> None:
    for name, content in (("a.gguf", _HEADER), ("a.safetensors", SAFETENSORS[: 8 + len(_PLACES)])):
        for size in range(len(content)):
            machine.put(f"/models/{name}", content[:size])
            assert machine.wrong(f"/models/{name}").startswith(f"{name} is {'damaged: ' if size else 'empty.'}")


@pytest.mark.parametrize(("name", "words"), [("a.gguf", "it does not begin like a GGUF file."), ("a.safetensors", "the header names more than any file has.")])
def test_a_page_of_a_hub_in_place_of_a_file(machine: Machine, name: str, words: str) -> None:
    machine.put(f"/models/{name}", b"<html><body>404 Not Found</body></html>")
    assert machine.wrong(f"/models/{name}") == f"{name} is damaged: {words}"


@pytest.mark.parametrize(
    "header",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 2**64 - 1),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<Id", 12, float("inf")),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"a" + struct.pack("<IIQQ", 9, 8, 2, 2**64 - 1) + bytes(64),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 9, 1) + bytes(64),
    ],
)
def test_a_header_that_is_not_possible(machine: Machine, header: bytes) -> None:
    machine.put("/models/a.gguf", header)
    assert machine.wrong().startswith("a.gguf is damaged: ")


def test_json_without_a_bottom_in_a_header(machine: Machine) -> None:
    nested = b"[" * 200_000
    machine.put("/models/a.safetensors", struct.pack("<Q", len(nested)) + nested)
    assert machine.wrong("/models/a.safetensors") == "a.safetensors is damaged: it is nested too deep."


def test_a_header_that_is_longer_than_what_is_read_first(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "_FIRST_BYTES", 40)
    machine.put("/models/a.gguf", GGUF)
    assert machine.wrong() == ""
    machine.put("/models/a.gguf", GGUF[:-1])
    assert machine.wrong() == f"a.gguf has {len(GGUF) - 1} bytes, and by its header it should have {len(GGUF)}."
    machine.put("/models/a.gguf", _HEADER[:45])
    assert machine.wrong() == "a.gguf is damaged: the header ends in the middle."


def test_of_a_header_that_is_longer_than_any_nothing_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "_FIRST_BYTES", 30)
    monkeypatch.setattr(files_module, "HEADER_BYTES", 50)
    machine.put("/models/a.gguf", GGUF)
    assert machine.wrong() == ""


def test_a_hole_of_terabytes_is_not_read(machine: Machine) -> None:
    place = machine.put("/models/a.gguf", GGUF)
    os.truncate(place, 1 << 40)
    assert machine.wrong() == ""
    machine.put("/models/a.gguf", b"GGUF")
    os.truncate(place, 1 << 40)
    # Zeros are a header of a version that is not known.
    assert machine.wrong() == ""


# Directories.


def test_a_directory_without_weights(machine: Machine) -> None:
    machine.put("/models/m/config.json", b"{}")
    assert machine.wrong("/models/m") == "'/models/m' holds no weights."


def test_each_file_of_a_directory(machine: Machine) -> None:
    machine.put("/models/m/a.safetensors", SAFETENSORS)
    machine.put("/models/m/sub/b.safetensors", SAFETENSORS[:-1])
    machine.put("/models/m/c.safetensors", b"")
    assert machine.wrong("/models/m").endswith(" (and 1 more).")


def index(*parts: Any) -> bytes:
    """The index of a model that consists of these files."""
    return json.dumps({"metadata": {}, "weight_map": {str(number): part for number, part in enumerate(parts)}}).encode()


def test_a_part_that_an_index_names(machine: Machine) -> None:
    machine.put("/models/m/model-00001-of-00002.safetensors", SAFETENSORS)
    machine.put("/models/m/model.safetensors.index.json", index("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"))
    assert machine.wrong("/models/m") == "model-00002-of-00002.safetensors is missing."
    machine.put("/models/m/model-00002-of-00002.safetensors", SAFETENSORS)
    assert machine.wrong("/models/m") == ""


def test_an_index_in_a_directory_of_its_own(machine: Machine) -> None:
    machine.put("/models/m/sub/a.safetensors", SAFETENSORS)
    machine.put("/models/m/sub/model.safetensors.index.json", index("a.safetensors"))
    assert machine.wrong("/models/m") == ""


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"weight_map": ' + b"9" * 400 + b"}"])
def test_an_index_that_is_no_json(machine: Machine, content: bytes) -> None:
    machine.put("/models/m/a.safetensors", SAFETENSORS)
    machine.put("/models/m/model.safetensors.index.json", content)
    assert machine.wrong("/models/m") == "model.safetensors.index.json is no JSON."


@pytest.mark.parametrize("content", [b"[]", b"null", b"7", b"{}", b'{"weight_map": []}', b'{"weight_map": "x"}'])
def test_an_index_without_parts(machine: Machine, content: bytes) -> None:
    machine.put("/models/m/a.safetensors", SAFETENSORS)
    machine.put("/models/m/model.safetensors.index.json", content)
    assert machine.wrong("/models/m") == ""


def test_names_in_an_index_are_compared_and_never_opened(machine: Machine) -> None:
    machine.put("/models/m/a.safetensors", SAFETENSORS)
    names = ["/etc/passwd", "../../../etc/passwd", "\x1b[2J\nx", "nul\0", None, 7, ["a"], {"a": 1}, "W" * 100_000, ""]
    machine.put("/models/m/model.safetensors.index.json", index(*names))
    found = machine.wrong("/models/m")
    assert found.endswith("more).")
    assert found.isprintable()
    assert len(found) < 400


def test_names_of_files_are_shown_without_escapes_or_end(machine: Machine) -> None:
    for name in ("\x1b[2J\n\u202e.gguf", "W" * 240 + ".gguf", "\udcff.gguf"):
        machine.put(f"/models/m/{name}", b"")
        found = machine.wrong("/models/m")
        assert found.isprintable()
        assert "is empty" in found
        (machine.models / "m" / name).unlink()


# Links, pipes, other places.


def test_links_in_place_of_files(machine: Machine) -> None:
    machine.put("/models/real.gguf", GGUF[:-1])
    (machine.models / "a.gguf").symlink_to("/models/real.gguf")
    assert machine.wrong() == f"a.gguf has {len(GGUF) - 1} bytes, and by its header it should have {len(GGUF)}."


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "/root/nothing"])
def test_a_link_that_leaves_the_container_is_not_read(machine: Machine, target: str) -> None:
    (machine.folder / "outside").write_bytes(b"root's own")
    (machine.models / "m").mkdir()
    (machine.models / "m/a.gguf").symlink_to(target)
    found = machine.wrong("/models/m")
    assert found.startswith("a.gguf leads to ")
    assert "own" not in found


def test_a_link_that_goes_round_in_circles(machine: Machine) -> None:
    (machine.models / "m").mkdir()
    (machine.models / "m/a.gguf").symlink_to("a.gguf")
    assert machine.wrong("/models/m") == "a.gguf leads back to itself."


def test_nobody_is_waited_for(machine: Machine) -> None:
    os.mkfifo(machine.models / "a.gguf")
    assert machine.wrong() == ""
    (machine.models / "m").mkdir()
    os.mkfifo(machine.models / "m/a.gguf")
    assert machine.wrong("/models/m") == "'/models/m' holds no weights."
    os.mkfifo(machine.models / "m/model.safetensors.index.json")
    machine.put("/models/m/b.gguf", GGUF)
    assert machine.wrong("/models/m") == ""


def test_a_file_that_is_not_there(machine: Machine) -> None:
    found, missing = machine.check(llm("chat", path="/models/none.gguf"))
    assert missing == []
    (finding,) = found
    assert finding.seen == "Model 'chat': path names '/models/none.gguf', which the container does not find."


def test_a_place_that_this_host_does_not_see(machine: Machine) -> None:
    assert machine.wrong("/opt/a.gguf") == ""
    assert ModelFiles(ServerFiles()).check(parse_models([llm("chat", path="/models/a.gguf")]), None) == ([], [])


def test_the_files_of_a_registration(machine: Machine) -> None:
    machine.put("/models/a.gguf", GGUF)
    assert machine.check(custom("own")) == ([], [])
    machine.put("/models/a.gguf", GGUF[:-1])
    (finding,) = machine.check(custom("own"))[0]
    assert finding.subject == "own"
    assert "a.gguf has" in finding.seen


def test_models_that_are_declared_absent_need_no_files(machine: Machine) -> None:
    assert machine.check(gone("chat"), cached=[]) == ([], [])


# Files of hubs.


def test_files_of_a_hub(machine: Machine) -> None:
    machine.cached("a.safetensors", "b.safetensors")
    assert machine.check(llm("chat"), cached=[ROW]) == ([], [])
    assert machine.check(llm("chat"), cached=[ROW], checksums=True) == ([], [])


def test_a_model_whose_files_a_hub_must_give(machine: Machine) -> None:
    assert machine.check(llm("chat"), llm("own", path="/opt/a.gguf"), cached=[]) == ([], ["chat"])
    assert machine.check(llm("chat"), cached=None) == ([], [])


@pytest.mark.parametrize("row", [{**ROW, "real_path": None}, {**ROW, "real_path": ""}, {key: value for key, value in ROW.items() if key != "real_path"}])
def test_a_server_that_does_not_say_where_links_lead(machine: Machine, row: Any) -> None:
    machine.cached("a.safetensors", content=b"")
    assert "is damaged" in machine.check(llm("chat"), cached=[row])[0][0].seen


@pytest.mark.parametrize("path", [None, "", "relative", 7, "/etc", "/root/.xinference/../../etc", "nul\0", "/root/.xinference/nul\0", "\ud800"])
def test_a_path_of_a_server_that_is_none(machine: Machine, path: Any) -> None:
    assert machine.check(llm("chat"), cached=[{**ROW, "path": path, "real_path": path}]) == ([], [])


def test_a_download_that_was_interrupted(machine: Machine) -> None:
    (blob,) = machine.cached("a.safetensors")
    machine.put(blob, SAFETENSORS[:-50])
    (finding,) = machine.check(llm("chat"), cached=[ROW])[0]
    assert finding.seen == (
        f"Files of model 'chat' are not complete: a.safetensors has {len(SAFETENSORS) - 50} bytes, and by its header it should have {len(SAFETENSORS)}."
    )


def test_a_link_of_a_cache_that_leads_to_nothing(machine: Machine) -> None:
    (blob,) = machine.cached("a.safetensors")
    place = machine.server_files.on_host(blob)
    assert place is not None
    place.unlink()
    (finding,) = machine.check(llm("chat"), cached=[ROW])[0]
    assert f"a.safetensors leads to '{blob}', which does not exist" in finding.seen


def test_checksums_are_compared_where_that_was_asked_for(machine: Machine) -> None:
    (blob,) = machine.cached("a.safetensors")
    place = machine.server_files.on_host(blob)
    assert place is not None
    spoilt = bytearray(place.read_bytes())
    spoilt[-20] ^= 1
    place.write_bytes(spoilt)
    assert machine.check(llm("chat"), cached=[ROW]) == ([], [])
    (finding,) = machine.check(llm("chat"), cached=[ROW], checksums=True)[0]
    assert finding.seen.endswith(f"a.safetensors has SHA-256 {hashlib.sha256(spoilt).hexdigest()}, and the hub named it {place.name}.")


def test_checksums_of_files_that_have_other_names_are_not_compared(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.put("/models/a.gguf", GGUF)
    monkeypatch.setattr(ServerFiles, "sha256", lambda *_arguments: pytest.fail("it was read whole"))
    assert machine.wrong(checksums=True) == ""


def test_a_file_that_models_share_is_read_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.put("/models/a.gguf", GGUF[:-1])
    asked: list[str] = []
    beginning = ServerFiles.beginning

    def counted(self: ServerFiles, path: str, limit: int) -> bytes:
        asked.append(path)
        return beginning(self, path, limit)

    monkeypatch.setattr(ServerFiles, "beginning", counted)
    found, _missing = machine.check(llm("one", path="/models/a.gguf"), llm("two", path="/models/a.gguf"))
    assert [each.subject for each in found] == ["one", "two"]
    assert asked == ["/models/a.gguf"]
