"""The NetCDF file of a grid."""

import numpy as np
import pytest

from tridentjax.scan.grid_file import slabs


@pytest.mark.parametrize("shape", [(37,), (5, 7), (3, 4, 5), (2, 3, 1, 4)])
def test_slabs_are_the_elements_of_a_range(shape):
    flat = np.arange(np.prod(shape)).reshape(shape)
    for start in range(0, flat.size, 3):
        for stop in range(start + 1, flat.size + 1, 4):
            found = [flat[corner].ravel() for corner in slabs(start, stop, shape)]
            np.testing.assert_array_equal(np.concatenate(found), np.arange(start, stop))
            assert len(found) <= 2 * len(shape)
