"""A process that does what it is told: one JSON object a line on its standard input, one answer on its output.

The process ends with its input, so that none outlives the test that started it.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

Commands = Mapping[str, Callable[..., dict[str, Any]]]


def serve(commands: Commands) -> None:
    """Run the commands that come in, until there are no more. Log lines go to the standard error."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    print("{}", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = commands[request.pop("do")](**request)
        print(json.dumps(answer), flush=True)
