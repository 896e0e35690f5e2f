"""Tools for developers: the folders they work on, the model that helps them, and their way to GitHub."""

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from interlock_core import Provider, ToolExecutor
from interlock_runtime.settings import DEV_TOOLS, Settings, ToolSettings

if TYPE_CHECKING:
    from interlock_tools import ToolRegistry
    from interlock_tools.devtools import DevTools


class DevFolders:
    """The working folders that the settings name. Nothing is read and nothing runs before a tool is called.

    Their tools outlive a reload of the documents, because previews live in them.

    Args:
        settings: Name the folders.
        provider: Answers where a model is needed, inside its guards.
    """

    def __init__(self, settings: Settings, provider: Provider) -> None:
        self._settings = settings
        self._provider = provider
        self._tools: dict[str, DevTools] = {}
        self._mounted: tuple[ToolRegistry, ToolExecutor]

    def mount(self, registry: "ToolRegistry", executor: ToolExecutor) -> None:
        """Offer the tools of every folder.

        Args:
            registry: Where they are offered.
            executor: Makes the calls to GitHub that a tool needs: permitted and audited like every other,
                and not asked about a second time, because the tool's own call was.

        Raises:
            InvalidRequestError: A namespace is taken.
        """
        self._mounted = registry, executor
        for name, entry in self._settings.tools.items():
            if entry.source == DEV_TOOLS:
                if name not in self._tools:
                    self._tools[name] = self._made(entry)
                offered = partial(_offered, name, entry.allow)
                self._tools[name].register(registry, namespace=name, allow=offered)

    async def aclose(self) -> None:
        """Take every preview down. Closing twice does nothing."""
        for tools in self._tools.values():
            await tools.aclose()

    def _made(self, entry: ToolSettings) -> "DevTools":
        from interlock_tools.devtools import DevTools
        from interlock_tools.sandbox import NamespaceSandbox

        return DevTools(
            self._settings.path(entry.folder),
            catalog=lambda: self._mounted[0],
            executor=lambda: self._mounted[1],
            provider=lambda: self._provider,
            sandbox=NamespaceSandbox(hidden=(self._settings.home,)),
        )


def _offered(namespace: str, allow: tuple[str, ...], operation: str) -> bool:
    """Whether the patterns of a table let an operation be offered; all are, when there are none."""
    names = (operation, f"{namespace}.{operation}")
    return not allow or any(fnmatchcase(name, pattern) for name in names for pattern in allow)
