"""A document in a registry: what the operator wrote about it, its tools, and what became of it."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from interlock_core.errors import InvalidRequestError
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.openapi._arguments import Wording
from interlock_tools.openapi._bundle import DocumentBundle, Version
from interlock_tools.openapi._convert import ConvertOptions, OpenApiTool
from interlock_tools.openapi._ir import Skipped
from interlock_tools.openapi._kept import Converted
from interlock_tools.openapi._problem import Problem
from interlock_tools.openapi._source import Source, is_url


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentOptions:
    """What the operator writes about one document.

    Attributes:
        base_url: Address of the API in place of every server of the document; allowed exactly as written.
        allow: Patterns of the operations to offer, by tool name, operation id or endpoint (`GET /users*`).
        deny: Patterns of those not to offer, whatever `allow` says.
        credential: Name of the secret for whichever security scheme the document has.
        credentials: Name of the secret for each scheme by its name; `bearer`, `basic`, `header:NAME`,
            `query:NAME` and `cookie:NAME` place one that the document does not describe. For `mutualTLS` it
            is a private key with its certificate behind it, in PEM.
        credential_origins: Further origins that credentials may be sent to, beside that of `base_url` and
            that of the document's own URL.
        variables: Values of server variables.
        trusted: Results carry nobody else's text.
        max_tool_tokens: About the most tokens of one tool; deeper parts are folded above it.
        wording: How long descriptions may be; shorter the more operations there are, unless given.
        headers: Headers of every request, such as the media type of a version; an argument comes before
            them, a credential has no place in them.
        limits: Bounds of its calls, in place of the executor's.
        redirects: Patterns of further origins (`https://*.example.org`) that a `GET` may be redirected to. No
            credential and no header of the request goes along.
        overlays: Files or URLs of overlays, laid over the document in this order. They count where it is read
            from its source, not for one that is given as an object.
        sha256: SHA-256 of the document's bytes in hexadecimal; any other document is refused. Empty for any.
    """

    base_url: str = ""
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    credential: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict[str, str])
    credential_origins: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    trusted: bool = False
    max_tool_tokens: int | None = 4_000
    wording: Wording | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: ExecutorLimits | None = None
    redirects: tuple[str, ...] = ()
    overlays: tuple[Source, ...] = ()
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    """What became of a document.

    Attributes:
        namespace: What stands before the dot of its tools' names.
        source: What it was asked for by.
        title: Its title.
        version: Version of its form.
        operations: How many operations it has.
        tools: How many tools it gives.
        excluded: How many operations the patterns leave out.
        folded: How many tools show a model less than their whole schema.
        skipped: Operations that could not become a tool, each with a reason.
        problems: What was tolerated.
    """

    namespace: str
    source: str
    title: str
    version: str
    operations: int
    tools: int
    excluded: int
    folded: int
    skipped: tuple[Skipped, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What a reload changed, by names of tools.

    Attributes:
        info: The document as it is now.
        added: Tools that are new.
        changed: Tools that say something else than before.
        removed: Tools that are gone.
    """

    info: DocumentInfo
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A document in a registry.

    Attributes:
        namespace: Its namespace.
        source: Where it can be read again; None for one that was given as an object or a bundle.
        options: What the operator wrote about it.
        tools: Its tools by name.
        info: What became of it.
        written_origin: Origin of `base_url`; empty when none was written.
        trusted_origins: Origins that its credentials may be sent to. They stay when it is reloaded.
        digest: SHA-256 of all that it was read from; empty for an object.
        versions: What servers said of the versions of its files.
        key: Names everything that its tools were made of; empty when that is not known.
        remote: Something of it came from a server, so that others may change it.
        held: Names of tools that it has and that are not offered.
    """

    namespace: str
    source: Source | None
    options: DocumentOptions
    tools: Mapping[str, OpenApiTool]
    info: DocumentInfo
    written_origin: str
    trusted_origins: frozenset[str]
    digest: str = ""
    versions: Mapping[str, Version] = field(default_factory=dict[str, Version])
    key: str = ""
    remote: bool = False
    held: frozenset[str] = frozenset()

    @property
    def everything(self) -> Mapping[str, OpenApiTool]:
        """Its tools by name, those that are not offered included."""
        return self.tools.whole if isinstance(self.tools, OfferedTools) else self.tools

    def without(self, names: Collection[str]) -> "Mounted":
        """The document with every tool offered but these."""
        held = frozenset(names) & self.everything.keys()
        return replace(
            self, tools=OfferedTools(self.everything, held) if held else self.everything, held=held
        )


class OfferedTools(Mapping[str, OpenApiTool]):
    """Tools of which some are not offered.

    Args:
        whole: All of them.
        held: Names of those that are not.
    """

    def __init__(self, whole: Mapping[str, OpenApiTool], held: frozenset[str]) -> None:
        self.whole = whole
        self._held = held

    def __getitem__(self, name: str) -> OpenApiTool:
        if name in self._held:
            raise KeyError(name)
        return self.whole[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.whole if name not in self._held)

    def __len__(self) -> int:
        return len(self.whole) - len(self._held)


def converting(options: DocumentOptions) -> ConvertOptions:
    """What the converter is told of an operator's wishes."""
    return ConvertOptions(
        max_tool_tokens=options.max_tool_tokens,
        wording=options.wording,
        allow=options.allow or ("*",),
        deny=options.deny,
    )


