"""Joins the parts: the one place that knows them all.

Guards around a model's call, outermost first: alerts (which only watch), metrics, permission, limits of the
callers; inside them the router, and around each provider the redactor, which hides known secrets in the
request and in errors, and the limits of that provider and its models; outside the redactor the quotas, which
pay for each request to a vendor by itself. Around a tool's call: alerts, metrics, permission, approval (every
answer recorded), limits, quota, audit (intent before, outcome after); inside all of them the executor, whose
results and errors are redacted before anybody sees them.

Every secret that the settings name is known to the redactor before the first call, used or not.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from interlock_core import Approver, Principal, Provider
from interlock_core.errors import ConfigurationError
from interlock_core.store import Branch, Store
from interlock_observability import BRANCH as METRICS_BRANCH
from interlock_router import Seams
from interlock_runtime._access import Access, permission_checker
from interlock_runtime._alerts import Alerts
from interlock_runtime._approvals import (
    Approvals,
    asked_people,
    needs_approval,
)
from interlock_runtime._audit_log import open_audit_log
from interlock_runtime._credentials import Credentials, open_credentials
from interlock_runtime._devtools import DevFolders
from interlock_runtime._documents import DocumentStore
from interlock_runtime._guarded import GuardedProvider
from interlock_runtime._limiting import Limits
from interlock_runtime._models import DeclaredProvider, Models, ProviderMaking, declared_providers
from interlock_runtime._own_tasks import classifier_of
from interlock_runtime._pins import StoredPins
from interlock_runtime._quotas import USED_RATIO, QuotaDesk
from interlock_runtime._records import Records
from interlock_runtime._redaction import detection
from interlock_runtime._tools import ToolGuards, Tools
from interlock_runtime._toolservers import ToolServers
from interlock_runtime._trail import Trail
from interlock_runtime._vault import VaultFront
from interlock_runtime.settings import Settings
from interlock_security import BRANCH as SECURITY_BRANCH
from interlock_security import (
    ApprovalDesk,
    AuditGuard,
    AuditLog,
    KnownSecretRedactor,
    PermissionChecker,
)

BRANCHES: Sequence[Branch] = (
    SECURITY_BRANCH,
    METRICS_BRANCH,
    Branch(name="runtime", head="runtime_0003", package="interlock_runtime.migrations"),
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
        approvals: Questions that wait for people.
        limits: Rate limits.
        quotas: Most money a day and a month.
        vault: The secrets that are kept.
        trail: The audit log.
        alerts: What looked suspicious.
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
    approvals: Approvals
    limits: Limits
    quotas: QuotaDesk
    vault: VaultFront
    trail: Trail
    alerts: Alerts
    records: Records
    redactor: KnownSecretRedactor
    audit: AuditLog
    store: Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What every part stands on; the stack closes it last."""

    settings: Settings
    environment: Mapping[str, str]
    stack: AsyncExitStack
    checker: PermissionChecker
    redactor: KnownSecretRedactor
    store: Store
    audit: AuditLog
    access: Access


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """What sees every call: it watches, counts, bounds and pays."""

    alerts: Alerts
    records: Records
    limits: Limits
    quotas: QuotaDesk


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
    ground = await _opened_ground(settings, environment, stack)
    access, audit, store, redactor = ground.access, ground.audit, ground.store, ground.redactor
    documents, providers = DocumentStore(store), declared_providers(settings, environment)
    vault = _opened_vault(ground)
    credentials = await open_credentials(settings, environment, providers, documents, redactor, vault)
    stack.push_async_callback(credentials.tokens.aclose)
    watch = await _opened_watch(ground, credentials)
    models = _models(ground, providers, watch, credentials, open_paths=open_paths)
    vault.changed.append(models.keys_changed)
    principal = await access.local()
    await access.rules.refresh()
    desk = _desk(ground)
    guards_of_models = (*watch.alerts.guards, *watch.records.guards, access.permission)
    router = watch.limits.around_callers(models.router)
    provider = GuardedProvider(router, guards_of_models, nobody=principal)
    asked = asked_people(settings.approvals, approver, desk, ground.checker, audit)
    tools = _tools(ground, documents, credentials, provider, _tool_guards(ground, watch, asked))
    return Joined(
        settings=settings,
        principal=principal,
        provider=provider,
        models=models,
        tools=tools,
        access=access,
        approvals=Approvals(desk, access.local),
        limits=watch.limits,
        quotas=watch.quotas,
        vault=vault,
        trail=Trail(audit, store=store, access=access, keep_days=settings.retention.audit_days),
        alerts=watch.alerts,
        records=watch.records,
        redactor=redactor,
        audit=audit,
        store=store,
    )


