# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that was made by hand is not lost: it is refused until its tree is declared, written down as it runs, and adopted with all that it has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from conftest import ADOPTED, CONTAINER, GGUF, HOME, TEMPLATE, Site, changes, docker, failure


def running() -> str:
    """The container and when it was started."""
    return docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", CONTAINER)


def link(site: Site) -> Path:
    """The link that the server made in its cache to the model's file."""
    (found,) = [path for path in (site.root / "cache/v2").rglob("*") if path.is_symlink()]
    return found


def test_a_server_with_another_home_is_not_replaced_by_an_empty_one(site: Site) -> None:
    before = running()
    said = failure(site.play("provision", code=2))
    assert said.startswith("1 problem, nothing was changed.\n")
    assert f"keeps its server's home {HOME} in {site.root}; the declared one would have {site.root}/.xinference at /root/.xinference" in said
    assert "Set xinference_home to /data, and xinference_volumes to [{path: ., target: /data}]" in said
    assert running() == before
    assert not (site.root / ".xinference").exists()


def test_a_server_under_another_name_is_named(site: Site) -> None:
    said = failure(site.play("provision", code=2, xinference_container_name="xinference-adoption-other"))
    assert f"Port {site.port} is in use by container {CONTAINER} " in said
    assert f"Set xinference_container_name to {CONTAINER} to adopt it, or xinference_port to another one." in said


def test_nothing_is_written_down_by_a_check(site: Site) -> None:
    # The client comes with the first run that is none.
    site.play("export", xinference_export_directory="first")
    output = site.play("export", "--check", xinference_export_directory=".")
    assert changes(output) == 1
    assert "+xinference_models:" in output
    assert not (site.folder / "by-hand.yml").exists()


def test_secrets_are_named_and_not_written_down(site: Site) -> None:
    output = site.play("export", xinference_export_directory="without")
    text = (site.folder / "without/by-hand.yml").read_text(encoding="utf-8")
    assert '# Unknown fields of model "chat": "environment.EXAMPLE_TOKEN".' in text.splitlines()
    assert site.token not in text
    assert "by-hand.yml: chat. Unknown fields: chat: environment.EXAMPLE_TOKEN." in output


def test_what_is_written_down(exported: Site) -> None:
    text = exported.file.read_text(encoding="utf-8")
    assert exported.file.stat().st_mode & 0o777 == 0o600
    assert exported.file.parent.stat().st_mode & 0o777 == 0o700
    assert exported.file.stat().st_uid == os.getuid()
    marked: list[str] = []

    class Loader(yaml.SafeLoader):
        """Reads Ansible's tag for a text that is no template."""

    def note(loader: Loader, node: yaml.ScalarNode) -> str:
        marked.append(str(loader.construct_scalar(node)))
        return marked[-1]

    Loader.add_constructor("!unsafe", note)
    (model,) = yaml.load(text, Loader)["xinference_models"]
    assert model["engine_options"] == {"n_ctx": 512, "n_parallel": 1, "n_threads": 1}
    assert model["environment"] == {"EXAMPLE_TOKEN": exported.token}
    assert model["registration"]["chat_template"] == TEMPLATE
    # Whatever a server calls itself, nothing of it is a template.
    assert set(marked) == {TEMPLATE, "{{ lookup('ansible.builtin.pipe', 'id') }}"}


def test_writing_it_down_again_changes_nothing(exported: Site) -> None:
    for options in ((), ("--check",)):
        assert changes(exported.play("export", *options, xinference_export_directory="written", xinference_export_secrets=True)) == 0


@pytest.mark.parametrize("changed", [False, True])
def test_a_file_of_the_user_is_left_alone(exported: Site, changed: bool) -> None:
    """Also one that was edited after the playbook had written it."""
    own = exported.folder / ("changed" if changed else "own") / "by-hand.yml"
    own.parent.mkdir()
    content = f"{exported.file.read_text(encoding='utf-8') if changed else ''}mine: true\n"
    own.write_text(content, encoding="utf-8")
    said = failure(exported.play("export", code=2, xinference_export_directory=own.parent.name))
    assert said.startswith(f"{own} was not written by this playbook, or was changed since, so it is left as it is.")
    assert own.read_text(encoding="utf-8") == content


def test_a_run_with_it_changes_nothing(exported: Site) -> None:
    before = running()
    output = exported.play("provision", "--tags", "models", "-e", f"@{exported.file}", **ADOPTED)
    assert changes(output) == 0
    assert running() == before


def test_the_adopted_server_has_all_that_it_had(adopted: Site) -> None:
    models = {model["id"]: model["model_name"] for model in adopted.ask("/v1/models")["data"]}
    assert models == {"chat": "by-hand"}
    assert adopted.ask("/v1/model_registrations/LLM/by-hand")["chat_template"] == TEMPLATE
    # The link is an absolute path of the container, and leads to the file still.
    assert str(link(adopted).readlink()) == f"{HOME}/files/{GGUF}"
    docker("exec", CONTAINER, "test", "-s", f"{HOME}/{link(adopted).relative_to(adopted.root)}")
    asked = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    assert adopted.ask("/v1/chat/completions", asked)["choices"]
    assert not (adopted.root / ".xinference").exists()


def test_the_adopted_server_is_as_declared(adopted: Site) -> None:
    before = running()
    assert changes(adopted.play("provision", "-e", f"@{adopted.file}", **ADOPTED)) == 0
    assert running() == before
    # What is written down of it is what it was made from.
    assert changes(adopted.play("export", xinference_export_directory="written", xinference_export_secrets=True, **ADOPTED)) == 0


def test_the_adopted_server_and_its_data_can_be_removed(adopted: Site) -> None:
    adopted.play("teardown", xinference_teardown_data=True, **ADOPTED)
    assert not adopted.root.exists()
