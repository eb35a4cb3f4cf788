"""Descents in bounded coordinates: frozen ones, batches."""

import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.inference.descent import minimise


@pytest.mark.slow
def test_frozen_coordinates_and_batches():
    def function(u):
        return (u[0] - 0.3) ** 2 + 7.0 * (u[1] - u[0]) ** 2 + jnp.exp(0.3 * u[2])

    starts = jnp.asarray([[0.9, 0.2, 0.5], [0.1, 0.6, -1.0], [0.4, 0.77, 0.3], [0.6, 0.6, 0.1]])
    free = jnp.asarray([[True, True, False], [True, False, True], [False, True, False], [True, True, True]])
    bounded = (True, True, True)
    at_once = minimise(function, starts, bounded, free)
    batches = minimise(function, starts, bounded, free, batch_size=2)
    np.testing.assert_allclose(at_once.u, batches.u, rtol=1e-12)
    assert at_once.converged.all()
    np.testing.assert_allclose(at_once.u[0], [0.3, 0.3, 0.5], atol=1e-6)
    np.testing.assert_allclose(at_once.u[1], [(0.3 + 7 * 0.6) / 8, 0.6, 0.0], atol=1e-6)
    np.testing.assert_allclose(at_once.u[2], [0.4, 0.4, 0.3], atol=1e-6)
    np.testing.assert_allclose(at_once.u[3], [0.3, 0.3, 0.0], atol=1e-6)
