"""Cross sections against an independent amplitude, phase space and integrator (see `oracle_vegas`)."""

from functools import cache

import numpy as np
import oracle_vegas as oracle
import pytest
from dirac_traces import METRIC, trace_squared
from scipy.integrate import dblquad

from tridentjax import Channel, load_nucleus, nucleon_regime, nucleus_regimes, total_cross_section
from tridentjax.constants import MASS_MU, MASS_PROTON, MASS_TAU

WIDER = np.finfo(np.longdouble).eps < 1e-18
NUCLEI = {"Ar40": (18, 40), "Fe56": (26, 56), "W184": (74, 184)}


@cache
def coherent(name):
    """Regime and oracle target of a nucleus; only its mass is common."""
    regime = nucleus_regimes(load_nucleus(name, "woods-saxon"))[0]
    return regime, oracle.woods_saxon_target(*NUCLEI[name], regime.mass)


def nucleon(kind, p_fermi=0.0, model="kelly"):
    return nucleon_regime(kind, 1, p_fermi, model), oracle.nucleon_target(kind, p_fermi, model)


# (channel, target, energy); the neutrino flavour does not enter the structures
CASES = [
    (("mu", "mu", "mu"), (coherent, "Ar40"), 3.31),
    (("mu", "e", "e"), (coherent, "Fe56"), 37.1),
    (("mu", "mu", "e"), (coherent, "Ar40"), 0.73),
    (("mu", "e", "mu", True), (nucleon, "neutron", 0.217), 0.67),
    (("tau", "tau", "mu"), (coherent, "W184"), 211.0),
    (("mu", "mu", "mu"), (nucleon, "proton"), 36.7),
]
MORE = [
    (("mu", "mu", "tau"), (nucleon, "proton"), 41.3),
    (("mu", "e", "e"), (nucleon, "proton", 0.0, "dipole"), 0.71),
    (("e", "e", "mu"), (coherent, "Fe56"), 193.0),
    (("mu", "mu", "mu", True), (nucleon, "neutron", 0.235), 127.0),
    (("mu", "tau", "mu", True), (coherent, "W184"), 37.9),
    (("mu", "e", "e"), (coherent, "Ar40"), 207.0),
    (("mu", "mu", "mu"), (coherent, "Ar40"), 0.71),
    (("mu", "tau", "tau"), (nucleon, "proton"), 203.0),
    (("mu", "e", "mu", True), (coherent, "Ar40"), 3.37),
]


def identity(case):
    channel, target, E_nu = case
    return f"{Channel(*channel).name} {target[1]} {E_nu}".replace(" -> ", ">")


def compare(case, seed, points, **settings):
    """Print one line of the comparison and assert that it holds."""
    names, (make, *arguments), E_nu = case
    channel, (regime, target) = Channel(*names), make(*arguments)
    theirs = oracle.vegas_cross_section(oracle.process(*names[1:]), target, E_nu, seed=seed, **settings)
    ours = total_cross_section(channel, regime, E_nu, rtol=1.2e-3, points=points, seed=seed)
    value, error = np.asarray(ours.value), np.asarray(ours.error)
    both, difference = theirs.value[0], value - theirs.value[1:]
    pulls = difference / np.hypot(error, theirs.error[1:])
    # VA is a difference of positive rates (zero for equal masses), hence measured against VV + AA
    relative = difference / np.array([theirs.value[1], theirs.value[2], both])
    for i, structure in enumerate(("VV", "AA", "VA")):
        print(
            f"\n{identity(case):36} {structure} vegas {theirs.value[1 + i]:11.4e} +- {theirs.error[1 + i]:.1e}  "
            f"ours {value[i]:11.4e} +- {error[i]:.1e}  diff {relative[i]:+.2e} pull {pulls[i]:+.2f}",
            end="",
        )
    print(f"\n  vegas error {theirs.error[0] / both:.1e}, Q {theirs.Q:.2f}, {theirs.evaluations} evaluations")
    assert theirs.error[0] < 1.5e-3 * both
    assert theirs.Q > 1e-3  # iterations agree with each other
    assert np.abs(pulls).max() < 4
    assert np.abs(relative).max() < 3e-3
    if names[1] != names[2]:
        assert abs(theirs.value[3]) > 8 * theirs.error[3]  # so that a wrong sign of VA cannot pass


@pytest.mark.few(1)
@pytest.mark.parametrize("case", CASES, ids=identity)
def test_cross_section_agrees_with_vegas(case):
    electrons = case[0][1:3] == ("e", "e")  # peaks of the electron mass: four times the variance
    compare(case, seed=CASES.index(case) + 71, points=2**14, neval=180_000 if electrons else 80_000)


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE, ids=identity)
def test_more_cross_sections_agree_with_vegas(case):
    compare(case, seed=MORE.index(case) + 171, points=2**15, neval=300_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "VV", "AA"),
    [
        ((coherent, "Ar40"), 4.056e-42, 6.058e-42),
        ((nucleon, "proton", 0.0, "dipole"), 1.235e-43, 1.486e-43),
        ((nucleon, "neutron", 0.0, "dipole"), 1.595e-44, 1.782e-44),
    ],
    ids=["Ar40", "proton", "neutron"],
)
def test_oracle_gives_the_development_values(target, VV, AA):
    """Dimuons at 10 GeV; the reference values carry statistical errors of 0.15 %."""
    result = oracle.vegas_cross_section(oracle.process("mu", "mu"), target[0](*target[1:])[1], 10.0)
    np.testing.assert_allclose(result.value[1:3], [VV, AA], rtol=4e-3)