def mounted(
    found: Converted,
    source: Source | None,
    options: DocumentOptions,
    *,
    uri: str = "",
    trusted: frozenset[str] | None = None,
) -> Mounted:
    """A document with its tools.

    Args:
        found: What became of it.
        source: Where it can be read again.
        options: What the operator writes about it.
        uri: Its own address, as the operator wrote it.
        trusted: Origins that its credentials may be sent to; those that `options` and `uri` name by default.

    Raises:
        EgressRefusedError: `base_url` is no plain address.
    """
    written = _origin(options.base_url) if options.base_url else ""
    if trusted is None:
        named = [*options.credential_origins, options.base_url, uri]
        trusted = frozenset(_origin(url) for url in named if is_url(url))
    return Mounted(
        namespace=found.namespace,
        source=source,
        options=options,
        tools=TrustedTools(found.tools) if options.trusted else found.tools,
        info=DocumentInfo(
            namespace=found.namespace,
            source=found.source,
            title=found.title,
            version=found.version,
            operations=found.operations,
            tools=len(found.tools),
            excluded=found.excluded,
            folded=found.folded,
            skipped=found.skipped,
            problems=found.problems,
        ),
        written_origin=written,
        trusted_origins=trusted,
        key=found.key,
    )


class TrustedTools(Mapping[str, OpenApiTool]):
    """Tools whose results carry nobody else's text.

    Args:
        tools: The tools as the document gives them.
    """

    def __init__(self, tools: Mapping[str, OpenApiTool]) -> None:
        self._tools = tools

    def __getitem__(self, name: str) -> OpenApiTool:
        tool = self._tools[name]
        if tool.spec.untrusted:
            tool.spec = replace(tool.spec, untrusted=False)
        return tool

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)


def difference(old: Mounted, new: Mounted) -> Reload:
    """What changed from one reading of a document to the next."""
    both = old.tools.keys() & new.tools.keys()
    return Reload(
        info=new.info,
        added=tuple(sorted(new.tools.keys() - old.tools.keys())),
        changed=tuple(sorted(name for name in both if old.tools[name].spec != new.tools[name].spec)),
        removed=tuple(sorted(old.tools.keys() - new.everything.keys())),
    )


def check_digest(bundle: DocumentBundle, options: DocumentOptions, namespace: str | None) -> None:
    """Refuse a document that is another one than its operator pinned.

    The hash is of the document's own bytes, so what is spread over more files, or laid over it from a
    server, would not be covered.

    Raises:
        InvalidRequestError: It is another one, or the hash would not cover it.
    """
    if not options.sha256:
        return
    field_name = f"tools.{namespace}.sha256" if namespace else "sha256"
    found = hashlib.sha256(bundle.first).hexdigest()
    if found != options.sha256.strip().lower():
        raise InvalidRequestError(
            f"The document is not the one that {field_name} pins: its SHA-256 is {found}, "
            f"and {options.sha256[:80]} is pinned.",
            field=field_name,
            remedy="Look at what changed; if that is right, write the new hash there.",
        )
    if len(bundle.files) > 1 or any(is_url(name) for name, _ in bundle.overlays):
        raise InvalidRequestError(
            f"{field_name} covers one file, and the document takes more from elsewhere.",
            field=field_name,
            remedy="Bundle the document into one file, and keep its overlays as files.",
        )


def as_asked(source: str, uri: str) -> str:
    """The address of a document that its operator wrote: not the one that a server led on to from there."""
    return source if is_url(source) else uri


def _origin(url: str) -> str:
    from interlock_core.http import origin_of

    return origin_of(url)
