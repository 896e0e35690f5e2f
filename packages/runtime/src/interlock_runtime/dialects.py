"""The dialects that clients speak, as faces use them: no face ever maps JSON itself."""

from interlock_providers.codecs import codec, embeddings_codec

__all__ = ["codec", "embeddings_codec"]
