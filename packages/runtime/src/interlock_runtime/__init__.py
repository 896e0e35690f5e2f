"""Joins the parts: settings in, a running Interlock out.

The demonstration, the doctor, the dialects of clients and what comes out of a job live in modules of their
own (`demonstration`, `doctor`, `dialects`, `jobs`, `configuration`), because start-up time is measured.
"""

from interlock_runtime._access import Access
from interlock_runtime._load import load as load_settings
from interlock_runtime._models import ProviderRow, ProviderVerdict
from interlock_runtime._question import Question, SpecificationJob
from interlock_runtime._records import Asked, Dimension
from interlock_runtime._rules import RightQuestion
from interlock_runtime._runtime import Runtime
from interlock_runtime.settings import Settings
from interlock_security import KeyRequest, OverrideRequest

__all__ = [
    "Access",
    "Asked",
    "Dimension",
    "KeyRequest",
    "OverrideRequest",
    "ProviderRow",
    "ProviderVerdict",
    "Question",
    "RightQuestion",
    "Runtime",
    "Settings",
    "SpecificationJob",
    "load_settings",
]
