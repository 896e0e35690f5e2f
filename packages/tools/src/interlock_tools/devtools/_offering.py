"""The tools of the document `ai-dev-tools.yaml`, each with the handler behind it."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from interlock_core.call import Call
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.protocols import Provider, ToolCatalog, ToolExecutor
from interlock_tools._registry import ToolRegistry
from interlock_tools.devtools._code import CodeTools, check_needed
from interlock_tools.devtools._github import GitHubTools
from interlock_tools.devtools._model import ModelTools
from interlock_tools.devtools._previews import PreviewTools
from interlock_tools.devtools._testing import run_tests
from interlock_tools.devtools._workflows import WorkflowTools
from interlock_tools.devtools._workspace import Workspace
from interlock_tools.openapi import ConvertOptions, OpenApiTool, load_file
from interlock_tools.openapi._convert import converted
from interlock_tools.sandbox import NamespaceSandbox

_DOCUMENT = Path(__file__).parents[1] / "specs" / "ai-dev-tools.yaml"
_Handler = Callable[[JsonObject, Call], Awaitable[Json]]


class DevTools:
    """What a model needs to work on a program, in one working folder.

    Args:
        folder: The working folder, which the operator names.
        sandbox: Where programs run; a `NamespaceSandbox` of usual limits unless given.
        catalog: Gives the tools of the GitHub wrapper, when one is wanted.
        executor: Gives what makes their calls, inside all guards.
        provider: Gives what answers where a model is needed; None for no model.
        model: The model when a call names none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        catalog: Callable[[], ToolCatalog],
        executor: Callable[[], ToolExecutor],
        provider: Callable[[], Provider | None] = lambda: None,
        sandbox: NamespaceSandbox | None = None,
        model: str = "auto",
    ) -> None:
        self._workspace = Workspace(folder, sandbox or NamespaceSandbox())
        self._code = CodeTools(self._workspace)
        self._model = ModelTools(self._code, provider, model)
        self._github = GitHubTools(catalog, executor)
        self._previews = PreviewTools(self._workspace)
        self._workflows = WorkflowTools(self._workspace)

    def register(
        self, registry: ToolRegistry, *, namespace: str = "dev", allow: Callable[[str], bool] | None = None
    ) -> None:
        """Offer every operation of the document, as `namespace.operationId`.

        Args:
            registry: Where they are offered.
            namespace: What stands before the dot.
            allow: Which operations are offered, by their id; all unless given.

        Raises:
            InvalidRequestError: The namespace is taken.
        """
        handlers = self.handlers()
        for tool in document_tools(namespace):
            operation = str(tool.spec.operation_id)
            if allow is not None and not allow(operation):
                continue
            registry.register_raw(
                handlers[operation],
                name=f"{namespace}.{operation}",
                description=tool.spec.description,
                parameters=tool.parameters,
                effect=tool.spec.effect,
                category=tool.spec.category,
                untrusted=True,
            )

    def handlers(self) -> Mapping[str, _Handler]:
        """The handler behind each operation, by its id."""
        return {
            "createIssues": self._github.create_issues,
            "createPR": self._github.create_pull,
            "reviewPR": self._github.review_pull,
            "updateIssue": self._github.update_issue,
            "mergePR": self._github.merge_pull,
            "commentOnIssue": self._github.comment,
            "analyzeCode": _without_call(self._code.analyze),
            "lintCode": _without_call(self._code.lint),
            "formatCode": _without_call(self._code.format),
            "refactorCode": self._refactor,
            "generateTests": self._model.generate_tests,
            "runTests": self._run_tests,
            "deployPreview": _without_call(self._previews.deploy),
            "listPreviews": self._list_previews,
            "stopPreview": _without_call(self._previews.stop),
            "createWorkflow": _without_call(self._workflows.create),
        }

    async def aclose(self) -> None:
        """Take every preview down. Closing twice does nothing."""
        await self._previews.aclose()

    async def _refactor(self, arguments: JsonObject, context: Call) -> Json:
        if arguments["kind"] == "describe":
            check_needed("describe", arguments)
            return await self._model.describe(arguments, context)
        return await self._code.refactor(arguments)

    async def _run_tests(self, arguments: JsonObject, context: Call) -> Json:
        del context
        seconds = arguments.get("timeoutSeconds")
        run = await run_tests(
            self._workspace,
            await self._workspace.copy(),
            str(arguments["path"]),
            only=str(arguments["language"]) if "language" in arguments else None,
            name_filter=str(arguments.get("filter", "")),
            timeout_s=float(seconds) if isinstance(seconds, int) else 120.0,
        )
        return run.as_json()

    async def _list_previews(self, arguments: JsonObject, context: Call) -> Json:
        del arguments, context
        return self._previews.list()


def document_tools(namespace: str = "dev") -> tuple[OpenApiTool, ...]:
    """The operations of the document, as tools."""
    return tuple(converted(load_file(_DOCUMENT), namespace=namespace, options=ConvertOptions()).entries)


def _without_call(handler: Callable[[JsonObject], Awaitable[JsonObject]]) -> _Handler:
    async def run(arguments: JsonObject, context: Call) -> Json:
        del context
        return await handler(arguments)

    return run
