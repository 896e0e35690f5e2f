"""What the gateway and the management interface behind it must agree on."""

OPENAPI = "/openapi.json"
"""Where the interface is described."""

PRINCIPAL = "interlock.principal"
"""Key of the scope: whom the request's key stands for."""

_PREFIX = "/api/"


def is_managed(path: str) -> bool:
    """Whether an address belongs to the management interface."""
    return path == OPENAPI or path.startswith(_PREFIX) or path == _PREFIX[:-1]
