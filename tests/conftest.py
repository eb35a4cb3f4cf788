"""Strict test session: 64-bit floats, no silent rank promotion, run-time shape checks of every signature."""

import os
from pathlib import Path

os.environ.setdefault("TRIDENTJAX_CACHE", os.path.join(os.path.dirname(__file__), ".cache"))

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)

from jaxtyping import install_import_hook  # noqa: E402

install_import_hook("tridentjax", "beartype.beartype")

import pytest  # noqa: E402


@pytest.fixture
def key():
    return jax.random.key(20261122)


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_are_dropped():
    """Hundreds of compiled gradients add up to gigabytes; drop them when they do (what is needed compiles again)."""
    yield
    pages = Path("/proc/self/statm")  # Linux; elsewhere nothing is dropped
    if pages.is_file() and int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > 4 * 2**30:
        jax.clear_caches()
