"""`reach dune`: the required accuracy against a second formula for it, and the command."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from toy_model import SLOPES, toy_model

from tridentjax.faults import InputError
from tridentjax.inference.data import observed
from tridentjax.inference.limits.required_accuracy import (
    excluded_coupling,
    required_accuracy,
    statistical_accuracy,
    with_accuracy,
)
from tridentjax.inference.profile import profile

LEVEL = 0.9
Z = norm.isf(0.05)
MASS = np.asarray([0.7, 1.3, 2.9, 0.4, 6.0])
G = np.asarray([1.1, 0.9, 0.35, 5.0, 0.3])
WIDTH = float(np.linalg.norm(SLOPES))  # R = R_0 exp(WIDTH u) along the direction in which nuisances act

EXPERIMENT = """
name: hydrogen
title: Hydrogen in the DUNE beam
reference: none
data_set: hydrogen
channel: {lepton_minus: mu, lepton_plus: mu}
flux:
  - {species: numu, table: DUNE_ND_FHC}
target:
  - {nucleus: H1, mass_fraction: 1.0}
exposure:
  target_mass: {value: 10, unit: tonne, status: test}
  amount: {value: 2.2e21, unit: POT, status: test}
  duration: {value: 2, unit: year}
measurement:
  {observable: rate_ratio, distribution: normal, unit: "1", value: 0.7, uncertainty: 0.2,
   includes_theory_error: true, status: test}
nuisances:
  incoherent_normalisation: {log_sd: 0.11, status: test}
"""


def asimov():
    return toy_model(value=1.0, uncertainty_low=1.0, uncertainty_high=1.0, includes_theory_error=False)


def solved():
    return required_accuracy(asimov(), jnp.asarray(MASS), jnp.asarray(G), LEVEL)


@pytest.mark.slow
def test_without_nuisances():
    found = solved()
    np.testing.assert_allclose(found.rate_ratio, 1.0 + G**2 / MASS, rtol=1e-14)
    np.testing.assert_allclose(found.without, G**2 / MASS / Z, rtol=1e-12)


def test_with_nuisances_against_the_smallest_ratio():
    """F > z^2 for every |u| < z says delta < |R(u) - 1|/sqrt(z^2 - u^2): the least of these is the root."""
    found = solved()
    for i, R in enumerate(1.0 + G**2 / MASS):
        if i in (2, 4):  # hidden: u = -ln R/WIDTH lies within z
            assert np.isnan(found.with_nuisances[i])
            continue
        bound = lambda u, R=R: (R * np.exp(WIDTH * u) - 1.0) / np.sqrt(Z**2 - u**2)  # noqa: E731
        least = minimize_scalar(bound, bounds=(-Z + 1e-9, Z - 1e-9), method="bounded", options={"xatol": 1e-10})
        assert float(found.with_nuisances[i]) == pytest.approx(least.fun, rel=1e-7)
        assert found.with_nuisances[i] < found.without[i]
    assert np.asarray(found.converged).all()


def test_hidden_points_are_those_within_reach_of_the_nuisances():
    found = solved()
    distance = np.log1p(G**2 / MASS) / WIDTH
    near = distance < 8.0
    assert near.sum() >= 3 and (~near).any()
    np.testing.assert_allclose(np.asarray(found.theory_alone)[near], distance[near], rtol=1e-9)
    assert (np.asarray(found.theory_alone)[~near] >= 8.0).all()
    np.testing.assert_array_equal(np.isnan(found.with_nuisances), distance <= Z)


def test_the_root_solves_the_equation():
    model, found = asimov(), solved()
    own = with_accuracy(model, found.with_nuisances[1])
    fit = profile(own, observed(model), own.ratios_at, {"mass": jnp.asarray(MASS[1]), "g": jnp.asarray(G[1])})
    pull = (float(fit.z @ SLOPES) + np.log1p(G[1] ** 2 / MASS[1]),)
    left = ((np.exp(pull[0]) - 1.0) / float(found.with_nuisances[1])) ** 2 + float(fit.z @ fit.z)
    assert left == pytest.approx(Z**2, rel=1e-7)


@pytest.mark.slow
def test_no_change_of_the_rate_needs_no_accuracy():
    found = required_accuracy(asimov(), jnp.asarray([1.0]), jnp.asarray([0.0]), LEVEL)
    assert float(found.without[0]) == 0.0 and np.isnan(found.with_nuisances[0]) and float(found.theory_alone[0]) == 0.0


@pytest.mark.slow
def test_accuracy_without_nuisances_is_differentiable():
    def total(g):
        return required_accuracy(asimov(), jnp.asarray(MASS[:2]), g, LEVEL).without.sum()

    slope = jax.jacfwd(total)(jnp.asarray(G[:2]))
    np.testing.assert_allclose(slope, 2.0 * G[:2] / MASS[:2] / Z, rtol=1e-10)


def test_excluded_coupling():
    mass = jnp.asarray([0.3, 2.3, 9e4])
    found = np.asarray(excluded_coupling(asimov(), mass, 0.37, LEVEL))
    np.testing.assert_allclose(found[:2], np.sqrt(Z * 0.37 * np.asarray(mass[:2])), rtol=1e-7)
    assert np.isnan(found[2])  # beyond the largest coupling


def test_refusals():
    with pytest.raises(InputError, match=r"confidence level 1; allowed: between 0 and 1"):
        required_accuracy(asimov(), jnp.ones(1), jnp.ones(1), 1.0)
    with pytest.raises(InputError, match=r"accuracy -0.4; allowed: positive"):
        excluded_coupling(asimov(), jnp.ones(1), -0.4)
    with pytest.raises(InputError) as caught:
        statistical_accuracy(0.0, np.inf, 1.2)
    assert len(caught.value.faults) == 3 and "efficiency = 1.2; allowed: above 0, up to 1" in caught.value.faults[2]


# --- the command -----------------------------------------------------------------------------------------------


@pytest.fixture
def hydrogen(tmp_path):
    (tmp_path / "hydrogen.yaml").write_text(EXPERIMENT)
    return tmp_path / "hydrogen.yaml"


def test_statistics_scale_with_the_exposure(hydrogen):
    found = statistical_accuracy(1.5, 30.0, 0.2, (str(hydrogen),))
    rate = found.events_per_tonne_year[str(hydrogen)]
    assert found.events == pytest.approx(0.2 * 30.0 * 1.5 * rate, rel=1e-12)
    assert found.accuracy == pytest.approx(found.events**-0.5, rel=1e-12)
    assert found.budgets[str(hydrogen)].incoherent == pytest.approx(0.11, rel=1e-12)
