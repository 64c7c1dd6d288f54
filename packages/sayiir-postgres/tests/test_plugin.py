"""Backends by URL: which parameters are the store's, and which are libpq's."""

from __future__ import annotations

import pytest

from sayiir_core.errors import PluginError
from sayiir_postgres.plugin import open_url


def test_parameters_of_the_store_are_taken_out_of_the_url() -> None:
    """Whatever libpq knows stays in it."""
    backend = open_url("postgresql://db/shop?schema=my%20flows&connect_timeout=3&pooler=true")

    assert "PostgresBackend('db:5432/shop', schema='my flows')" == repr(backend)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/shop",
        "postgresql://db/shop?connect_timeout=3&application_name=a+b",
        "postgresql://ada:what?x=1@db/shop",
    ],
)
def test_a_url_without_them_is_left_as_it_is(url: str) -> None:
    """Even one with an odd password."""
    assert "PostgresBackend('db:5432/shop', schema='sayiir')" == repr(open_url(url))


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("pooler=perhaps", "pooler .* true or false"),
        ("schema=", "schema must"),
        ("sceme=x", "read"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_refused(parameter: str, said: str) -> None:
    """The text does not repeat the URL, which may hold a password."""
    with pytest.raises(PluginError, match=said) as caught:
        open_url(f"postgresql://ada:s3cret@db/shop?{parameter}")

    assert "s3cret" not in str(caught.value)


def test_an_address_to_listen_at_is_a_url_of_its_own() -> None:
    """Escaped, because it has its own parameters."""
    backend = open_url(
        "postgresql://pool/shop?pooler=true&listen_url=postgresql%3A%2F%2Fdb%2Fshop%3Fsslmode%3Drequire"
    )

    assert "PostgresBackend('pool:5432/shop', schema='sayiir')" == repr(backend)
    with pytest.raises(PluginError, match="connection string"):
        open_url("postgresql://pool/shop?listen_url=postgresql%3A%2F%2Fdb%3Fnothing%3D1")
