"""The deviance of all experiments together, and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fit_toys import interior

from tridentjax.inference.deviance import evaluate, hessian, make_deviance


def test_hessian_of_the_joint_deviance():
    F = make_deviance(interior())
    x = jnp.asarray([0.61, 0.4, -0.7, 0.2])
    found = np.asarray(hessian(F, x))
    reference = np.asarray(jax.jit(jax.jacrev(jax.grad(F)))(x))
    np.testing.assert_allclose(found, reference, rtol=1e-10, atol=1e-10)
    h = 1e-4 * np.eye(4)
    gradient = jax.jit(jax.grad(F))
    difference = np.stack([(gradient(x + h[i]) - gradient(x - h[i])) / 2e-4 for i in range(4)])
    np.testing.assert_allclose(found, difference, rtol=1e-5, atol=1e-5)
    assert float(evaluate(F, np.asarray(x)[None])[0]) == pytest.approx(float(F(x)), rel=1e-14)
