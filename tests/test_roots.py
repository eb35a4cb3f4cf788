"""Bisection against roots in closed form."""

import jax
import jax.numpy as jnp
import numpy as np

from tridentjax.roots import bisect, bisect_numpy

TARGET = np.asarray([0.3, 1.7, 5.0])


def test_roots_of_several_brackets_at_once():
    low, high = bisect(lambda x: x**3 < TARGET, jnp.zeros(3), jnp.full(3, 4.0), 52)
    np.testing.assert_allclose(low, TARGET ** (1 / 3), rtol=1e-14)
    np.testing.assert_allclose(high, TARGET ** (1 / 3), rtol=1e-14)


def test_ends_may_be_in_either_order_and_keep_their_sides():
    low, high = jax.jit(lambda a, b: bisect(lambda x: x**2 > 7.0, a, b, 5))(jnp.asarray(4.0), jnp.asarray(0.0))
    assert float(low) ** 2 > 7.0 >= float(high) ** 2
    assert float(low - high) == 4.0 / 2**5


def test_numpy_form_gives_the_same_brackets():
    ends = np.asarray([0.0, 1.0, 0.2]), np.asarray([3.0, 1.5, 2.9])
    for steps in (0, 1, 17):
        ours = bisect_numpy(lambda x: np.cos(x) > np.asarray([0.1, 0.2, -0.9]), *ends, steps)
        theirs = bisect(lambda x: jnp.cos(x) > jnp.asarray([0.1, 0.2, -0.9]), *map(jnp.asarray, ends), steps)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_nothing_is_called_without_a_bracket():
    none = np.zeros(0)
    low, high = bisect_numpy(lambda x: 1 / 0, none, none, 9)
    assert low.size == high.size == 0
