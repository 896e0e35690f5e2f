"""What a stream said is put together as it was said, in whatever pieces it came."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.assembly import CompletionAssembler
from interlock_core.completion import Chunk, Completion, FinishReason, ToolCallDelta, Usage
from interlock_core.decision import RouteDecision
from interlock_core.messages import Content, Message, Reasoning, Refusal, Text, ToolCall, assistant
from interlock_core.money import Money


def assembled(*chunks: Chunk) -> Completion:
    """The completion that some chunks are."""
    assembler = CompletionAssembler()
    for chunk in chunks:
        assembler.feed(chunk)
    return assembler.completion(created=17)


def call(index: int, arguments: str = "", *, call_id: str | None = None, name: str | None = None) -> Chunk:
    """A chunk with one piece of a tool call."""
    return Chunk(tool_calls=(ToolCallDelta(index=index, id=call_id, name=name, arguments=arguments),))


def test_everything_that_a_stream_says_of_itself_is_kept() -> None:
    """Names, usage, price, decision, tier and attempts, whichever chunk said them."""
    usage = Usage(input_tokens=7, output_tokens=2)
    decision = RouteDecision(policy="default", task="writing", chosen="acme/small")
    found = assembled(
        Chunk(model="acme/small", id="x1", decision=decision, attempts=2),
        Chunk(text="Hel"),
        Chunk(text="lo", service_tier="fast"),
        Chunk(finish=FinishReason.STOP, native_finish="end_turn"),
        Chunk(usage=usage, cost=Money(12)),
    )
    assert found == Completion(
        model="acme/small",
        message=assistant("Hello"),
        finish=FinishReason.STOP,
        native_finish="end_turn",
        usage=usage,
        cost=Money(12),
        id="x1",
        created=17,
        service_tier="fast",
        attempts=2,
        decision=decision,
    )


def test_a_stream_without_an_end_is_an_error_that_keeps_what_came() -> None:
    """Half an answer is told from a whole one."""
    found = assembled(Chunk(text="Half an ans"))
    assert (found.finish, found.text, found.usage, found.cost) == (
        FinishReason.ERROR,
        "Half an ans",
        None,
        None,
    )


def test_an_empty_stream_is_an_empty_answer() -> None:
    """Nothing is made up."""
    assert assembled() == Completion(
        model="", message=Message("assistant", ()), finish=FinishReason.ERROR, created=17
    )


def test_each_stretch_of_reasoning_keeps_its_own_signature() -> None:
    """A vendor refuses reasoning whose signature belongs to other words, so stretches stay apart."""
    found = assembled(
        Chunk(model="acme/deep"),
        Chunk(reasoning="First "),
        Chunk(reasoning="thought"),
        Chunk(signature="s1"),
        call(0, "{}", call_id="c1", name="look"),
        Chunk(reasoning="Second"),
        Chunk(signature="s2"),
        Chunk(text="Done"),
    )
    assert found.message.content == (
        Reasoning(text="First thought", signature="s1", vendor="acme"),
        ToolCall(id="c1", name="look", arguments="{}"),
        Reasoning(text="Second", signature="s2", vendor="acme"),
        Text("Done"),
    )


def test_hidden_reasoning_is_a_part_of_its_own() -> None:
    """A payload without words neither joins the reasoning before it nor is lost."""
    found = assembled(
        Chunk(reasoning="Open", signature="s1"), Chunk(encrypted="e1"), Chunk(encrypted="e2"), Chunk(text="A")
    )
    assert found.message.content == (
        Reasoning(text="Open", signature="s1"),
        Reasoning(encrypted="e1"),
        Reasoning(encrypted="e2"),
        Text("A"),
    )


def test_a_signature_that_comes_late_belongs_to_the_reasoning_before() -> None:
    """Some dialects sign only when the text has begun."""
    found = assembled(Chunk(reasoning="Why"), Chunk(text="So"), Chunk(signature="s", encrypted="e"))
    assert found.message.content == (Reasoning(text="Why", signature="s", encrypted="e"), Text("So"))


def test_text_before_and_after_a_call_stays_before_and_after_it() -> None:
    """Parts keep the order in which they began, and a late piece of a call finds its place."""
    found = assembled(
        Chunk(text="Let me look. "),
        call(1, '{"a"', call_id="c1", name="look"),
        call(2, "", call_id="c2", name="ask"),
        Chunk(text="Wait"),
        call(1, ":1}"),
        Chunk(refusal="No"),
    )
    assert found.message.content == (
        Text("Let me look. "),
        ToolCall(id="c1", name="look", arguments='{"a":1}'),
        ToolCall(id="c2", name="ask", arguments=""),
        Text("Wait"),
        Refusal("No"),
    )
    assert found.text == "Let me look. Wait"


def test_citations_belong_to_the_text_before_them_and_stand_once() -> None:
    """A dialect may send each alone or all so far."""
    found = assembled(
        Chunk(text="A"), Chunk(citations=({"url": "u1"},)), Chunk(citations=({"url": "u1"}, {"url": "u2"}))
    )
    assert found.message.content == (Text("A", citations=({"url": "u1"}, {"url": "u2"})),)
    assert assembled(Chunk(citations=("u",))).message.content == (Text("", citations=("u",)),)


def test_several_answers_do_not_mix() -> None:
    """The first is the message, the others are alternatives; only the first says why it ended."""
    found = assembled(
        Chunk(text="one"),
        Chunk(text="two", choice=1),
        Chunk(finish=FinishReason.LENGTH, choice=1, logprobs={"content": [9]}),
        Chunk(text="!", finish=FinishReason.STOP),
    )
    assert (found.text, [message.text for message in found.alternatives]) == ("one!", ["two"])
    assert (found.finish, found.logprobs) == (FinishReason.STOP, None)


def test_an_answer_without_its_first_choice_keeps_the_others() -> None:
    """The alternatives never move up."""
    found = assembled(Chunk(text="two", choice=1))
    assert (found.message.content, [message.text for message in found.alternatives]) == ((), ["two"])


def test_log_probabilities_are_joined_token_by_token() -> None:
    """Objects of lists, bare lists, and a word of the vendor's own that the newest wins."""
    found = assembled(
        Chunk(logprobs={"content": [1], "refusal": None, "kind": "a"}),
        Chunk(logprobs={"content": [2, 3], "refusal": None, "kind": "b"}),
    )
    assert found.logprobs == {"content": [1, 2, 3], "refusal": None, "kind": "b"}
    assert assembled(Chunk(logprobs=[1]), Chunk(logprobs=[2])).logprobs == [1, 2]


