"""Access tokens of OAuth 2 and OpenID Connect."""

from interlock_security.oauth._client import ClientAuthentication, OAuthClient
from interlock_security.oauth._tokens import AccessTokens, TokenKeeper

__all__ = ["AccessTokens", "ClientAuthentication", "OAuthClient", "TokenKeeper"]
