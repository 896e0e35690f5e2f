"""Joins the parts: the one place that knows them all.

Guards around a model's call, outermost first: metrics, permission; inside them the router, and around each
provider the redactor, which hides known secrets in the request and in errors. Around a tool's call:
permission, approval (every answer recorded), audit (intent before, outcome after); inside all of them the
executor, whose results and errors are redacted before anybody sees them.

Every secret that the settings name is known to the redactor before the first call, used or not.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from interlock_core import Approver, Principal, Provider
from interlock_core.errors import ConfigurationError
from interlock_core.store import Branch, Store
from interlock_observability import BRANCH as METRICS_BRANCH
from interlock_router import Seams
from interlock_runtime._access import Access, permission_checker
from interlock_runtime._approvals import RecordedApprover, approval_rule
from interlock_runtime._documents import DocumentStore
from interlock_runtime._guarded import GuardedProvider
from interlock_runtime._models import DeclaredProvider, Models, ProviderMaking, declared_providers
from interlock_runtime._mounting import SHIPPED
from interlock_runtime._records import Records
from interlock_runtime._tools import Credentials, ToolGuards, Tools
from interlock_runtime._trail import Trail
from interlock_runtime.settings import Settings
from interlock_security import BRANCH as SECURITY_BRANCH
from interlock_security import (
    WITNESS_FILE,
    AuditGuard,
    AuditLog,
    EnvironmentSecrets,
    FileWitness,
    KnownSecretRedactor,
    PermissionGuard,
)

BRANCHES: Sequence[Branch] = (
    SECURITY_BRANCH,
    METRICS_BRANCH,
    Branch(name="runtime", head="runtime_0001", package="interlock_runtime.migrations"),
)
"""Every part's branch of migrations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The parts, joined.

    Attributes:
        settings: What they were made from.
        principal: The user at this machine.
        provider: The router inside its guards.
        models: Providers, models and the router.
        tools: Documents, tools and their calls.
        access: Users, roles and keys.
        trail: The audit log.
        records: Statistics and metrics.
        redactor: Knows every secret that the settings name or that was given out.
        audit: The audit log.
        store: The database.
    """

    settings: Settings
    principal: Principal
    provider: Provider
    models: Models
    tools: Tools
    access: Access
    trail: Trail
    records: Records
    redactor: KnownSecretRedactor
    audit: AuditLog
    store: Store


async def join(
    settings: Settings,
    *,
    environment: Mapping[str, str],
    approver: Approver,
    open_paths: bool,
    stack: AsyncExitStack,
) -> Joined:
    """Make the parts and join them; the stack closes them in the opposite order, also when this fails.

    Raises:
        ConfigurationError: A setting is wrong, or the data folder cannot be written.
        StoreError: The database cannot be opened.
    """
    checker, redactor = permission_checker(settings), KnownSecretRedactor()
    store, audit = await _opened_log(settings, redactor, stack)
    access = Access(settings, store=store, audit=audit, checker=checker)
    stack.push_async_callback(access.aclose)
    documents, providers = DocumentStore(store), declared_providers(settings, environment)
    access.tell_admin_key(redactor.learn)
    credentials = await _credentials(settings, environment, providers, documents, redactor)
    records = await _opened_records(settings, store, stack)
    models = Models(
        settings,
        providers=providers,
        seams=Seams(performance=records.collector, permit=checker),
        collector=records.collector,
        making=ProviderMaking(secrets=credentials.secrets, redactor=redactor, open_paths=open_paths),
    )
    stack.push_async_callback(models.aclose)
    principal = await access.local()
    permission = PermissionGuard(checker, refusals=audit)
    guards = _tool_guards(settings, permission, approver=approver, audit=audit, redactor=redactor)
    tools = Tools(
        settings, documents=documents, credentials=credentials, audit=audit, guards=guards, access=access
    )
    stack.push_async_callback(tools.aclose)
    return Joined(
        settings=settings,
        principal=principal,
        provider=GuardedProvider(models.router, (*records.guards, permission), nobody=principal),
        models=models,
        tools=tools,
        access=access,
        trail=Trail(audit),
        records=records,
        redactor=redactor,
        audit=audit,
        store=store,
    )


async def _opened_log(
    settings: Settings, redactor: KnownSecretRedactor, stack: AsyncExitStack
) -> tuple[Store, AuditLog]:
    """The database, and the audit log in it."""
    _make_home(settings)
    store = await Store.open(settings.store_url, branches=BRANCHES)
    stack.push_async_callback(store.aclose)
    audit = _audit_log(settings, store, redactor)
    stack.push_async_callback(audit.aclose)
    return store, audit


async def _opened_records(settings: Settings, store: Store, stack: AsyncExitStack) -> Records:
    """The records; nothing is kept where the settings switch them off."""
    records = Records(settings, store)
    stack.push_async_callback(records.aclose)
    if settings.telemetry.metrics:
        await records.open()
    return records


async def _credentials(
    settings: Settings,
    environment: Mapping[str, str],
    providers: Mapping[str, DeclaredProvider],
    documents: DocumentStore,
    redactor: KnownSecretRedactor,
) -> Credentials:
    """Every secret that is named anywhere, known to the redactor before anything can be logged.

    One that cannot be had is an error when it is wanted, not before.
    """
    named = _named_secrets(settings, providers, environment)
    folder = None if settings.file is None else settings.file.parent
    secrets = EnvironmentSecrets(environment, named=named, folder=folder, learn=redactor.learn)
    for name in (*named, *await documents.credentials()):
        with suppress(ConfigurationError):
            await secrets.get(name)
    return Credentials(secrets=secrets, named=frozenset(named))


def _tool_guards(
    settings: Settings,
    permission: PermissionGuard,
    *,
    approver: Approver,
    audit: AuditLog,
    redactor: KnownSecretRedactor,
) -> ToolGuards:
    """What stands around a tool's call, in the order that this module states."""
    return ToolGuards(
        outer=(permission,),
        approver=RecordedApprover(approver, audit),
        inner=(AuditGuard(audit, reads=settings.audit.reads),),
        redactor=redactor,
        needs_approval=approval_rule(settings.approvals.require),
    )


