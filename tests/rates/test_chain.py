import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ccfr_rates import GENERIC, chain, changed, live, nominal, ratio

from tridentjax import (
    Flux,
    InputError,
    Nuisances,
    build_kernels,
    fold,
    load_experiment,
    prepare,
    rate_ratio,
    signal,
    total_cross_section,
)
from tridentjax.experiment.load import load_beams
from tridentjax.nucleus.form_factors import FermiDensity, VariedDensity
from tridentjax.nucleus.regimes import Coherent, nucleus_regimes
from tridentjax.rates.chain import Chain, fold_flux, fold_target, unselected
from tridentjax.rates.exposure import expected_events
from tridentjax.theory import theories
from tridentjax.theory.theories import sm, zprime

# --- rate ratios -----------------------------------------------------------------------------------------


# --- live nuisances against the same chain with other inputs -----------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ccfr", "charm2", "nutev"])
def test_live_fold_equals_precomputed_fold(name):
    fixed = fold(chain(name), Nuisances(*(float(x) for x in GENERIC)))  # builds the chain outside of any trace
    traced = live(name)(GENERIC)
    np.testing.assert_allclose(traced.weights, fixed.weights, rtol=1e-10, atol=1e-12 * float(fixed.weights.max()))
    np.testing.assert_allclose(traced.flux_integral, fixed.flux_integral, rtol=1e-12)
    point = (jnp.asarray(0.07), jnp.asarray(1.3e-3))
    np.testing.assert_allclose(ratio(traced, *point), ratio(fixed, *point), rtol=1e-12)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["ccfr", "nutev"])
@pytest.mark.parametrize("s", [0.83, 1.21])
def test_stretch_is_a_flux_of_stretched_energies(name, s):
    fluxes = tuple(
        Flux(f.energy * s, f.weight, f.pivot, f.species, f.unit, f.name) for f in chain(name).experiment.fluxes
    )
    by_hand = fold(changed(name, fluxes=fluxes))
    ours = live(name)(GENERIC._replace(**dict.fromkeys(Nuisances._fields, jnp.asarray(1.0)))._replace(
        flux_stretch=jnp.asarray(s), flux_tilt=jnp.asarray(0.0)))  # fmt: skip
    np.testing.assert_allclose(ours.weights, by_hand.weights, rtol=1e-10, atol=1e-12 * float(by_hand.weights.max()))
    np.testing.assert_allclose(ours.flux_integral, nominal(name).flux_integral, rtol=1e-12)
    assert float(signal(ours, theories.sm, {}).sum() / signal(nominal(name), theories.sm, {}).sum() - 1) * (s - 1) > 0


@pytest.mark.parametrize("tilt", [-0.6, 0.35])
def test_tilt_is_a_reweighted_flux(tilt):
    (f,) = chain("ccfr").experiment.fluxes
    tilted = Flux(f.energy, f.weight * (f.energy / f.pivot) ** tilt, f.pivot, f.species, f.unit, f.name)
    by_hand = fold(changed("ccfr", fluxes=(tilted,)))
    ours = fold(chain("ccfr"), Nuisances(flux_tilt=tilt))
    np.testing.assert_allclose(ours.weights, by_hand.weights, rtol=1e-10)
    np.testing.assert_allclose(ours.flux_integral, by_hand.flux_integral, rtol=1e-12)


def test_radius_and_diffuseness_are_those_of_the_density():
    loaded = chain("ccfr")
    (nucleus,) = loaded.experiment.nuclei
    fit = nucleus.fit
    factor = VariedDensity(nucleus.form_factor, fit, jnp.asarray(0.97), jnp.asarray(1.11))
    Q2 = jnp.asarray([1e-3, 0.02, 0.09])
    varied = FermiDensity(fit.c * 0.97, fit.z * 1.11, fit.w)
    np.testing.assert_allclose(factor(Q2), nucleus.form_factor(Q2) + varied(Q2) - fit(Q2), rtol=1e-13)

    regime, kernel = nucleus_regimes(nucleus)[0], loaded.kernels["Fe56"]
    density = fold_target(kernel, Coherent(factor, regime.Z, regime.mass, regime.radius))
    row = fold_flux(density, kernel, loaded.experiment.fluxes[0], 1.0, 0.0)
    ours = fold(loaded, Nuisances(nuclear_radius=0.97, nuclear_diffuseness=1.11))
    np.testing.assert_allclose(ours.weights[0] * ours.flux_integral, row, rtol=1e-10)
    np.testing.assert_array_equal(ours.weights[1:], nominal("ccfr").weights[1:])


def test_larger_nucleus_scatters_less():
    small, large = (fold(chain("ccfr"), Nuisances(nuclear_radius=x)).weights[0].sum() for x in (0.95, 1.05))
    assert float(large) < float(small)


def test_normalisations_scale_their_components():
    ours = fold(chain("nutev"), Nuisances(coherent_normalisation=1.17, incoherent_normalisation=0.62))
    factors = np.array([1.17 if c.regime == "coherent" else 0.62 for c in ours.components])
    np.testing.assert_allclose(ours.weights, factors[:, None, None] * np.asarray(nominal("nutev").weights), rtol=1e-13)


