"""Other physics codes (extra `peers`): wilson for names and matching, flavio for the trident ratio.

Run with `pytest -m peer` where wilson, flavio and a `particle` that flavio can read are installed.
"""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.currents import FLAVOURS, Channel, standard_model_current
from tridentjax.theory.left import COMPLEX_NAMES, LEFT_NAMES, WARSAW_COMPLEX, WARSAW_NAMES, left_shift
from tridentjax.theory.smeft import smeft_shift, warsaw_to_left
from tridentjax.theory.wcxf import load_wcxf

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
MATCHING_SCALE = 91.1876
DIMUON = Channel("mu", "mu", "mu")
RNG = np.random.default_rng(20261123)


@pytest.fixture(scope="module")
def wilson():
    return pytest.importorskip("wilson")


@pytest.fixture(scope="module")
def flavio():
    try:
        import flavio
    except (ImportError, FileNotFoundError) as error:  # the latter with some versions of particle
        pytest.skip(f"flavio cannot be imported: {error}")
    return flavio


@pytest.fixture(scope="module")
def wilson_s2(wilson):
    """sin^2(theta_W) of wilson, whose inputs are alpha(m_Z), m_W and G_F."""
    from wilson.parameters import p

    return float(np.pi * p["alpha_e"] / (np.sqrt(2) * p["GF"] * p["m_W"] ** 2))


def matched(wilson, values):
    """Coefficients of nu nu l l that wilson finds in WET, basis JMS, at the matching scale."""
    low = wilson.Wilson(values, scale=MATCHING_SCALE, eft="SMEFT", basis="Warsaw").match_run(
        scale=MATCHING_SCALE, eft="WET", basis="JMS", sectors="all"
    )
    return {name: value for name, value in low.dict.items() if name in LEFT_NAMES}


def linearised(wilson, values):
    """First order of `matched`, by central differences (its G_F is not linearised)."""
    up, down = matched(wilson, values), matched(wilson, {name: -value for name, value in values.items()})
    return {name: (up.get(name, 0.0) - down.get(name, 0.0)) / 2 for name in {*up, *down}}


def as_complex(parameters, name):
    return complex(parameters.get(name, 0.0), parameters.get(f"{name}_Im", 0.0))


@pytest.mark.parametrize("eft", ["WET", "WET-4", "WET-3"])
def test_names_of_left(wilson, eft):
    theirs = {}
    for sector in wilson.wcxf.Basis[eft, "JMS"].sectors.values():
        theirs |= {n: bool((v or {}).get("real")) for n, v in sector.items() if n.startswith(("VnueLL_", "VnueLR_"))}
    ours = {name: name not in COMPLEX_NAMES for name in LEFT_NAMES}
    if eft == "WET-3":  # no tau: its names are some of ours
        assert theirs == {name: ours[name] for name in theirs}
        assert {name for name in ours if "3" not in name.split("_")[1][2:]} == set(theirs)
    else:
        assert theirs == ours


@pytest.mark.parametrize("basis", ["Warsaw", "Warsaw up"])
def test_names_of_smeft(wilson, basis):
    families = {"ll", "le", "phil1", "phil3", "phie", "phiD", "phiWB"}
    theirs = {}
    for sector in wilson.wcxf.Basis["SMEFT", basis].sectors.values():
        theirs |= {n: bool((v or {}).get("real")) for n, v in sector.items() if n.split("_")[0] in families}
    assert theirs == {name: name not in WARSAW_COMPLEX for name in WARSAW_NAMES}


def test_every_derivative_of_the_matching(wilson, wilson_s2):
    """All nu nu l l elements, flavour violating ones included, of every coefficient, real and imaginary."""
    step, compared = 1e-9, 0
    for name in WARSAW_NAMES:
        for part, suffix in ((1.0, ""), (1j, "_Im"))[: 2 if name in WARSAW_COMPLEX else 1]:
            theirs = linearised(wilson, {name: part * step})
            ours = warsaw_to_left({f"{name}{suffix}": 1.0}, "alpha_mW_GF", wilson_s2)
            assert ours
            for element in LEFT_NAMES:
                pair = as_complex(ours, element), theirs.get(element, 0.0) / step
                assert abs(pair[0] - pair[1]) < 1e-7, (name + suffix, element, *pair)
                compared += abs(pair[0]) > 1e-3
    assert compared > 400  # complex numbers that do not vanish


def test_no_other_coefficient_contributes(wilson):
    basis = wilson.wcxf.Basis["SMEFT", "Warsaw"]
    others = {name for sector in basis.sectors.values() for name in sector} - set(WARSAW_NAMES)
    found = matched(wilson, {name: 1e-10 * RNG.uniform(0.5, 1.5) for name in sorted(others)})
    assert max(map(abs, found.values()), default=0.0) < 1e-7 * 1e-10


