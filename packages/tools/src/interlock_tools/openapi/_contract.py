"""What an operation does when it is called, as far as its document says it: what an approval is about."""

from urllib.parse import urljoin

from interlock_core.jsontypes import Json, JsonObject
from interlock_tools.openapi._convert import OpenApiTool
from interlock_tools.openapi._ir import SecurityScheme


def contract_of(tool: OpenApiTool) -> JsonObject:
    """Method, path, server, security and effect of a tool, as plain values.

    Words for the model, arguments and answers are left out: they change often, and change nothing of where
    a call goes, under which credential, and what it may do there.

    Raises:
        InvalidRequestError: The document has no such operation any more.
    """
    operation, document = tool.plan.operation, tool.document
    servers = operation.servers or document.servers
    variables: JsonObject = {}
    address = ""
    if servers:
        address = servers[0].url
        variables = {name: value for name, value in servers[0].variables if f"{{{name}}}" in address}
    return {
        "name": tool.spec.name,
        "method": operation.method,
        "path": operation.path,
        "server": urljoin(document.uri, address),
        "variables": variables,
        "security": _security(tool),
        "effect": tool.spec.effect.value,
    }


def _security(tool: OpenApiTool) -> Json:
    """The alternatives, each with the schemes that it needs together; of a silent document every scheme."""
    operation = tool.plan.operation
    schemes = {scheme.name: scheme for scheme in tool.document.schemes}
    if operation.security is None:
        return {"unsaid": [_scheme(scheme) for scheme in schemes.values()]}
    found: list[Json] = []
    for number, names in enumerate(operation.security):
        placed: list[Json] = [
            _scheme(schemes.get(name, SecurityScheme(name=name, kind=""))) for name in names
        ]
        scopes: list[Json] = [*(operation.scopes[number] if number < len(operation.scopes) else ())]
        found.append({"schemes": placed, "scopes": scopes})
    return found


def _scheme(scheme: SecurityScheme) -> JsonObject:
    said = {
        "name": scheme.name,
        "kind": scheme.kind,
        "location": scheme.location,
        "parameter": scheme.parameter,
        "scheme": scheme.scheme,
    }
    return {key: value for key, value in said.items() if value}
