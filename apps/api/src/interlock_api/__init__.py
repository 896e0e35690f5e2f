"""The HTTP gateway: a face of the runtime that speaks the dialects of existing clients."""

from interlock_api._app import Gateway
from interlock_api._serve import running, serve

__all__ = ["Gateway", "running", "serve"]