AMPLITUDES = [
    (("mu", "mu"), oracle.nucleon_target("proton"), 7.7),
    (("e", "mu", True), oracle.nucleon_target("neutron"), 1.3),
    (("tau", "e"), oracle.nucleon_target("proton"), 19.0),
]


def sample(count, seed=5):
    return np.random.default_rng(seed).random((count, oracle.DIMENSION))


@pytest.mark.skipif(not WIDER, reason="traces in the laboratory need more digits than this machine's floats have")
@pytest.mark.parametrize(("names", "target", "E_nu"), AMPLITUDES)
def test_oracle_amplitude_equals_traces(names, target, E_nu):
    """Spinors against traces of literal 4x4 matrices, in the laboratory."""
    process = oracle.process(*names)
    momenta, Q2, _ = oracle.events(process, target, np.longdouble(E_nu), sample(6).astype(np.longdouble))
    tensors = oracle.contractions(process, target.mass, momenta)
    g_V, g_A = 0.37, -0.83
    for i in range(6):
        event = [p[:, i] for p in momenta]
        R = METRIC @ (2 * np.array([target.mass, 0, 0, 0]) - event[1])
        RR = trace_squared(process, event, R, g_V, g_A)
        metric = -Q2[i] * sum(METRIC[m, m] * trace_squared(process, event, np.eye(4)[m], g_V, g_A) for m in range(4))
        ours = np.array([g_V**2, g_A**2, g_V * g_A]) @ tensors[:, :, i]
        np.testing.assert_allclose(ours.astype(float), np.array([RR, metric], float), rtol=1e-6)


@pytest.mark.skipif(not WIDER, reason="this machine has no wider float to compare with")
@pytest.mark.parametrize(
    ("names", "target", "E_nu"),
    [(("e", "e"), (coherent, "Fe56"), 37.1), (("mu", "mu"), (nucleon, "proton"), 211.0)],
)
def test_oracle_has_enough_digits(names, target, E_nu):
    """The integrand in 64-bit floats against 80-bit floats: sums over points agree far below 0.1 %."""
    target = target[0](*target[1:])[1]
    process, u = oracle.process(*names), sample(3000)
    narrow = oracle.integrand(process, target, E_nu, u)
    wide = oracle.integrand(process, target, np.longdouble(E_nu), u.astype(np.longdouble))
    np.testing.assert_allclose(narrow.sum(0)[:3], wide.sum(0)[:3].astype(float), rtol=1e-8)


@pytest.mark.parametrize(("names", "target", "E_nu"), AMPLITUDES)
def test_oracle_events_are_physical(names, target, E_nu):
    process = oracle.process(*names)
    momenta, Q2, weight = oracle.events(process, target, E_nu, sample(500))
    k, q, k_prime, p_minus, p_plus = momenta
    np.testing.assert_allclose(k + q, k_prime + p_minus + p_plus, atol=1e-12 * E_nu)
    for p, mass2 in ((k_prime, 0.0), (p_minus, process.mass_minus**2), (p_plus, process.mass_plus**2), (q, -Q2)):
        np.testing.assert_allclose(oracle.dot(p, p), mass2, atol=1e-13 * E_nu**2)
    recoil = np.array([target.mass, 0, 0, 0])[:, None] - q
    np.testing.assert_allclose(oracle.dot(recoil, recoil), target.mass**2, rtol=1e-11)
    assert (weight >= 0).all() and np.isfinite(weight).all()


def test_oracle_phase_space_has_the_right_volume():
    """Volume against nested two-body volumes of another decay tree, X -> nu' (l- l+)."""
    process, target, E_nu = oracle.process("tau", "mu"), oracle.nucleon_target("proton"), 23.0
    root_s = np.sqrt(MASS_PROTON * (MASS_PROTON + 2 * E_nu))
    pair = MASS_TAU + MASS_MU

    def two_body(mass, one, two):
        return np.sqrt(max((mass**2 - (one + two) ** 2) * (mass**2 - (one - two) ** 2), 0.0)) / (8 * np.pi * mass**2)

    def nested(m, x):  # masses of the dilepton and of X; d(mass^2)/2 pi = mass d(mass)/pi
        volumes = two_body(root_s, MASS_PROTON, x) * two_body(x, 0.0, m) * two_body(m, MASS_TAU, MASS_MU)
        return volumes * x * m / np.pi**2

    volume, _ = dblquad(nested, pair, root_s - MASS_PROTON, pair, lambda x: x, epsrel=1e-6)
    weights = oracle.events(process, target, E_nu, sample(200_000))[2]
    assert abs(weights.mean() / volume - 1.0) < 4 * weights.std() / np.sqrt(weights.size) / volume
    assert weights.std() / np.sqrt(weights.size) < 0.02 * volume
