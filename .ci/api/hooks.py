"""Adapts generated requests to this server: schemathesis knows only its document."""

import re
import zlib

import schemathesis

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
# the verdict of `large` has two megabytes: requested as often as the others, it would take most of the time
STORED = (
    [{"app": "large", "run": "r1"}]
    + [{"app": "hostile", "run": "r1"}] * 4
    + [{"app": "many", "run": str(1764000000 + 900 * n)} for n in range(35)]
)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Points every other well-formed path at a stored run: a random name never exists."""
    if not path_parameters or not all(isinstance(v, str) and NAME.match(v) for v in path_parameters.values()):
        return path_parameters
    digest = zlib.crc32(repr(sorted(path_parameters.items())).encode())
    if digest % 2:
        return path_parameters
    stored = STORED[digest // 2 % len(STORED)]
    return {name: stored.get(name, value) for name, value in path_parameters.items()}


@schemathesis.hook
def filter_headers(context, headers):
    """Drops requests with an invalid length: the HTTP library below the server answers them, without a body."""
    return not headers or not {name.lower() for name in headers} & {"content-length", "transfer-encoding"}
