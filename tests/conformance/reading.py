"""What a vendor was asked, out of its dialect into the words of the table. Shares nothing with the codecs."""

import json
from collections.abc import Callable
from typing import Any

from .neutral import PIXEL, SCHEMA, TOOLS, Body, bare


def read(path: str, body: Body) -> Body:
    """The ask that a vendor's request is.

    Args:
        path: Where it was sent, which tells the dialect.
        body: What was sent.
    """
    reader: Callable[[Body], Body] = {
        "/v1/chat/completions": _chat,
        "/v1/responses": _responses,
        "/v1/messages": _messages,
        "/v2/chat": _cohere,
    }[path]
    return {key: value for key, value in reader(body).items() if value is not None}


def _without(text: Any) -> list[Body]:
    return [{"text": text}] if isinstance(text, str) and text else []


def _told(tools: list[Body], schema: str) -> list[str]:
    """Names of the tools that are told as they are; a changed one is told with what is wrong."""
    names: list[str] = []
    for tool in tools:
        given = TOOLS.get(tool["name"], {})
        same = tool.get("description") == given.get("description") and tool[schema] == given.get("parameters")
        names.append(tool["name"] if same else f"changed: {tool}")
    return names


def _split(turns: list[Body]) -> tuple[str | None, list[Body]]:
    """The system text that comes first, and the rest."""
    first = 0
    while first < len(turns) and turns[first]["role"] == "system":
        first += 1
    texts = [part["text"] for turn in turns[:first] for part in turn["parts"]]
    return "\n".join(texts) or None, turns[first:]


def _choice(choice: Any, tools: bool, parallel: Any) -> Body | None:
    """Tool choice as Chat Completions, Responses and Mistral write it."""
    if not tools:
        return None
    made: Body = {"mode": {"any": "required", None: "auto"}.get(choice, choice)} if _word(choice) else {}
    if not made:
        name = choice["function"]["name"] if "function" in choice else choice["name"]
        made = {"mode": "required", "name": name}
    return made if parallel is None else {**made, "parallel": parallel}


def _is_schema(schema: Any) -> bool | None:
    """Whether it is the schema of the table; a vendor may be told its name as its title."""
    given: Body = schema or {}
    return {key: value for key, value in given.items() if key != "title"} == SCHEMA or None


def _word(choice: Any) -> bool:
    return choice is None or isinstance(choice, str)


# ---- Chat Completions, and Mistral's likeness of it


def _chat(body: Body) -> Body:
    turns = [_chat_turn(message) for message in body["messages"]]
    system, rest = _split(turns)
    tools = [tool["function"] for tool in body.get("tools", ())]
    form = body.get("response_format", {})
    stop = body.get("stop")
    return {
        "system": system,
        "turns": rest,
        "max_tokens": body.get("max_completion_tokens", body.get("max_tokens")),
        "temperature": body.get("temperature"),
        "stop": [stop] if isinstance(stop, str) else stop,
        "seed": body.get("seed", body.get("random_seed")),
        "n": body.get("n"),
        "presence_penalty": body.get("presence_penalty"),
        "frequency_penalty": body.get("frequency_penalty"),
        "tools": _told(tools, "parameters") if tools else None,
        "choice": _choice(body.get("tool_choice"), bool(tools), body.get("parallel_tool_calls")),
        "schema": _is_schema(form.get("json_schema", {}).get("schema")),
        "json": form.get("type") == "json_object" or None,
        "effort": body.get("reasoning_effort"),
    }


def _chat_turn(message: Body) -> Body:
    role = {"developer": "system"}.get(message["role"], message["role"])
    content = message.get("content")
    parts = (
        _without(content) if not isinstance(content, list) else [_chat_part(part) for part in _all(content)]
    )
    if role == "tool":
        result: Body = {"result": message["tool_call_id"]}
        if any("image" in part for part in parts):
            return {"role": "tool", "parts": [{**result, "image": True}]}
        return {"role": "tool", "parts": [{**result, "text": "".join(part["text"] for part in parts)}]}
    for call in message.get("tool_calls") or ():
        function = call["function"]
        made = {"call": call["id"], "name": function["name"], "arguments": function["arguments"]}
        parts.append(made)
    return {"role": role, "parts": parts}


def _all(content: Any) -> list[Body]:
    return content


def _chat_part(part: Body) -> Body:
    match part["type"]:
        case "image_url":
            given = part["image_url"]
            return _image(given if isinstance(given, str) else given["url"])
        case "file":
            return {"pdf": bare(part["file"]["file_data"])[1]}
        case "document_url":
            kind, data = bare(part["document_url"])
            return {"pdf": data} if kind == "application/pdf" else {"pdf_url": part["document_url"]}
        case "input_audio":
            given = part["input_audio"]
            return {"audio": (bare(given)[1] or given) if isinstance(given, str) else given["data"]}
        case _:
            return {"text": part["text"]}


def _image(url: str) -> Body:
    kind, data = bare(url)
    return {"image": data} if kind == "image/png" else {"image_url": url}


# ---- Responses


def _responses(body: Body) -> Body:
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    turns = [_responses_turn(item) for item in items]
    system, rest = _split(turns)
    listed = body.get("tools", [])
    tools = [tool for tool in listed if tool["type"] == "function"]
    lax = [tool for tool in tools if tool.get("strict") is False]
    form = body.get("text", {}).get("format", {})
    return {
        "system": body.get("instructions") or system,
        "turns": rest,
        "max_tokens": body.get("max_output_tokens"),
        "temperature": body.get("temperature"),
        "tools": (_told(tools, "parameters") if lax == tools else ["strict, unasked"]) if tools else None,
        "hosted": any(tool["type"].startswith("web_search") for tool in listed) or None,
        "choice": _choice(body.get("tool_choice"), bool(tools), body.get("parallel_tool_calls")),
        "schema": _is_schema(form.get("schema")),
        "json": form.get("type") == "json_object" or None,
        "effort": body.get("reasoning", {}).get("effort"),
    }


