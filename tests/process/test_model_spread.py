"""Spread over nuclear models, written out here."""

import numpy as np
import pytest
from fixtures_physics import DIMUON

from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import nucleus_regimes
from tridentjax.process.model_spread import model_spread
from tridentjax.process.totals import tabulated_cross_section

ENERGIES = [3.7, 52.0]


def table(regime):
    return tabulated_cross_section(DIMUON, regime, ENERGIES)


@pytest.mark.slow
def test_spread_over_nuclear_models():
    found = model_spread(DIMUON, "O16", ENERGIES)
    coherent, incoherent = found["coherent"], found["incoherent"]
    assert next(iter(coherent.sigma)) == "default"
    assert {"default", "fourier-bessel", "helm", "woods-saxon"} <= set(coherent.sigma)
    for model, sigma in coherent.sigma.items():
        exact = table(nucleus_regimes(load_nucleus("O16", model))[0]).sigma
        np.testing.assert_allclose(sigma, exact, rtol=1e-12, err_msg=model)
    values = np.stack(list(coherent.sigma.values()))
    expected = (values.max(0) - values.min(0)) / 2 / coherent.sigma["default"]
    np.testing.assert_allclose(coherent.half_range, expected, rtol=1e-12)
    assert (coherent.half_range > 0.001).all() and (coherent.half_range < 0.1).all()
    assert next(iter(incoherent.sigma)) == "kelly" and set(incoherent.sigma) == {"kelly", "dipole", "ye2018"}
    for model, sigma in incoherent.sigma.items():
        exact = sum(table(regime).sigma for regime in nucleus_regimes(load_nucleus("O16"), model)[1:])
        np.testing.assert_allclose(sigma, exact, rtol=1e-12, err_msg=model)
    values = np.stack(list(incoherent.sigma.values()))
    np.testing.assert_allclose(
        incoherent.half_range, (values.max(0) - values.min(0)) / 2 / incoherent.sigma["kelly"], rtol=1e-12
    )


@pytest.mark.slow
def test_spread_of_mixtures_and_nucleons():
    """Only the models that every nucleus has; the chosen nucleon model comes first."""
    mixture = model_spread(DIMUON, "fused_silica", ENERGIES[1:], "ye2018")
    assert next(iter(mixture["coherent"].sigma)) == "default" and "woods-saxon" in mixture["coherent"].sigma
    assert "gaussian3" not in mixture["coherent"].sigma  # not tabulated for oxygen
    assert next(iter(mixture["incoherent"].sigma)) == "ye2018"
    nucleon = model_spread(DIMUON, "neutron", ENERGIES[1:], "dipole")
    assert set(nucleon) == {"incoherent"} and next(iter(nucleon["incoherent"].sigma)) == "dipole"
    assert 0.001 < nucleon["incoherent"].half_range[0] < 0.2


def test_spread_below_threshold_is_zero():
    found = model_spread(DIMUON, "O16", [0.1])
    assert all(not s.sigma["default" if n == "coherent" else "kelly"].any() for n, s in found.items())
    assert all(not s.half_range.any() for s in found.values())
