"""What permissions and keys need of the audit log: no record, no change."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from interlock_core.call import Principal
from interlock_core.jsontypes import JsonObject


class ChangeLog(Protocol):
    """Records changes of permissions, keys and the like. `AuditLog` is one."""

    def change(self, name: str, by: Principal, data: JsonObject) -> AbstractAsyncContextManager[None]:
        """The context in which a change is made: recorded durably before, and what became of it after.

        Raises:
            AuditUnavailableError: It cannot be recorded, so it is not made.
        """
        ...
