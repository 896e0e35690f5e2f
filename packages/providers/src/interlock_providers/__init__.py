"""How to speak to each model vendor: codecs, carriers, prices and the embedded local model.

Importing this package loads no vendor's SDK and no model. `build_provider` makes a `Provider` of a kind;
`codec` gives the dialect that a client speaks; `interlock_providers.testing` holds simulated vendors.
"""

from interlock_providers.catalogue import KnownModel, known_model, known_models
from interlock_providers.codecs import (
    ClientRequest,
    Codec,
    EmbeddingsCodec,
    EmbeddingsRequest,
    ErrorReply,
    StreamRenderer,
    codec,
    dialects,
    embeddings_codec,
)
from interlock_providers.prices import BundledPrices
from interlock_providers.registry import ProviderOptions, build_provider, provider_origin
from interlock_providers.rows import VENDORS, Vendor
from interlock_providers.tokens import VendorCounter

__all__ = [
    "VENDORS",
    "BundledPrices",
    "ClientRequest",
    "Codec",
    "EmbeddingsCodec",
    "EmbeddingsRequest",
    "ErrorReply",
    "KnownModel",
    "ProviderOptions",
    "StreamRenderer",
    "Vendor",
    "VendorCounter",
    "build_provider",
    "codec",
    "dialects",
    "embeddings_codec",
    "known_model",
    "known_models",
    "provider_origin",
]
