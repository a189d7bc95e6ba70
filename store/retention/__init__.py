"""Retention: what is older than a policy keeps is deleted in short transactions, and stays counted."""

from __future__ import annotations

from store.retention.policy import FOR_EVER, RetentionPolicy
from store.retention.pruning import Pruned, prune

__all__ = ["FOR_EVER", "Pruned", "RetentionPolicy", "prune"]
