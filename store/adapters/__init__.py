"""Adapters that read the events of other systems into `store.event.Event`: one module a schema."""

from __future__ import annotations
