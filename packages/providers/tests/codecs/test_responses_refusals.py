"""Requests of the dialect openai-responses that are wrong, each refused at its place."""

import pytest

from interlock_core.errors import InvalidRequestError
from interlock_providers.codecs import codec

CODEC = codec("openai-responses")
ITEM = '{"model":"a","input":[%s]}'


@pytest.mark.parametrize(
    ("field", "wire"),
    [
        ("body", "[]"),
        ("body", "{"),
        ("body", '{"model":"a","model":"b","input":"x"}'),
        ("model", '{"input":"x"}'),
        ("input", '{"model":"a"}'),
        ("input", '{"model":"a","input":[]}'),
        ("input", '{"model":"a","input":{}}'),
        ("input[0]", ITEM % '"x"'),
        ("input[0].type", ITEM % '{"type":3}'),
        ("input[0].role", ITEM % '{"role":"tool","content":"x"}'),
        ("input[0].content", ITEM % '{"role":"user"}'),
        ("input[0].content", ITEM % '{"role":"assistant"}'),
        ("input[0].content", ITEM % '{"role":"user","content":3}'),
        ("input[0].content[0].type", ITEM % '{"role":"user","content":[{"type":"output_text","text":"x"}]}'),
        ("input[0].content[0].type", ITEM % '{"role":"assistant","content":[{"type":"input_image"}]}'),
        ("input[0].content[0].text", ITEM % '{"role":"user","content":[{"type":"input_text"}]}'),
        ("input[0].content[0].refusal", ITEM % '{"role":"assistant","content":[{"type":"refusal"}]}'),
        ("input[0].content[0].image_url", ITEM % '{"role":"user","content":[{"type":"input_image"}]}'),
        ("input[0].content[0].file_data", ITEM % '{"role":"user","content":[{"type":"input_file"}]}'),
        (
            "input[0].content[0].file_data",
            ITEM % '{"role":"user","content":[{"type":"input_file","file_data":"https://a.b/c"}]}',
        ),
        ("input[0].content[0].input_audio", ITEM % '{"role":"user","content":[{"type":"input_audio"}]}'),
        (
            "input[0].content[0].input_audio.data",
            ITEM
            % '{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"?","format":"wav"}}]}',
        ),
        ("input[0].call_id", ITEM % '{"type":"function_call","name":"t","arguments":"{}"}'),
        ("input[0].name", ITEM % '{"type":"function_call","call_id":"c","arguments":"{}"}'),
        ("input[0].arguments", ITEM % '{"type":"function_call","call_id":"c","name":"t","arguments":{}}'),
        ("input[0].call_id", ITEM % '{"type":"function_call_output","output":"x"}'),
        ("input[0].output", ITEM % '{"type":"function_call_output","call_id":"c"}'),
        (
            "input[0].output[0].type",
            ITEM
            % (
                '{"type":"function_call_output","call_id":"c","output":'
                '[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}'
            ),
        ),
        ("input[0].summary[0].text", ITEM % '{"type":"reasoning","summary":[{"type":"summary_text"}]}'),
        ("input[0].interlock:x", ITEM % '{"role":"user","content":"x","interlock:x":1}'),
        ("interlock:x", '{"model":"a","input":"x","interlock:x":1}'),
        ("stream", '{"model":"a","input":"x","stream":1}'),
        ("max_output_tokens", '{"model":"a","input":"x","max_output_tokens":0}'),
        ("temperature", '{"model":"a","input":"x","temperature":"hot"}'),
        ("include[0]", '{"model":"a","input":"x","include":[1]}'),
        ("metadata.a", '{"model":"a","input":"x","metadata":{"a":1}}'),
        ("text.format.type", '{"model":"a","input":"x","text":{"format":{}}}'),
        (
            "text.format.schema",
            '{"model":"a","input":"x","text":{"format":{"type":"json_schema","name":"n"}}}',
        ),
        (
            "text.format.name",
            '{"model":"a","input":"x","text":{"format":{"type":"json_schema","schema":{}}}}',
        ),
        ("tools[0].type", '{"model":"a","input":"x","tools":[{}]}'),
        ("tools[0].name", '{"model":"a","input":"x","tools":[{"type":"function"}]}'),
        (
            "tools[0].parameters",
            '{"model":"a","input":"x","tools":[{"type":"function","name":"t","parameters":[]}]}',
        ),
        (
            "tools[1].name",
            '{"model":"a","input":"x","tools":[{"type":"function","name":"t"},{"type":"function","name":"t"}]}',
        ),
        ("tool_choice", '{"model":"a","input":"x","tool_choice":"any"}'),
        ("tool_choice", '{"model":"a","input":"x","tool_choice":7}'),
    ],
)
def test_a_wrong_request_is_refused_at_its_place(field: str, wire: str) -> None:
    """The field as the client wrote it, and what to send instead."""
    with pytest.raises(InvalidRequestError) as caught:
        CODEC.parse_request(wire.encode())
    assert caught.value.field == field
    assert caught.value.remedy
