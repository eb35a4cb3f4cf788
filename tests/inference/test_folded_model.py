"""Folded experiments give what the chains give; neutrino and antineutrino of one pair have the same couplings."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import statistical_model

from tridentjax.currents import Channel, quadratic_couplings
from tridentjax.inference.folded_model import fold_model, in_float32
from tridentjax.scan.evaluator import nominal_outputs, single_precision_error
from tridentjax.theory.binding import bind_theory
from tridentjax.theory.catalogue import THEORIES

POINTS = ({"mass": 0.0123, "g": 7.7e-4}, {"mass": 0.31, "g": 2.9e-3}, {"mass": 41.0, "g": 0.11})
BULK = {"c_L_e": 0.62, "c_L_mu": 0.44, "c_R_e": 0.68, "c_R_mu": 0.57}
GIVEN = {
    "zprime": {"mass": 0.4, "g_nu": 1.1e-3, "g_V": 0.7e-3, "g_A": -1.3e-3},
    "left": {"VnueLL_2222": 2.1e-6, "VnueLR_1222": -1.2e-6, "VnueLR_1222_Im": 0.7e-6},
    "smeft": {"ll_2222": 1.3e-7, "le_2322": 1.1e-7, "le_2322_Im": 0.8e-7, "phil3_22": -0.4e-7},
    "rs": {"Lambda_IR": 1700.0, **BULK},
    "rs_lmutau": {"Lambda_IR": 2300.0, "g": 2e-3, "mass": 0.2, **BULK},
}


def points():
    return [{name: jnp.asarray(x) for name, x in point.items()} for point in POINTS]


@pytest.mark.slow
@pytest.mark.parametrize("experiments", ["ccfr", "nutev_1998, ccfr"])
def test_equals_the_chain(experiments):
    model = statistical_model(experiments)
    folded, responses = fold_model(model), model.responses({})
    for point in points():
        np.testing.assert_allclose(folded.rate_ratios(point), model.rate_ratios(point, responses), rtol=1e-12)
        np.testing.assert_allclose(folded.log_likelihood(point), model.log_likelihood(point, responses), rtol=1e-12)
    assert folded.weights.shape[1] == 1  # neutrino and antineutrino share their couplings
    np.testing.assert_allclose(folded.rate_ratios({"mass": jnp.asarray(1.0), "g": jnp.zeros(())}), 1.0, rtol=1e-13)


@pytest.mark.slow
def test_nuisances_can_be_moved_before_folding():
    model = statistical_model("ccfr")
    moved = {"flux_stretch_ccfr": 1.13, "coherent_normalisation": 0.94, "sin2_theta_w": 0.2331}
    values = {name: jnp.asarray(moved[name]) for name in moved if name in model.nuisances}
    assert len(values) > 1
    folded, point = fold_model(model, values), points()[1]
    inside = {**point, **{n: x for n, x in values.items() if n == "sin2_theta_w"}}
    np.testing.assert_allclose(folded.rate_ratios(inside), model.rate_ratios({**values, **point}), rtol=1e-12)


def test_different_nodes_are_put_side_by_side():
    """Two experiments whose responses live on different nodes."""
    model = statistical_model("nutev_1998, ccfr")
    response = model.responses({})
    shifted = dataclasses.replace(response[1], K2=response[1].K2 * 1.01)

    class Moved(type(model)):
        def responses(self, values):
            return (response[0], shifted)

    moved = Moved(**{field.name: getattr(model, field.name) for field in dataclasses.fields(model)})
    folded = fold_model(moved)
    assert folded.K2.size == 2 * response[0].K2.size
    for point in points():
        np.testing.assert_allclose(
            folded.rate_ratios(point), moved.rate_ratios(point, (response[0], shifted)), rtol=1e-12
        )


def test_gradients_agree_and_are_finite():
    folded = fold_model(statistical_model("nutev_1998, ccfr"))

    def plain(x):
        return folded.log_likelihood({"mass": jnp.exp(x[0]), "g": jnp.exp(x[1])})

    f = jax.jit(plain)

    for point in points():
        x = jnp.log(jnp.stack([point["mass"], point["g"]]))
        forward, reverse = jax.jit(jax.jacfwd(f))(x), jax.jit(jax.grad(f))(x)
        np.testing.assert_allclose(forward, reverse, rtol=1e-11, atol=1e-13)
        step = 1e-4 * np.eye(2)
        numeric = [(f(x + s) - f(x - s)) / 2e-4 for s in step]
        np.testing.assert_allclose(reverse, numeric, rtol=2e-6, atol=1e-9)
        np.testing.assert_allclose(f(x), plain(x), rtol=1e-13)


@pytest.mark.slow
def test_single_precision_is_single_and_as_good_as_said():
    folded = fold_model(statistical_model("nutev_1998, ccfr"))
    rows = np.exp(np.random.default_rng(2).uniform(np.log([1e-3, 1e-5]), np.log([1e3, 3.0]), (256, 2)))
    error = single_precision_error(folded, ("mass", "g"), rows)
    assert 0.0 < error["rate_ratio_relative"] < 3e-6 and error["log_likelihood_absolute"] < 1e-3
    single = nominal_outputs(in_float32(folded))({"mass": jnp.float32(0.2), "g": jnp.float32(1e-3)})
    assert {x.dtype for x in single.values()} == {jnp.dtype("float32")}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", sorted(GIVEN))
def test_antineutrinos_have_the_couplings_of_neutrinos(name):
    """What lets Folded evaluate a theory once for both beams; VA included (its sign is in the weights)."""
    assert name in THEORIES
    bound = bind_theory(name, GIVEN[name])
    K2 = jnp.asarray([1e-4, 0.03, 2.0])
    flavours = (("mu", "mu"), ("mu", "e"), ("e", "mu")) if name in ("zprime", "left", "smeft") else (("mu", "mu"),)
    for flavour, lepton in flavours:
        both = []
        for antineutrino in (False, True):
            channel = Channel(flavour, lepton, lepton, antineutrino)
            couplings = jax.jit(lambda p, c=channel: quadratic_couplings(bound.function(p, c, K2)))
            both.append(couplings(bound.values))
        np.testing.assert_allclose(both[0], both[1], rtol=1e-13)
