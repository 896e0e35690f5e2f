"""The audit log as the settings want it, with its witness."""

from contextlib import AsyncExitStack

from interlock_core.errors import ConfigurationError
from interlock_core.protocols import Redactor
from interlock_core.store import Store
from interlock_runtime.settings import Settings
from interlock_security import (
    WITNESS_FILE,
    AuditLog,
    FileWitness,
    HttpWitness,
    StoreWitness,
    Witness,
)

_DATABASES = ("sqlite://", "postgresql://", "postgres://")


def open_audit_log(settings: Settings, store: Store, redactor: Redactor, stack: AsyncExitStack) -> AuditLog:
    """The log, closed with the stack.

    Raises:
        ConfigurationError: The witness is not one.
    """
    log = AuditLog(store, home=settings.home, witness=_witness(settings, stack), redactor=redactor)
    stack.push_async_callback(log.aclose)
    return log


def _witness(settings: Settings, stack: AsyncExitStack) -> Witness | None:
    """A file, unless the setting is the URL of a witness or of a database."""
    place = settings.audit.witness
    if settings.store_url == "sqlite://":
        # It ends with the process: a witness that outlives it would call the next one rolled back.
        return None
    if place.startswith(("http://", "https://")):
        kept = FileWitness(settings.home / WITNESS_FILE)
        judge = HttpWitness(place, kept=kept)
        stack.push_async_callback(judge.aclose)
        return judge
    if place.startswith(_DATABASES):
        if place == settings.store_url:
            raise ConfigurationError(
                "The audit log's witness is the log's own database, and would be rolled back with it.",
                field="audit.witness",
                remedy="Name another database, a file or the https address of a witness.",
            )
        other = StoreWitness(place)
        stack.push_async_callback(other.aclose)
        return other
    return FileWitness(settings.home / (place or WITNESS_FILE))
