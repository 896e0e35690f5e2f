"""What the operator says of an OAuth 2 client."""

from typing import Literal, TypeAlias

from interlock_core.record import record

ClientAuthentication: TypeAlias = Literal["basic", "post", "private_key_jwt", "none"]
"""How a client shows who it is: `client_secret_basic`, `client_secret_post`, a signed assertion, or not."""


@record(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """A client of an authorisation server. A refresh token makes it that grant, else client credentials.

    Attributes:
        name: The setting that its tokens are asked for by, such as `tools.crm.oauth`.
        client_id: Its id.
        token_url: The token endpoint.
        issuer: An OpenID Connect issuer that names the token endpoint, where `token_url` is empty.
        client_secret: Name of the secret that is its own; of its private key (PEM) for `private_key_jwt`.
        refresh_token: Name of the secret that is the refresh token; empty for client credentials.
        kept_in: Name in the vault under which a refresh token is kept when the server gives a new one.
        scopes: What is asked for.
        audience: The API that the token is for, where the server wants to know.
        authentication: How it shows who it is.
    """

    name: str
    client_id: str
    token_url: str = ""
    issuer: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    kept_in: str = ""
    scopes: tuple[str, ...] = ()
    audience: str = ""
    authentication: ClientAuthentication = "basic"