async def _opened_ground(
    settings: Settings, environment: Mapping[str, str], stack: AsyncExitStack
) -> _Ground:
    """The database, the audit log in it, and who may do what."""
    checker = permission_checker(settings)
    redactor = KnownSecretRedactor(detection=detection(settings.redaction))
    store, audit = await _opened_log(settings, redactor, stack)
    access = Access(settings, store=store, audit=audit, checker=checker)
    stack.push_async_callback(access.aclose)
    await access.check()
    access.tell_admin_key(redactor.learn)
    return _Ground(
        settings=settings,
        environment=environment,
        stack=stack,
        checker=checker,
        redactor=redactor,
        store=store,
        audit=audit,
        access=access,
    )


def _opened_vault(ground: _Ground) -> VaultFront:
    """The vault; its key is read when a secret of it is wanted."""
    vault = VaultFront(
        ground.settings,
        ground.environment,
        store=ground.store,
        audit=ground.audit,
        access=ground.access,
        redactor=ground.redactor,
    )
    ground.stack.push_async_callback(vault.aclose)
    return vault


async def _opened_watch(ground: _Ground, credentials: Credentials) -> _Watch:
    """Alerts, records, limits and quotas; what waits in them is written before the store is closed."""
    settings, stack = ground.settings, ground.stack
    alerts = Alerts(settings, store=ground.store, audit=ground.audit, secrets=credentials.secrets)
    stack.push_async_callback(alerts.aclose)
    await alerts.open()
    ground.access.watched(alerts.keys)
    records = Records(settings, ground.store, secrets=credentials.secrets, notifier=alerts)
    stack.push_async_callback(records.aclose)
    await records.open()
    limits = Limits(
        settings, store=ground.store, audit=ground.audit, access=ground.access, secrets=credentials.secrets
    )
    await limits.open(records.collector)
    stack.push_async_callback(limits.aclose)
    quotas = QuotaDesk(
        settings, store=ground.store, audit=ground.audit, access=ground.access, notifier=alerts
    )
    stack.push_async_callback(quotas.aclose)
    await quotas.open()
    ground.access.priced(quotas.call_price)
    records.measure(USED_RATIO, quotas.used)
    return _Watch(alerts=alerts, records=records, limits=limits, quotas=quotas)


def _models(
    ground: _Ground,
    providers: Mapping[str, DeclaredProvider],
    watch: _Watch,
    credentials: Credentials,
    *,
    open_paths: bool,
) -> Models:
    """Providers, models and the router."""
    making = ProviderMaking(
        secrets=credentials.secrets,
        redactor=ground.redactor,
        open_paths=open_paths,
        limited=watch.limits.around_attempts,
        metered=watch.quotas.around_attempts,
    )
    collector = watch.records.collector
    seams = Seams(
        performance=collector, permit=ground.checker, classifier=classifier_of(ground.settings.tasks)
    )
    models = Models(ground.settings, providers=providers, seams=seams, collector=collector, making=making)
    ground.stack.push_async_callback(models.aclose)
    return models


def _tools(
    ground: _Ground,
    documents: DocumentStore,
    credentials: Credentials,
    provider: Provider,
    guards: ToolGuards,
) -> Tools:
    """Documents, servers and the tools for developers, with what stands around their calls."""
    servers = ToolServers(
        ground.settings,
        environment=ground.environment,
        secrets=credentials.secrets,
        named=credentials.named,
        pins=StoredPins(ground.store, audit=ground.audit, access=ground.access),
        redactor=ground.redactor,
    )
    tools = Tools(
        ground.settings,
        documents=documents,
        servers=servers,
        folders=DevFolders(ground.settings, provider),
        credentials=credentials,
        audit=ground.audit,
        guards=guards,
        access=ground.access,
    )
    ground.stack.push_async_callback(tools.aclose)
    return tools


async def _opened_log(
    settings: Settings, redactor: KnownSecretRedactor, stack: AsyncExitStack
) -> tuple[Store, AuditLog]:
    """The database, and the audit log in it."""
    _make_home(settings)
    store = await Store.open(settings.store_url, branches=BRANCHES)
    stack.push_async_callback(store.aclose)
    return store, open_audit_log(settings, store, redactor, stack)


def _tool_guards(ground: _Ground, watch: _Watch, asked: Approver) -> ToolGuards:
    """What stands around a tool's call, in the order that this module states."""
    settings, access = ground.settings, ground.access
    counting = (watch.limits.around_tools(), watch.quotas.around_tools())
    return ToolGuards(
        outer=(*watch.alerts.guards, *watch.records.guards, access.permission_before_approval),
        unasked=(*watch.alerts.guards, *watch.records.guards, access.permission),
        approver=asked,
        inner=(*counting, AuditGuard(ground.audit, reads=settings.audit.reads)),
        redactor=ground.redactor,
        needs_approval=needs_approval(settings.approvals, ground.checker),
        price_of=watch.quotas.call_price,
    )


def _desk(ground: _Ground) -> ApprovalDesk:
    """Where questions wait for people."""
    return ApprovalDesk(
        ground.store,
        checker=ground.checker,
        changes=ground.audit,
        redactor=ground.redactor,
        valid_s=ground.settings.approvals.valid_s,
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
