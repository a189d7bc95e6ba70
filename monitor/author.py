"""Who sits at this terminal, for what is recorded of people: acknowledgements, silences."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping

from monitor.errors import StartError
from monitor.settings import USER_VARIABLE


def author(environment: Mapping[str, str] = os.environ) -> str:
    """What `EVTOP_USER` says, else the login name.

    Raises:
        StartError: neither says anything.
    """
    if name := environment.get(USER_VARIABLE, "").strip():
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise StartError(f"who you are is not known here; set {USER_VARIABLE}") from None
