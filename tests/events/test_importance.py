import numpy as np
import pytest

from tridentjax.events.importance import map_through, refine, uniform_grid


def peak(u):
    """Product of a narrow Gaussian, a power law and a constant, with integral 1 in the last two."""
    return np.exp(-0.5 * ((u[:, 0] - 0.37) / 0.04) ** 2) * 3.0 * u[:, 1] ** 2


EXACT = 0.04 * np.sqrt(2.0 * np.pi)


def adapted(power=2.0, turns=5):
    rng, grid = np.random.default_rng(7), uniform_grid(3, 40)
    for _ in range(turns):
        v = rng.random((4000, 3))
        u, volume = map_through(grid, v)
        grid = refine(grid, v, peak(u) * volume, power, 0.7)
    return grid, rng


def test_uniform_grid_is_the_identity():
    v = np.random.default_rng(1).random((50, 4))
    u, volume = map_through(uniform_grid(4, 8), v)
    np.testing.assert_allclose(u, v, rtol=1e-14)
    np.testing.assert_allclose(volume, 1.0, rtol=1e-14)


def test_the_map_covers_the_cube_with_the_right_volume():
    grid, rng = adapted()
    assert (np.diff(grid.edges) > 0.0).all()
    np.testing.assert_array_equal(grid.edges[:, [0, -1]], [[0.0, 1.0]] * 3)
    ends, _ = map_through(grid, np.array([[0.0] * 3, [1.0] * 3]))
    np.testing.assert_allclose(ends, [[0.0] * 3, [1.0] * 3], atol=1e-15)
    u, volume = map_through(grid, rng.random((200_000, 3)))
    for moment in (0, 1, 2):
        value = volume[:, None] * u**moment
        error = value.std(0) / np.sqrt(len(value))
        assert (np.abs(value.mean(0) - 1.0 / (moment + 1)) < 4.0 * error).all()


@pytest.mark.parametrize(("power", "spread", "largest"), [(2.0, 0.45, 6.0), (4.0, 0.45, 4.0)])
def test_weights_become_flat(power, spread, largest):
    grid, rng = adapted(power)
    u, volume = map_through(grid, rng.random((100_000, 3)))
    weight = peak(u) * volume
    assert weight.mean() == pytest.approx(EXACT, abs=4.0 * weight.std() / np.sqrt(weight.size))
    assert weight.std() < spread * weight.mean()  # 2.6 without the map
    assert weight.max() < largest * weight.mean()  # 30 without the map
    np.testing.assert_allclose(grid.edges[2], np.linspace(0.0, 1.0, 41), atol=0.06)