def test_the_text_so_far_can_be_read_at_any_time() -> None:
    """Before the first chunk it is empty."""
    assembler = CompletionAssembler()
    assert assembler.text == ""
    assembler.feed(Chunk(text="ab", reasoning="hm"))
    assembler.feed(Chunk(text="c"))
    assert assembler.text == "abc"


def test_reasoning_of_a_model_without_a_provider_has_no_vendor() -> None:
    """A bare name says nothing about who made it."""
    assert assembled(Chunk(model="small", reasoning="hm")).message.content == (Reasoning(text="hm"),)


_PARTS = st.lists(
    st.one_of(
        st.builds(Text, st.text(min_size=1)),
        st.builds(Refusal, st.text(min_size=1)),
        st.builds(Reasoning, text=st.text(min_size=1), signature=st.text(min_size=1)),
        st.builds(ToolCall, id=st.text(min_size=1), name=st.text(min_size=1), arguments=st.text()),
    ),
    max_size=8,
)


def chunks_of(parts: list[Content], cut: int) -> list[Chunk]:
    """The parts as a vendor would stream them, a few characters a chunk."""
    chunks: list[Chunk] = []
    for index, part in enumerate(parts):
        match part:
            case ToolCall():
                chunks.append(call(index, call_id=part.id, name=part.name))
                chunks += [call(index, piece) for piece in cut_up(part.arguments, cut)]
            case Reasoning():
                chunks += [Chunk(reasoning=piece) for piece in cut_up(part.text, cut)]
                chunks.append(Chunk(signature=part.signature))
            case Refusal():
                chunks += [Chunk(refusal=piece) for piece in cut_up(part.text, cut)]
            case Text():
                chunks += [Chunk(text=piece) for piece in cut_up(part.text, cut)]
            case _:
                raise TypeError(part)
    return chunks


def cut_up(text: str, size: int) -> list[str]:
    """The text in pieces."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def neighbours_joined(parts: list[Content]) -> tuple[Content, ...]:
    """What a stream can tell: words of one kind that follow each other are one part."""
    joined: list[Content] = []
    for part in parts:
        last = joined[-1] if joined else None
        match last, part:
            case (Text(), Text()):
                joined[-1] = Text(last.text + part.text)
            case (Refusal(), Refusal()):
                joined[-1] = Refusal(last.text + part.text)
            case _:
                joined.append(part)
    return tuple(joined)


@settings(deadline=None)
@given(parts=_PARTS, cut=st.integers(1, 5))
def test_a_message_cut_into_any_chunks_comes_back_as_it_was(parts: list[Content], cut: int) -> None:
    """Order, signatures, ids and every character."""
    found = assembled(*chunks_of(parts, cut), Chunk(finish=FinishReason.STOP))
    assert found.message.content == neighbours_joined(parts)
    assert replace(found, message=Message("assistant", ())) == Completion(
        model="", message=Message("assistant", ()), finish=FinishReason.STOP, created=17
    )
