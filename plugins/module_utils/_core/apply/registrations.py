# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registrations that a model needs before its launch. Private to this collection."""

from __future__ import annotations

from ..base.errors import ApiError
from .model_run import ModelRun, PlanRun

__all__ = ["Registrations"]

_REGISTERED = ("already registered", "conflicts with existing model")


class Registrations:
    """Those of one plan: each is written once, however many models share it.

    :param run: the plan that is applied.
    """

    def __init__(self, run: PlanRun) -> None:
        self.run = run
        self.client = run.client
        #: Type and name of what was written.
        self.registered: set[tuple[str, str]] = set()

    def register(self, model: ModelRun) -> None:
        """Register a custom model, in place of the registration that is there."""
        action = model.action
        if action.register is None:
            return
        model_type, specification = action.register
        key = (model_type, str(specification["model_name"]))
        if key in self.registered:
            # Written for another model of this run, and for this one as well.
            model.written = True
            return
        if action.replaced is not None:
            self.run.write(model, lambda: self.client.unregister(*key))
            model.replaced_registration = (model_type, action.replaced)
        try:
            self.run.write(model, lambda: self.client.register(model_type, specification, self.run.context.persist(specification)))
        except ApiError as error:
            if not any(words in error.detail for words in _REGISTERED):
                raise
            # One that does not survive a restart, or that another client made in the meantime. The server's own models cannot be removed.
            self.run.write(model, lambda: self.client.unregister(*key))
            self.run.write(model, lambda: self.client.register(model_type, specification, self.run.context.persist(specification)))
        self.registered.add(key)

    def roll_back(self, model: ModelRun) -> None:
        """Register again what was replaced for a model."""
        if model.replaced_registration is not None:
            model_type, specification = model.replaced_registration
            model.replaced_registration = None
            name = str(specification["model_name"])
            self.client.unregister(model_type, name)
            self.client.register(model_type, specification, self.run.context.persist(specification))
            self.registered.discard((model_type, name))