def test_every_channel(wilson, wilson_s2):
    values = {n: 1e-9 * (RNG.normal() + (1j * RNG.normal() if n in WARSAW_COMPLEX else 0.0)) for n in WARSAW_NAMES}
    ours = {n: float(np.real(v)) for n, v in values.items()}
    ours |= {f"{n}_Im": float(np.imag(values[n])) for n in WARSAW_COMPLEX}
    theirs = linearised(wilson, values)
    unit = -1 / (2 * np.sqrt(2) * 1.1663788e-5)
    for a, i, j, anti in itertools.product(range(3), range(3), range(3), (False, True)):
        channel = Channel(FLAVOURS[a], FLAVOURS[i], FLAVOURS[j], anti)
        shift = smeft_shift(ours, channel, "alpha_mW_GF", wilson_s2)
        for b in range(3):
            p, r = (a, b) if anti else (b, a)
            name, conjugate = ("".join(str(1 + x) for x in index) for index in ((p, r, i, j), (r, p, j, i)))
            left, right = (
                theirs.get(f"{family}_{name}", np.conj(theirs.get(f"{family}_{conjugate}", 0.0))) * unit
                for family in ("VnueLL", "VnueLR")
            )
            g_V, g_A = (complex(x[b], x[b + 3] if len(x) == 6 else 0.0) for x in (shift.g_V, shift.g_A))
            np.testing.assert_allclose([g_V, g_A], [left + right, left - right], rtol=1e-5, atol=1e-9)


def test_file_written_by_wilson(wilson, wilson_s2, tmp_path):
    values = {"phil3_22": 3e-9, "ll_1222": 2e-9 + 1e-9j, "le_2222": -4e-9}
    low = wilson.Wilson(values, scale=MATCHING_SCALE, eft="SMEFT", basis="Warsaw").match_run(
        scale=MATCHING_SCALE, eft="WET", basis="JMS", sectors="all"
    )
    for form in ("json", "yaml"):
        path = tmp_path / f"low.{form}"
        with path.open("w", encoding="utf-8") as stream:
            low.dump(stream, fmt=form)
        read = load_wcxf(path)
        assert (read.theory, read.scale) == ("left", MATCHING_SCALE)
        assert any(name.startswith("VnueduLL") for name in read.ignored)
        direct = {"phil3_22": 3e-9, "ll_1222": 2e-9, "ll_1222_Im": 1e-9, "le_2222": -4e-9}
        one, two = left_shift(read.parameters, DIMUON), smeft_shift(direct, DIMUON, "alpha_mW_GF", wilson_s2)
        np.testing.assert_allclose(one.g_V, two.g_V, rtol=2e-4, atol=1e-10)  # wilson keeps G_F beyond linear order


@pytest.mark.parametrize(
    "values",
    [
        {"le_2222": 1.1e-6},
        {"ll_2222": -0.9e-6},
        {"le_2222": -1.7e-6, "ll_2222": 1.3e-6},
        {"ll_1222": 1.5e-6 - 2.1e-6j, "le_2322": 2.3e-6},  # other outgoing neutrinos: squares only
    ],
)
def test_trident_ratio_of_flavio(flavio, values):
    """High-energy contact limit; flavio runs to 1 GeV (a few per cent of the shift), hence 6 % of R - 1."""
    coefficients = flavio.WilsonCoefficients()
    coefficients.set_initial(values, MATCHING_SCALE, eft="SMEFT", basis="Warsaw")
    theirs = flavio.np_prediction("R_trident", coefficients)
    s2 = float(flavio.default_parameters.get_central("s2w"))
    ours = {n: float(np.real(v)) for n, v in values.items()}
    ours |= {f"{n}_Im": float(np.imag(v)) for n, v in values.items() if np.imag(v)}
    shift, model = smeft_shift(ours, DIMUON, "alpha_mW_GF", s2), standard_model_current(DIMUON, s2)
    g_V, g_A = shift.g_V.at[1].add(model.g_V[0]), shift.g_A.at[1].add(model.g_A[0])
    ratio = jnp.sum(g_V**2 + g_A**2) / jnp.sum(model.g_V**2 + model.g_A**2)
    assert abs(theirs - 1) > 0.004
    np.testing.assert_allclose(ratio - 1, theirs - 1, rtol=0.06)
    print(f"R-1 for {values}: ours {ratio - 1:+.5f}, flavio {theirs - 1:+.5f}")
