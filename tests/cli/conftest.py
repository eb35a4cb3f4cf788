"""Commands of these tests run in this process, where JAX is set up already."""

import pytest

from tridentjax.cli import options


@pytest.fixture(autouse=True)
def jax_is_set_up(monkeypatch):
    monkeypatch.setattr(options, "start_jax", lambda device: None)
