"""Vectors of more texts than a vendor takes in one request."""

import json

import pytest

from interlock_core import Secret
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.resilience import RetryPolicy
from interlock_providers import BundledPrices, ProviderOptions, build_provider
from interlock_providers.testing import CohereServer, MistralServer, OpenAIChatServer, RawReply


@pytest.mark.promise("P1")
async def test_many_texts_are_several_requests_and_one_answer() -> None:
    """In the order of the texts, with the usage and the cost of all requests."""
    texts = [f"text number {number}" for number in range(200)]
    async with CohereServer(models=("embed-v4.0",)) as vendor:
        provider = build_provider(
            "cohere",
            kind="cohere",
            base_url=vendor.url,
            api_key=Secret("co-key-1", name="key"),
            options=ProviderOptions(prices=BundledPrices()),
        )
        made = await provider.embed("cohere/embed-v4.0", texts)
        alone = await provider.embed("cohere/embed-v4.0", texts[150:151])
        await provider.aclose()
    sizes = [len(as_array(as_object(request.json())["texts"])) for request in vendor.requests[:3]]
    assert sizes == [96, 96, 8]
    assert len(made.vectors) == 200
    assert made.vectors[150] == alone.vectors[0]
    assert made.usage is not None
    assert made.usage.input_tokens >= 600
    assert made.cost is not None
    assert made.cost.micro_usd == pytest.approx(made.usage.input_tokens * 0.12, abs=2)


@pytest.mark.promise("P1")
async def test_what_fits_is_one_request() -> None:
    """As it always was."""
    async with MistralServer(models=("mistral-embed",)) as vendor:
        provider = build_provider(
            "mistral", kind="mistral", base_url=vendor.url, api_key=Secret("ms-key-1", name="key")
        )
        made = await provider.embed("mistral/mistral-embed", [f"text {number}" for number in range(200)])
        await provider.aclose()
    assert (len(made.vectors), len(vendor.requests)) == (200, 1)


@pytest.mark.promise("P4")
async def test_a_key_that_a_vendor_repeats_in_a_good_answer_is_hidden() -> None:
    """In vectors and in a list of models as anywhere else."""
    key = "sk-repeated-0123456789"
    told = json.dumps({"error": {"message": f"The key {key} is odd.", "type": "server_error"}}).encode()
    async with OpenAIChatServer(models=("m",)) as vendor:
        vendor.then(RawReply(body=told))
        provider = build_provider(
            "vendor",
            kind="openai-compatible",
            base_url=vendor.url,
            api_key=Secret(key, name="key"),
            options=ProviderOptions(retries=RetryPolicy(attempts=1)),
        )
        with pytest.raises(InterlockError) as caught:
            await provider.embed("vendor/m", ["one"])
        await provider.aclose()
    assert key not in f"{caught.value}{caught.value!r}{caught.value.as_json()}"