def _responses_turn(item: Body) -> Body:
    if item.get("type") == "function_call":
        made = {"call": item["call_id"], "name": item["name"], "arguments": item["arguments"]}
        return {"role": "assistant", "parts": [made]}
    if item.get("type") == "function_call_output":
        result: Body = {"result": item["call_id"]}
        output = item["output"]
        parts = _without(output) if isinstance(output, str) else [_responses_part(one) for one in output]
        if any("image" in part for part in parts):
            return {"role": "tool", "parts": [{**result, "image": parts == [{"image": PIXEL}]}]}
        return {"role": "tool", "parts": [{**result, "text": "".join(part["text"] for part in parts)}]}
    content = item["content"]
    parts = _without(content) if isinstance(content, str) else [_responses_part(part) for part in content]
    return {"role": {"developer": "system"}.get(item["role"], item["role"]), "parts": parts}


def _responses_part(part: Body) -> Body:
    match part["type"]:
        case "input_image":
            return _image(part["image_url"])
        case "input_file" if "file_url" in part:
            return {"pdf_url": part["file_url"]}
        case "input_file":
            return {"pdf": bare(part["file_data"])[1]}
        case "input_audio":
            return {"audio": part["input_audio"]["data"]}
        case _:
            return {"text": part["text"]}


# ---- Messages


def _messages(body: Body) -> Body:
    turns = [turn for message in body["messages"] for turn in _messages_turns(message)]
    given = body.get("system")
    system = given if isinstance(given, str) else "\n".join(part["text"] for part in given or ())
    listed = body.get("tools", [])
    tools = [tool for tool in listed if "input_schema" in tool]
    form = body.get("output_config", {})
    return {
        "system": system or None,
        "turns": turns,
        "max_tokens": body["max_tokens"],
        "temperature": body.get("temperature"),
        "stop": body.get("stop_sequences"),
        "tools": _told(tools, "input_schema") if tools else None,
        "hosted": any(tool.get("type", "").startswith("web_search") for tool in listed) or None,
        "choice": _messages_choice(body.get("tool_choice", {"type": "auto"})) if tools else None,
        "schema": _is_schema(form.get("format", {}).get("schema")),
        "effort": form.get("effort"),
        "budget": body.get("thinking", {}).get("budget_tokens"),
    }


def _messages_choice(choice: Body) -> Body:
    made: Body = {"mode": {"any": "required", "tool": "required"}.get(choice["type"], choice["type"])}
    if "name" in choice:
        made["name"] = choice["name"]
    if "disable_parallel_tool_use" in choice:
        made["parallel"] = not choice["disable_parallel_tool_use"]
    return made


def _messages_turns(message: Body) -> list[Body]:
    content = message["content"]
    if isinstance(content, str):
        return [{"role": message["role"], "parts": _without(content)}]
    turns: list[Body] = []
    for block in _all(content):
        role = "tool" if block["type"] == "tool_result" else message["role"]
        turns.append({"role": role, "parts": [_messages_part(block)]})
    return turns


def _messages_part(block: Body) -> Body:
    source = block.get("source", {})
    match block["type"]:
        case "image":
            return {"image_url": source["url"]} if source["type"] == "url" else {"image": source["data"]}
        case "document":
            return {"pdf_url": source["url"]} if source["type"] == "url" else {"pdf": source["data"]}
        case "tool_use":
            given = json.dumps(block["input"], ensure_ascii=False)
            return {"call": block["id"], "name": block["name"], "arguments": given}
        case "tool_result":
            return _messages_result(block)
        case _:
            return {"text": block["text"]}


def _messages_result(block: Body) -> Body:
    made: Body = {"result": block["tool_use_id"]}
    content = block.get("content", "")
    parts = _without(content) if isinstance(content, str) else [_messages_part(one) for one in content]
    if any("image" in part for part in parts):
        made["image"] = parts == [{"image": PIXEL}]
    else:
        made["text"] = "".join(part["text"] for part in parts)
    return {**made, "error": True} if block.get("is_error") else made


# ---- Cohere


def _cohere(body: Body) -> Body:
    turns = [_cohere_turn(message) for message in body["messages"]]
    system, rest = _split(turns)
    tools = [tool["function"] for tool in body.get("tools", ())]
    form = body.get("response_format", {})
    choice = body.get("tool_choice", "auto").lower()
    return {
        "system": system,
        "turns": rest,
        "max_tokens": body.get("max_tokens"),
        "temperature": body.get("temperature"),
        "stop": body.get("stop_sequences"),
        "seed": body.get("seed"),
        "presence_penalty": body.get("presence_penalty"),
        "frequency_penalty": body.get("frequency_penalty"),
        "tools": _told(tools, "parameters") if tools else None,
        "choice": {"mode": choice} if tools else None,
        "schema": _is_schema(form.get("json_schema")),
        "json": (form.get("type") == "json_object" and "json_schema" not in form) or None,
        "budget": body.get("thinking", {}).get("token_budget"),
    }


def _cohere_turn(message: Body) -> Body:
    turn = _chat_turn(message)
    plan = _without(message.get("tool_plan"))
    return {**turn, "parts": [*plan, *turn["parts"]]}