def test_components_are_additive_over_beams():
    """NuTeV's two beam species folded together are the flux-weighted mean of each alone."""
    both = chain("nutev")
    total, weight = 0.0, 0.0
    for flux in both.experiment.fluxes:
        alone = fold(changed("nutev", fluxes=(flux,)))
        total = total + np.asarray(alone.weights).sum(0) * float(alone.flux_integral)
        weight += float(alone.flux_integral)
    np.testing.assert_allclose(total / weight, np.asarray(nominal("nutev").weights).sum(0), rtol=1e-12)


# --- compressed path against the direct integral -----------------------------------------------------------


@functools.cache
def monoenergetic(E_nu):
    experiment = load_experiment("ccfr")
    flux = Flux(jnp.asarray([E_nu]), jnp.ones(1), E_nu, "numu", "1/GeV", "one energy")
    experiment = eqx.tree_at(lambda e: e.fluxes, experiment, (flux,))
    return fold(prepare(experiment, build_kernels(experiment)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("index", "masses"),
    [(0, (1e-3, 0.03)), (1, (1.0, 50.0)), (2, (0.03, 1000.0))],
    ids=["coherent", "proton", "neutron"],
)
def test_kernels_against_direct_integrals(index, masses):
    """Flux of a single energy, 37 GeV on iron, theory couplings inside the uncompressed integral."""
    response = monoenergetic(37.0)
    experiment = load_experiment("ccfr")
    regime = nucleus_regimes(experiment.nuclei[0])[index]
    assert response.components[index].regime == regime.name
    for mass in masses:
        # a coupling for which the mediator matters about as much as the Standard Model
        parameters = {"mass": jnp.asarray(mass), "g": jnp.asarray(max(1.2e-3, mass / 400))}
        channel = experiment.channel()
        estimate = total_cross_section(
            channel, regime, 37.0, theory=theories.zprime, parameters=parameters, rtol=5e-4, seed=4
        )
        ours = float(signal(response, theories.zprime, parameters)[index])
        assert abs(ours - float(estimate.sigma)) < 3 * float(estimate.sigma_error), (mass, ours, estimate)
        assert float(estimate.sigma_error) < 3e-3 * ours


# --- gradients of the whole chain --------------------------------------------------------------------------


def whole_chain(x):
    from tridentjax import log_likelihood

    response = fold(chain("ccfr"), Nuisances(*x[3:]))
    parameters = {"mass": x[0], "g": x[1], "sin2_theta_w": x[2]}
    return log_likelihood(chain("ccfr").experiment.measurement, rate_ratio(response, theories.zprime, parameters))


def test_gradients_of_the_whole_chain():
    """All nine parameters: mass, g, weak angle and six nuisances."""
    x = jnp.asarray([0.11, 1.9e-3, 0.2343, *GENERIC])
    chain("ccfr")  # kernels are built outside of any trace
    function = jax.jit(whole_chain)
    forward, reverse = jax.jit(jax.jacfwd(whole_chain))(x), jax.jit(jax.grad(whole_chain))(x)
    assert np.isfinite(reverse).all() and (np.abs(np.asarray(reverse)) > 1e-7).all()
    np.testing.assert_allclose(forward, reverse, rtol=1e-9)
    for i, unit in enumerate(np.eye(9)):
        h = 1e-4 * max(abs(float(x[i])), 1e-3)
        central = (8 * (function(x + h * unit) - function(x - h * unit))
                   - (function(x + 2 * h * unit) - function(x - 2 * h * unit))) / (12 * h)  # fmt: skip
        np.testing.assert_allclose(reverse[i], central, rtol=2e-6, err_msg=f"parameter {i}")


@pytest.mark.slow
def test_whole_chain_jit_and_vmap():
    x = jnp.asarray([0.11, 1.9e-3, 0.2343, *GENERIC])
    rows = jnp.stack([x, x.at[0].set(40.0).at[3].set(0.9)])
    loop = np.array([whole_chain(row) for row in rows])
    np.testing.assert_allclose(jax.jit(jax.vmap(whole_chain))(rows), loop, rtol=1e-10)
    np.testing.assert_allclose(jax.jit(whole_chain)(rows[1]), loop[1], rtol=1e-11)


def test_gradients_are_finite_at_the_corners():
    response = nominal("ccfr")
    slope = jax.jit(jax.grad(lambda x: rate_ratio(response, theories.zprime, {"mass": x[0], "g": x[1]})))
    for mass in (1e-3, 1.0, 1e3):
        for g in (0.0, 1e-5, 3.0):
            assert np.isfinite(slope(jnp.asarray([mass, g]))).all()


def test_chain_is_a_record_of_arrays():
    assert isinstance(chain("ccfr"), Chain)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(eqx.filter(chain("ccfr"), eqx.is_array)))


