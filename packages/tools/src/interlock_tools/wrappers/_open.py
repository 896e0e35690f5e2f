"""A wrapper with everything below it, for programs that have no registry and executor of their own."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

from interlock_core.call import Call, CallKind, Principal
from interlock_core.ids import new_id
from interlock_core.protocols import SecretStore
from interlock_tools._builtin import builtin_document, builtin_redirects
from interlock_tools._documents import DocumentOptions
from interlock_tools._executor import ToolExecutor
from interlock_tools._registry import ToolRegistry
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.wrappers._github import GitHub
from interlock_tools.wrappers._sam_gov import SamGov

_LOCAL = Principal(user="local:program")


@asynccontextmanager
async def opened_github(
    owner: str,
    repo: str,
    *,
    secrets: SecretStore,
    token: str = "GITHUB_TOKEN",  # noqa: S107 - the name of a secret, not one
    base_url: str = "",
    limits: ExecutorLimits | None = None,
    principal: Principal = _LOCAL,
    headers: Mapping[str, str] | None = None,
) -> AsyncGenerator[GitHub, None]:
    """GitHub, with an executor of its own, until the block ends.

    Args:
        owner: Who owns the repository.
        repo: Its name.
        secrets: Gives out the token.
        token: Name of the token in `secrets`.
        base_url: Address of an own server; GitHub's unless given.
        limits: Bounds of calls.
        principal: Who asks.
        headers: Headers of every request.
    """
    async with _executor("github", base_url, secrets, token, limits, headers) as executor:
        yield GitHub(executor, owner, repo, context=_contexts(principal))


@asynccontextmanager
async def opened_sam_gov(
    *,
    secrets: SecretStore,
    key: str = "SAM_API_KEY",
    base_url: str = "",
    limits: ExecutorLimits | None = None,
    principal: Principal = _LOCAL,
) -> AsyncGenerator[SamGov, None]:
    """SAM.gov, with an executor of its own, until the block ends.

    Args:
        secrets: Gives out the key.
        key: Name of the key in `secrets`.
        base_url: Address of an own server; the public one unless given.
        limits: Bounds of calls.
        principal: Who asks.
    """
    async with _executor("sam_gov", base_url, secrets, key, limits, None) as executor:
        yield SamGov(executor, context=_contexts(principal))


@asynccontextmanager
async def _executor(
    name: str,
    base_url: str,
    secrets: SecretStore,
    secret: str,
    limits: ExecutorLimits | None,
    headers: Mapping[str, str] | None,
) -> AsyncGenerator[ToolExecutor, None]:
    source, origin = builtin_document(name)
    registry = ToolRegistry()
    options = DocumentOptions(
        base_url=base_url,
        credential=secret,
        credential_origins=(origin,),
        headers=headers or {},
        redirects=builtin_redirects(name),
    )
    await registry.add(source, namespace=name, options=options)
    executor = ToolExecutor(registry, secrets=secrets, limits=limits)
    try:
        yield executor
    finally:
        await executor.aclose()


def _contexts(principal: Principal) -> Callable[[], Call]:
    def context() -> Call:
        return Call(id=new_id("call"), kind=CallKind.TOOL, name="", principal=principal)

    return context
