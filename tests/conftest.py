"""Strict test session: 64-bit floats, no silent rank promotion, run-time shape checks of every signature."""

import os
from pathlib import Path

os.environ.setdefault("TRIDENTJAX_CACHE", os.path.join(os.path.dirname(__file__), ".cache"))

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)
# what one worker, module or run has compiled, the next one reads; tests count traces, never compilations
jax.config.update("jax_compilation_cache_dir", os.path.join(os.environ["TRIDENTJAX_CACHE"], "compiled_tests"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

from jaxtyping import install_import_hook  # noqa: E402

install_import_hook("tridentjax", "beartype.beartype")

import pytest  # noqa: E402


def pytest_collection_modifyitems(items):
    """Of a test marked `few(n)`, n cases spread over its parameters stay in the fast suite; the others are slow."""
    cases = {}
    for item in items:
        if item.get_closest_marker("few"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for own in cases.values():
        (wanted,) = own[0].get_closest_marker("few").args
        kept = {round(i * (len(own) - 1) / max(1, wanted - 1)) for i in range(wanted)}
        for number in set(range(len(own))) - kept:
            own[number].add_marker("slow")


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
