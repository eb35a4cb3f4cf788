"""The constrained problem that the solver of extrema gets: numbers and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from extremum_toys import C, region

from tridentjax.inference.constrained import Problem


@pytest.mark.slow
def test_gradients_of_constraint_and_outputs():
    r = region()
    wanted = (lambda v: r.F(v), lambda v: r.output("rate_ratio_ccfr", v), lambda v: r.output("mass", v))  # noqa: PLW0108
    functions = [jax.jit(function) for function in wanted]
    for u in (jnp.asarray([0.31, 0.62]), jnp.asarray([0.0, 1.0]), jnp.asarray([0.77, 0.0])):
        for function in functions:
            reverse, forward = jax.grad(function)(u), jax.jacfwd(function)(u)
            np.testing.assert_allclose(reverse, forward, rtol=1e-12, atol=1e-14)
            assert np.isfinite(reverse).all()
            if float(u.min()) > 0.0 and float(u.max()) < 1.0:
                h = 1e-6 * np.eye(2)
                difference = [(float(function(u + h[i])) - float(function(u - h[i]))) / 2e-6 for i in range(2)]
                np.testing.assert_allclose(reverse, difference, rtol=1e-6, atol=1e-8)


@pytest.mark.few(1)
@pytest.mark.parametrize("nuisances", ["nominal", "profiled"])
@pytest.mark.parametrize("output", ["shape", "log_likelihood"])
def test_numbers_that_the_solver_gets(nuisances, output):
    """h is ln(1 + Delta chi2/c) - ln 2; slopes against central differences."""
    problem = Problem(region(nuisances), output, 1.0)
    u = np.asarray([0.31, 0.62])
    found = problem.at(u)
    F = float(region(nuisances).F(jnp.asarray(u)))
    assert found.h == pytest.approx(np.log1p((F - float(region(nuisances).lowest)) / C) - np.log(2.0), rel=1e-12)
    sides = [[problem.at(u + s * 1e-5 * np.eye(2)[i]) for s in (1, -1)] for i in range(2)]
    np.testing.assert_allclose(found.h_slope, [(a.h - b.h) / 2e-5 for a, b in sides], rtol=1e-6)
    np.testing.assert_allclose(found.f_slope, [(a.f - b.f) / 2e-5 for a, b in sides], rtol=1e-6)
