"""Asks of the table in the words of each client's dialect, as its SDK takes them."""

import json

from .neutral import HELLO, PIXEL, SCHEMA, TOOLS, Body, data_url

_PLAIN = (
    *("max_tokens", "temperature", "seed", "presence_penalty", "frequency_penalty", "n", "stop"),
    *("effort", "budget"),
)


def write(client: str, ask: Body) -> Body:
    """The keywords of a request.

    Args:
        client: `chat`, `responses` or `messages`.
        ask: What is asked, as in the table.
    """
    # Some vendors need a bound, and would be given one of the gateway's choice.
    return {"chat": _chat, "responses": _responses, "messages": _messages}[client](
        {"max_tokens": 1024, **ask}
    )


def _turns(ask: Body) -> list[Body]:
    return ask.get("turns", HELLO)


def _chat(ask: Body) -> Body:
    messages: list[Body] = []
    if "system" in ask:
        messages.append({"role": "system", "content": ask["system"]})
    for turn in _turns(ask):
        messages += _chat_turn(turn)
    body: Body = {"messages": messages}
    names = {"max_tokens": "max_completion_tokens", "effort": "reasoning_effort"}
    body |= {names.get(name, name): ask[name] for name in _PLAIN if name in ask}
    if "tools" in ask:
        body["tools"] = [
            {"type": "function", "function": {"name": name, **TOOLS[name]}} for name in ask["tools"]
        ]
    if "choice" in ask:
        choice = ask["choice"]
        named = {"type": "function", "function": {"name": choice.get("name")}}
        body["tool_choice"] = named if "name" in choice else choice["mode"]
        if "parallel" in choice:
            body["parallel_tool_calls"] = choice["parallel"]
    if "schema" in ask:
        form = {"name": "weather", "schema": SCHEMA, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    if "json" in ask:
        body["response_format"] = {"type": "json_object"}
    return body


def _chat_turn(turn: Body) -> list[Body]:
    parts: list[Body] = turn["parts"]
    if turn["role"] == "tool":
        return [{"role": "tool", "tool_call_id": part["result"], "content": part["text"]} for part in parts]
    calls = [
        {
            "id": part["call"],
            "type": "function",
            "function": {"name": part["name"], "arguments": part["arguments"]},
        }
        for part in parts
        if "call" in part
    ]
    if turn["role"] != "user":
        text = "".join(part.get("text", "") for part in parts)
        said: Body = {"role": turn["role"], "content": text or None}
        return [{**said, "tool_calls": calls} if calls else said]
    return [{"role": "user", "content": [_chat_part(part) for part in parts]}]


def _chat_part(part: Body) -> Body:
    ((kind, value),) = part.items()
    match kind:
        case "image_url" | "image":
            url = value if kind == "image_url" else data_url("image/png", value)
            return {"type": "image_url", "image_url": {"url": url}}
        case "pdf":
            data = data_url("application/pdf", value)
            return {"type": "file", "file": {"file_data": data, "filename": "a.pdf"}}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": value, "format": "wav"}}
        case _:
            return {"type": "text", "text": value}


def _responses(ask: Body) -> Body:
    items: list[Body] = []
    for turn in _turns(ask):
        items += _responses_turn(turn)
    body: Body = {"input": items, "max_output_tokens": ask["max_tokens"]}
    if "system" in ask:
        body["instructions"] = ask["system"]
    if "temperature" in ask:
        body["temperature"] = ask["temperature"]
    if "effort" in ask:
        body["reasoning"] = {"effort": ask["effort"]}
    if "tools" in ask:
        body["tools"] = [
            {"type": "function", "name": name, "strict": False, **TOOLS[name]} for name in ask["tools"]
        ]
    if "hosted" in ask:
        body["tools"] = [{"type": "web_search"}]
    if "choice" in ask:
        choice = ask["choice"]
        named = {"type": "function", "name": choice.get("name")}
        body["tool_choice"] = named if "name" in choice else choice["mode"]
        if "parallel" in choice:
            body["parallel_tool_calls"] = choice["parallel"]
    return body | _responses_form(ask)


def _responses_form(ask: Body) -> Body:
    if "schema" in ask:
        form = {"type": "json_schema", "name": "weather", "schema": SCHEMA, "strict": True}
        return {"text": {"format": form}}
    return {"text": {"format": {"type": "json_object"}}} if "json" in ask else {}


def _responses_turn(turn: Body) -> list[Body]:
    items: list[Body] = []
    content: list[Body] = []
    for part in turn["parts"]:
        if "call" in part:
            call = {"call_id": part["call"], "name": part["name"], "arguments": part["arguments"]}
            items.append({"type": "function_call", **call})
        elif "result" in part:
            image = {"type": "input_image", "image_url": data_url("image/png", PIXEL), "detail": "auto"}
            output = [image] if "image" in part else part["text"]
            items.append({"type": "function_call_output", "call_id": part["result"], "output": output})
        else:
            content.append(_responses_part(part, turn["role"]))
    if content and turn["role"] == "assistant":
        text = "".join(part["text"] for part in content)
        items.insert(0, {"role": "assistant", "content": text})
    elif content:
        items.insert(0, {"type": "message", "role": turn["role"], "content": content})
    return items


def _responses_part(part: Body, role: str) -> Body:
    ((kind, value),) = part.items()
    match kind:
        case "image_url" | "image":
            url = value if kind == "image_url" else data_url("image/png", value)
            return {"type": "input_image", "image_url": url, "detail": "auto"}
        case "pdf":
            data = data_url("application/pdf", value)
            return {"type": "input_file", "file_data": data, "filename": "a.pdf"}
        case "pdf_url":
            return {"type": "input_file", "file_url": value}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": value, "format": "wav"}}
        case _:
            return {"type": "output_text" if role == "assistant" else "input_text", "text": value}


def _messages(ask: Body) -> Body:
    body: Body = {
        "max_tokens": ask["max_tokens"],
        "messages": [
            {
                "role": "user" if turn["role"] == "tool" else turn["role"],
                "content": [_messages_part(part) for part in turn["parts"]],
            }
            for turn in _turns(ask)
        ],
    }
    if "system" in ask:
        body["system"] = ask["system"]
    if "stop" in ask:
        body["stop_sequences"] = ask["stop"]
    if "tools" in ask:
        body["tools"] = [
            {
                "name": name,
                "description": TOOLS[name]["description"],
                "input_schema": TOOLS[name]["parameters"],
            }
            for name in ask["tools"]
        ]
    if "hosted" in ask:
        body["tools"] = [{"type": "web_search_20250305", "name": "web_search"}]
    if "choice" in ask:
        body["tool_choice"] = _messages_choice(ask["choice"])
    if "schema" in ask:
        body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if "effort" in ask:
        body["output_config"] = {"effort": ask["effort"]}
    if "budget" in ask:
        body["thinking"] = {"type": "enabled", "budget_tokens": ask["budget"]}
    return body


def _messages_choice(choice: Body) -> Body:
    made: Body = {"type": {"required": "any"}.get(choice["mode"], choice["mode"])}
    if "name" in choice:
        made = {"type": "tool", "name": choice["name"]}
    if choice.get("parallel") is False:
        made["disable_parallel_tool_use"] = True
    return made


def _messages_part(part: Body) -> Body:
    if "call" in part:
        given = json.loads(part["arguments"])
        return {"type": "tool_use", "id": part["call"], "name": part["name"], "input": given}
    if "result" in part:
        image = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]
        content = image if "image" in part else part["text"]
        made = {"type": "tool_result", "tool_use_id": part["result"], "content": content}
        return {**made, "is_error": True} if "error" in part else made
    ((kind, value),) = part.items()
    match kind:
        case "image_url":
            return {"type": "image", "source": {"type": "url", "url": value}}
        case "image":
            return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": value}}
        case "pdf":
            source = {"type": "base64", "media_type": "application/pdf", "data": value}
            return {"type": "document", "source": source}
        case "pdf_url":
            return {"type": "document", "source": {"type": "url", "url": value}}
        case _:
            return {"type": "text", "text": value}
