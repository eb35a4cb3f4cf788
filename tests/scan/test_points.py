"""Points of a scan: any block of them, by itself, is the block of the whole sequence."""

import numpy as np
import pytest
from scipy.stats import kstest, qmc

from tridentjax.scan.points import Grid, Random, sobol_points

SPANS = ((0, 1), (0, 777), (1, 2), (511, 513), (1023, 2050), (1536, 2048), (2999, 3000))


@pytest.mark.filterwarnings("ignore:The balance properties")
def test_sobol_points_are_those_of_scipy():
    points = sobol_points(3000, 3, seed=7)
    whole = qmc.Sobol(3, scramble=True, bits=32, rng=np.random.default_rng(7)).random(3000)
    for start, stop in SPANS:
        np.testing.assert_allclose(points(start, stop), whole[start:stop], rtol=0.0, atol=2.0**-32)
    assert not np.allclose(sobol_points(3000, 3, seed=8)(0, 9), whole[:9])


def test_sobol_points_far_along_are_balanced():
    """The last 2^12 of 2^22 points fill every interval of length 2^-6 equally, in both coordinates."""
    points = sobol_points(2**22, 2, seed=3)(2**22 - 2**12, 2**22)
    for column in points.T:
        counts = np.bincount((column * 64).astype(int), minlength=64)
        assert (counts == 64).all()
    assert points.min() > 0.0 and points.max() < 1.0


@pytest.mark.parametrize("columns", [1, 4, 5, 9])
def test_random_points_depend_on_seed_and_index_only(columns):
    points = Random(11, columns)
    whole = points(0, 3000)
    for start, stop in SPANS:
        np.testing.assert_array_equal(points(start, stop), whole[start:stop])
    assert kstest(whole.ravel(), "uniform").pvalue > 1e-3
    assert np.unique(whole).size == whole.size
    assert not np.isin(Random(12, columns)(0, 3000), whole).any()


def test_grid_runs_through_the_last_axis_first():
    axes = (np.array([0.3, 0.1]), np.array([5.0, 6.0, 8.0]), np.array([-1.0, 2.0]))
    grid = Grid(axes)
    whole = np.stack([x.ravel() for x in np.meshgrid(*axes, indexing="ij")], axis=1)
    assert grid.size == 12
    for start, stop in ((0, 12), (3, 4), (5, 11)):
        np.testing.assert_array_equal(grid(start, stop), whole[start:stop])