def _make_home(settings: Settings) -> None:
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigurationError(
            f"The data folder {settings.home} cannot be made: {exc.strerror}.",
            field="INTERLOCK_HOME",
            remedy="Point INTERLOCK_HOME at a folder that you may write to.",
        ) from exc


def _audit_log(settings: Settings, store: Store, redactor: KnownSecretRedactor) -> AuditLog:
    path = settings.home / (settings.audit.witness or WITNESS_FILE)
    # A store in memory ends with the process: a witness that outlives it would call the next one rolled back.
    witness = None if settings.store_url == "sqlite://" else FileWitness(path)
    return AuditLog(store, home=settings.home, witness=witness, redactor=redactor)


def _named_secrets(
    settings: Settings, providers: Mapping[str, DeclaredProvider], environment: Mapping[str, str]
) -> dict[str, str]:
    """References (or values) of secrets by the setting that holds them.

    The environment's GitHub token belongs to the document that is shipped, wherever the operator sends its
    calls; another document of that name gets the credential that stands in its own table, or none.
    """
    named = {f"providers.{name}.api_key": entry.settings.api_key for name, entry in providers.items()}
    named |= {f"tools.{name}.credential": entry.credential for name, entry in settings.tools.items()}
    github = settings.tools.get("github")
    shipped = github is None or github.source == SHIPPED["github"]
    if shipped and environment.get("GITHUB_TOKEN") and not named.get("tools.github.credential"):
        named["tools.github.credential"] = "env:GITHUB_TOKEN"
    return {name: reference for name, reference in named.items() if reference}