EDGES = (1, 2, 3, 5, 8, 12, 20, 40)
PION = (8e-5, 1.2e-4, 9e-5, 3e-5, 6e-6, 1e-6, 1e-7)
KAON = (1e-6, 1.5e-6, 2e-6, 2.5e-6, 2.2e-6, 1.5e-6, 5e-7)
ZPRIME = {"mass": np.float64(0.1), "g": np.float64(2e-3)}
EXPERIMENT = """\
name: two_beams
title: Pions and kaons
reference: nobody:2026
channel: {{lepton_minus: mu, lepton_plus: mu}}
flux: [{flux}]
target: [{{nucleus: Ar40}}]
{cuts}
exposure:
  target_mass: {{value: 50, unit: tonne, status: invented}}
  amount: {{value: 1.0e+21, unit: POT, status: invented}}
measurement:
  {{observable: rate_ratio, distribution: normal, unit: "1", value: 1.0, uncertainty: 0.3,
   includes_theory_error: true, status: invented}}
"""
CUT = "cuts: [{observable: E_minus, unit: GeV, min: 4.0}]"


def table(path, *columns, species=("numu",)):
    rows = zip(EDGES[:-1], EDGES[1:], *columns, strict=True)
    text = ["# unit: 1/GeV/m^2/POT", "# energy_unit: GeV", "E_lo,E_hi," + ",".join(species)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*text, *(",".join(map(str, row)) for row in rows)]) + "\n")


def write(folder, *flux, cuts=CUT):
    table(folder / "pion" / "flux.csv", PION)
    table(folder / "kaon" / "flux.csv", KAON)
    entries = ", ".join(f"{{species: numu, table: {name}}}" for name in flux)
    path = folder / "two_beams.yaml"
    path.write_text(EXPERIMENT.format(flux=entries, cuts=cuts))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("order", [("pion", "kaon"), ("kaon", "pion")])
def test_tables_of_one_name_have_their_own_acceptance(tmp_path, order):
    experiment = load_experiment(write(tmp_path, *(f"{name}/flux.csv" for name in order)))
    chain = prepare(experiment)
    response = fold(chain)
    assert float(expected_events(response, experiment).sum()) == pytest.approx(
        63.55, abs=0.2
    )  # error of the acceptance 0.2 %
    assert float(rate_ratio(response, zprime, ZPRIME)) == pytest.approx(4.715, abs=0.015)
    kept = np.asarray(signal(response, sm, {}) / signal(fold(unselected(chain)), sm, {}))
    names = [component.flux for component in response.components]
    assert names[:2] == [f"{name}/flux.csv" for name in order]  # and not `flux` twice
    for first, second in zip(kept[::2], kept[1::2], strict=True):  # the kaons' neutrinos have more energy
        assert (first < 0.5 * second) == (order[0] == "pion")


@pytest.mark.parametrize("again", ["pion/flux.csv", "./pion/flux.csv", "pion/copy.csv"])
def test_the_same_spectrum_twice_is_refused(tmp_path, again):
    table(tmp_path / "pion" / "copy.csv", PION)
    with pytest.raises(InputError, match=r"flux: entries 1 and 3 are the same spectrum of numu .*; keep one"):
        load_experiment(write(tmp_path, "pion/flux.csv", "kaon/flux.csv", again))


def test_beams_of_tables_of_one_name(tmp_path):
    path = write(tmp_path, "pion/flux.csv", "kaon/flux.csv", "./kaon/flux.csv")
    table(tmp_path / "kaon" / "flux.csv", KAON, PION, species=("numu", "nue"))
    beams = load_beams(path)
    assert [(beam.species, beam.name) for beam in beams] == [
        ("numu", "pion/flux.csv"), ("numu", "kaon/flux.csv"), ("nue", "kaon/flux.csv")
    ]  # fmt: skip
    assert float(beams[2].weight.sum()) == pytest.approx(float(beams[0].weight.sum()), rel=1e-12)


def test_histograms_of_one_root_file_are_beams_of_their_own(tmp_path):
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(tmp_path / "beam.root") as file:
        for name, values in (("pion", PION), ("kaon", KAON)):
            file[name] = (np.asarray(values), np.asarray(EDGES, dtype=float))
    entry = (
        "{{species: numu, table: beam.root, histogram: {}, unit: 1/GeV/m^2/POT, energy_unit: GeV, content: per_GeV}}"
    )
    path = tmp_path / "two_beams.yaml"
    path.write_text(EXPERIMENT.format(flux=", ".join(map(entry.format, ("pion", "kaon"))), cuts=""))
    beams = load_beams(path)
    assert [beam.name for beam in beams] == ["beam.root:pion", "beam.root:kaon"]
    assert [beam.name for beam in load_experiment(path).fluxes] == ["beam.root:pion", "beam.root:kaon"]
    ratio = float(beams[0].weight.sum() / beams[1].weight.sum())
    assert ratio == pytest.approx(np.dot(PION, np.diff(EDGES)) / np.dot(KAON, np.diff(EDGES)), rel=1e-12)
