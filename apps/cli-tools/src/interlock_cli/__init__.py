"""The interlock command line: a face of the runtime that holds no business logic."""

__version__ = "0.1.0"

__all__ = ["__version__"]
