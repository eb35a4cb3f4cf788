"""Energies drawn from a flux against its nodes."""

import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.events.energies import sample_energies
from tridentjax.experiment.flux import Flux, load_flux

BINS = "# unit: 1/GeV/m^2/POT\n# energy_unit: GeV\nE_lo,E_hi,numu\n"


@pytest.fixture
def table(tmp_path):
    """Write a flux table and return its path."""

    def write(text):
        path = tmp_path / "mine.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def averages(flux, functions, shape, count=40_000):
    """Averages of weight f(E) over midpoints in u: the integrals of flux x f."""
    E_nu, weight = sample_energies(flux, (np.arange(count) + 0.5) / count, shape)
    return E_nu, [(weight * function(E_nu)).mean() for function in functions]


@pytest.mark.parametrize("name", ["DUNE_ND_FHC", "CHARMII_RHC"])
@pytest.mark.parametrize("shape", [np.ones_like, lambda E: E, lambda E: E * np.maximum(1.0 - 0.9 / E, 0.0) ** 3])
def test_sampled_energies_integrate_like_the_nodes(name, shape):
    flux = load_flux(name, "antinumu")
    energy, weight = np.asarray(flux.energy), np.asarray(flux.weight)
    edge = float(flux.intervals[flux.intervals.shape[0] // 2, 0])  # nodes are exact for whole intervals
    functions = [shape, lambda E: E * shape(E), lambda E: E**2 * shape(E), lambda E: shape(E) * (edge < E)]
    E_nu, found = averages(flux, functions, shape)
    assert (np.diff(E_nu) >= 0.0).all()
    if shape(np.asarray([0.5])) == 0.0:
        assert E_nu.min() > 0.8  # nothing is drawn where the shape vanishes
    for function, value in zip(functions, found, strict=True):
        assert value == pytest.approx(weight @ function(energy), rel=1e-3)


def test_sampled_bins_are_constant_inside_and_avoid_gaps(table):
    flux = load_flux(table(BINS + "0.5,1.0,2.0\n1.0,3.0,0.0\n4.0,6.5,0.3\n"), "numu")
    E_nu, found = averages(flux, [np.ones_like, lambda E: E, lambda E: E < 5.0], np.ones_like)
    assert not ((E_nu > 1.0) & (E_nu < 4.0)).any()
    assert E_nu.min() == pytest.approx(0.5, abs=1e-3) and E_nu.max() == pytest.approx(6.5, abs=1e-3)
    np.testing.assert_allclose(found, [1.75, 0.75 + 0.15 * (6.5**2 - 16.0), 1.3], rtol=1e-4)


def test_sampled_lines_are_the_nodes():
    line = Flux(np.asarray([2.0, 7.0]) + jnp.zeros(2), jnp.asarray([3.0, 1.0]), 3.0, "numu", "1/GeV", "lines")
    E_nu, weight = sample_energies(
        line, np.asarray([0.1, 0.45, 0.55, 0.9]), lambda E: 1.0 * (E > 5.0) * 3.0 + (E < 5.0)
    )
    np.testing.assert_array_equal(E_nu, [2.0, 2.0, 7.0, 7.0])
    np.testing.assert_allclose(weight, [6.0, 6.0, 2.0, 2.0])
    with pytest.raises(ValueError, match="flux lines of numu: the shape is zero at all energies"):
        sample_energies(line, np.asarray([0.5]), np.zeros_like)
