"""Makes providers out of what the operator wrote: values come as arguments, the environment is not read."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from interlock_core import Clock, PriceBook, Provider, Secret, SystemClock
from interlock_core.errors import ConfigurationError
from interlock_core.nearest import suggestion
from interlock_core.resilience import RetryPolicy
from interlock_providers.rows import VENDORS, CarrierName, Vendor

if TYPE_CHECKING:
    from pathlib import Path

    from interlock_core.http import HttpClient
    from interlock_providers.carriers import Carrier, Credential
    from interlock_providers.provider import Timeouts

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_RESERVED = frozenset({"auto"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """How providers work, whatever their kind.

    Attributes:
        carrier: How requests travel; None takes what the vendor's row says.
        http: The process's HTTP client, whose egress must allow the provider's origin; None opens an own.
        prices: What models cost.
        timeouts: How long vendors are waited for; None for the defaults.
        retries: How often they are tried.
        clock: Tells the time.
        sleep: Waits between attempts; None for the real thing.
        folder: Data folder that holds the weights of local models; None knows only installed ones.
        open_paths: A local model may be any file that a request names; off where strangers ask.
    """

    carrier: CarrierName | None = None
    http: "HttpClient | None" = None
    prices: PriceBook | None = None
    timeouts: "Timeouts | None" = None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], Awaitable[None]] | None = None
    folder: "Path | None" = None
    open_paths: bool = True


def build_provider(
    name: str,
    *,
    kind: str,
    base_url: str | None = None,
    api_key: Secret | None = None,
    models: Sequence[str] = (),
    options: ProviderOptions | None = None,
) -> Provider:
    """Make a provider. Nothing is connected and no model is loaded before the first request.

    Args:
        name: Name under which its models stand before the slash.
        kind: One of `VENDORS`.
        base_url: Where it is; the vendor's own address unless given.
        api_key: Its key, which is sent to the origin of its base URL alone.
        models: The vendor's names of its models, or paths of GGUF files for a local provider; empty asks
            the vendor, or knows the installed weights.
        options: How it works.

    Raises:
        ConfigurationError: A value is wrong or missing; `field` and remedy say which and what to do.
        MissingExtraError: The kind needs an optional dependency that is not installed.
    """
    vendor = vendor_row(kind, field=f"providers.{name}.kind")
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ConfigurationError(
            f"{name!r} cannot be the name of a provider.",
            field=f"providers.{name}",
            remedy="Use lower-case letters, digits, dots, hyphens and underscores; `auto` is reserved.",
        )
    options = options or ProviderOptions()
    if not vendor.local:
        return _build_http(name, vendor, base_url, api_key, tuple(models), options)
    if base_url or api_key:
        raise ConfigurationError(
            f"The provider {name} runs in this process and has neither base URL nor key.",
            field=f"providers.{name}.{'base_url' if base_url else 'api_key'}",
            remedy="Leave it out, or choose another kind.",
        )
    return _build_local(name, models, options)


def vendor_row(kind: str, *, field: str = "kind") -> Vendor:
    """The facts of a kind.

    Raises:
        ConfigurationError: There is no such kind; the remedy names the nearest.
    """
    row = VENDORS.get(kind)
    if row is None:
        raise ConfigurationError(
            f"There is no kind of provider named {kind!r}.", field=field, remedy=suggestion(kind, VENDORS)
        )
    return row


def provider_origin(kind: str, base_url: str | None = None) -> str | None:
    """The origin that a provider will be asked at, which its HTTP client's egress must allow.

    Returns:
        None for a provider that asks nobody.

    Raises:
        ConfigurationError: The kind or the base URL is wrong.
    """
    vendor = vendor_row(kind)
    if vendor.local:
        return None
    return _origin(_base_url(kind, vendor, base_url), kind)


def _base_url(name: str, vendor: Vendor, base_url: str | None) -> str:
    url = (base_url or vendor.base_url or "").rstrip("/")
    for ending in vendor.versions:
        url = url.removesuffix(ending)
    if not url:
        raise ConfigurationError(
            f"The provider {name} has no base URL.",
            field=f"providers.{name}.base_url",
            remedy="Say where the server is, such as http://127.0.0.1:8000/v1.",
        )
    if "?" in url or "#" in url:
        raise ConfigurationError(
            f"The base URL of {name} has a query or a fragment.",
            field=f"providers.{name}.base_url",
            remedy="End it with the path, such as https://host/v1.",
        )
    return url


def _origin(url: str, name: str) -> str:
    from interlock_core.errors import InterlockError
    from interlock_core.http import origin_of

    try:
        return origin_of(url)
    except InterlockError as exc:
        raise ConfigurationError(
            f"The base URL of {name} is wrong: {exc.message}",
            field=f"providers.{name}.base_url",
            remedy="Write it as https://host/v1, without a user name.",
        ) from exc


def _build_local(name: str, models: Sequence[str], options: ProviderOptions) -> Provider:
    from pathlib import Path

    from interlock_providers.local import LocalModel, LocalProvider

    files = {Path(path).stem.lower(): LocalModel(path=Path(path)) for path in models}
    return LocalProvider(
        name=name, folder=options.folder, models=files, open_paths=options.open_paths, clock=options.clock
    )


def _build_http(
    name: str,
    vendor: Vendor,
    base_url: str | None,
    api_key: Secret | None,
    models: tuple[str, ...],
    options: ProviderOptions,
) -> Provider:
    from interlock_providers.carriers import Credential
    from interlock_providers.codecs import codec
    from interlock_providers.provider import HttpProvider, HttpSettings, Timeouts

    url = _base_url(name, vendor, base_url)
    origin = _origin(url, name)
    if vendor.needs_key and base_url is None and not api_key:
        raise ConfigurationError(
            f"The provider {name} has no API key.",
            field=f"providers.{name}.api_key",
            remedy=f"Set {vendor.key_variables[0]}, or api_key of [providers.{name}].",
        )
    credential = Credential(secret=api_key, origin=origin) if api_key else None
    settings = HttpSettings(
        name=name,
        vendor=vendor,
        base_url=url,
        models=models,
        secret=api_key,
        prices=options.prices,
        timeouts=options.timeouts or Timeouts(),
        retries=options.retries,
        clock=options.clock,
    )
    if options.sleep is not None:
        from dataclasses import replace

        settings = replace(settings, sleep=options.sleep)
    return HttpProvider(
        settings, codec(vendor.dialects[0]), _open_carrier(vendor, origin, credential, options)
    )


def _open_carrier(
    vendor: Vendor, origin: str, credential: "Credential | None", options: ProviderOptions
) -> "Carrier":
    if (options.carrier or vendor.carrier) == "sdk" and vendor.sdk is not None:
        opened: Carrier = import_module(vendor.sdk).open_carrier(origin, credential)
        return opened
    from interlock_core.http import Egress, HttpClient
    from interlock_providers.carriers.fast import FastCarrier

    if options.http is not None:
        return FastCarrier(options.http, credential=credential)
    client = HttpClient(egress=Egress(allowed_origins=[origin]))
    return FastCarrier(client, credential=credential, owned=True)
