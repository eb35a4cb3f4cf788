"""Electroweak matching of the warped model: printed numbers, spectra and amplitudes of explicit towers, identities."""

from pathlib import Path

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from ruamel.yaml import YAML

from tridentjax.currents import Channel, standard_model_current
from tridentjax.theory.left import V2
from tridentjax.theory.rs.electroweak import EMBEDDINGS, ElectroweakRS
from tridentjax.theory.rs.geometry import WarpedGeometry, fermion, ir_brane, minus_plus_sum, tower_sum
from tridentjax.theory.rs.kk import kk_couplings, kk_roots, kk_wave
from tridentjax.theory.rs.matching import ElectroweakSolution, rs_shift, solve_inputs
from tridentjax.theory.rs.operators import oblique, smeft_coefficients, vertex_shifts

TABLE = YAML(typ="safe", pure=True).load(Path(__file__).parents[2] / "references" / "rs_matching.yaml")
PRINTED = 6e-7  # seven digits
LAMBDA, K = 1225.691031, 1.2209e19
MUON = Channel("mu", "mu", "mu")


def printed(entry):
    inputs = entry["inputs"]
    c_L, c_R = {"e": inputs["c_L_e"], "mu": inputs["c_L_mu"]}, {"mu": inputs["c_R_mu"]}
    return ElectroweakRS(WarpedGeometry(LAMBDA), c_L, c_R, inputs["embedding"])


def generic(embedding="minimal", Lambda=3300.0, c_mu=0.45, u1=True):
    """Unequal brane terms (the IR one common in a custodial model) and unequal gauge couplings."""
    su2 = WarpedGeometry(Lambda, K, 3.0, 0.7)
    other = WarpedGeometry(Lambda, K, -4.0, 1.3 if embedding == "minimal" else 0.7) if u1 else None
    c_L, c_R = {"e": 0.62, "mu": c_mu, "tau": 0.4}, {"e": 0.6, "mu": 0.55, "tau": 0.47}
    return ElectroweakRS(su2, c_L, c_R, embedding, other, 0.2297, 91.31, 1.2)


def flat(current):
    return np.asarray(jnp.stack([current.g_V, current.g_A]))


@pytest.mark.parametrize("entry", TABLE["scales"], ids=lambda entry: str(entry["Lambda_IR"]))
def test_Delta_reference(entry):
    model = ElectroweakRS(WarpedGeometry(entry["Lambda_IR"]), {}, {})
    np.testing.assert_allclose(model.Delta, entry["Delta"], rtol=1e-9)


@pytest.mark.few(1)
@pytest.mark.parametrize("entry", TABLE["points"], ids=lambda entry: entry["name"])
def test_shift_reference(entry):
    model = printed(entry)
    for name, scheme, order in (
        ("linear", "alpha_mZ_GF", "linear"),
        ("linear_fixed", "fixed_s2", "linear"),
        ("exact_fixed", "fixed_s2", "exact"),
    ):
        shift = flat(rs_shift(model, MUON, scheme, order))
        np.testing.assert_allclose(shift[:, 1], entry[name], rtol=PRINTED, err_msg=name)
        assert (shift[:, [0, 2]] == 0).all()
    tree = standard_model_current(MUON, model.sin2_theta_w)
    g = np.array([tree.g_V[0], tree.g_A[0]])
    shift = flat(rs_shift(model, MUON, "alpha_mZ_GF"))[:, 1]
    np.testing.assert_allclose(2 * (g @ shift) / (g @ g), entry["rate"], rtol=2e-5)


@pytest.mark.parametrize("entry", TABLE["points"], ids=lambda entry: entry["name"])
def test_vertex_and_coefficient_reference(entry):
    vertices = vertex_shifts(printed(entry), "alpha_mZ_GF")
    coefficients = smeft_coefficients(printed(entry))
    assert vertices.keys() == entry["vertices"].keys()
    for ours, theirs in ((vertices, entry["vertices"]), (coefficients, entry["coefficients"])):
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=PRINTED, err_msg=name)


@pytest.mark.few(3)
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_oblique_closed_forms(embedding):
    model = ElectroweakRS(WarpedGeometry(LAMBDA), {}, {}, embedding)
    S, T = oblique(model)
    L, ratio, c2 = float(model.su2.L), V2 / LAMBDA**2, 1 - 0.23122
    np.testing.assert_allclose(S, 2 * np.pi * ratio * (1 - 1 / L), rtol=1e-12)
    expected = L / 2 - 1 / (4 * L) if embedding == "minimal" else -1 / (4 * L)
    np.testing.assert_allclose(T, np.pi * ratio / c2 * expected, rtol=1e-11 if embedding == "minimal" else 1e-9)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_oblique_predicts_the_effective_angle(embedding):
    # (alpha, m_Z, G_F): ds2_eff = alpha/(c2 - s2) (S/4 - s2 c2 T) for universal, i.e. UV-localised, leptons
    model = generic(embedding)
    uv = ElectroweakRS(
        model.su2, {"e": 9.0, "mu": 9.0}, {"mu": 9.0}, embedding, model.u1, model.sin2_theta_w, model.m_Z, 1.2
    )
    # c = 9 still is a power of t, whose <t^2> is not epsilon^2: no matter at epsilon = 1e-15
    v, C, s2 = vertex_shifts(uv, "alpha_mZ_GF"), smeft_coefficients(uv), 0.2297
    c2 = 1 - s2
    contact = s2 * c2 / (c2 - s2) * -0.5 * C["ll_1221"]  # four-fermion part of G_F: outside S and T
    g_L, g_R = s2 - 0.5, s2
    dg_L, dg_R = v["dg_L"] + v["ds2"] - contact, v["dg_R"] + v["ds2"] - contact
    effective = 0.5 * (g_R * dg_L - g_L * dg_R) / (g_L - g_R) ** 2  # s2 = g_R/(2 (g_R - g_L))
    S, T = oblique(uv)
    alpha = s2 * c2 * 91.31**2 / (np.pi * V2)
    np.testing.assert_allclose(effective, alpha / (c2 - s2) * (S / 4 - s2 * c2 * T), rtol=1e-9)


@pytest.mark.few(1)
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_Z_vertices_by_isospin(embedding):
    # specification section 5, common brane terms: the same shift from the SU(2) x SU(2) x U(1) charges
    model = generic(embedding, u1=False)
    space, brane, s2 = model.su2, ir_brane(model.su2), 0.2297
    c2 = 1 - s2
    T_R3_l, T_R3_e, kind = EMBEDDINGS[embedding]
    rho = 1.44 * c2 if kind == "custodial" else 0.0
    ours = vertex_shifts(model, "fixed_s2")
    for name, T3, Y, T_R3, c in (("dg_nu", 0.5, -0.5, T_R3_l, 0.45), ("dg_L", -0.5, -0.5, T_R3_l, 0.45),
                                 ("dg_R", 0.0, -1.0, T_R3_e, 0.55)):  # fmt: skip
        G = tower_sum(space, fermion(space, c), brane)
        M = minus_plus_sum(space, fermion(space, c), brane) if kind == "custodial" else 0.0
        expected = -model.Delta * (c2 * T3 * G - s2 * Y * (G - M) - rho * T_R3 * M)
        np.testing.assert_allclose(ours[name], expected, rtol=1e-11, err_msg=name)
    assert float(ours["ds2"]) == 0.0


def boundary_matrix(model, solution, charged):
    """Boundary conditions on the IR brane with the Higgs there, fields in units of their own coupling; 40 digits."""
    mpmath.mp.dps = 40
    s2, x = (mpmath.mpf(float(value)) for value in (solution.s2, solution.x))
    c2, custodial = 1 - s2, model.custodial
    rho = mpmath.mpf(float(model.g_R_over_g)) ** 2 * c2 if custodial else mpmath.mpf(0)
    su2, u1 = model.su2, model.hypercharge
    fields = [(c2, su2, "+")] + ([(rho, u1, "-")] if custodial else [])
    if not charged:
        fields = [(c2, su2, "+"), (s2, u1, "+")] + ([(rho - s2, u1, "-")] if custodial else [])
    q = mpmath.mpf(float(model.Delta)) * ((1 - mpmath.mpf(float(model.sin2_theta_w))) if charged else 1)
    r = mpmath.sqrt(q)
    J = [lambda t: t * mpmath.besselj(1, r * t), lambda t: r * t * mpmath.besselj(0, r * t)]
    Y = [lambda t: t * mpmath.bessely(1, r * t), lambda t: r * t * mpmath.bessely(0, r * t)]
    diagonal, vector = [], []
    for strength, space, end in fields:
        L, kU, kI = (mpmath.mpf(float(value)) for value in (space.L, space.kappa_UV, space.kappa_IR))
        epsilon = mpmath.exp(-L)
        at_end = lambda f: f[1](epsilon) + epsilon * q * kU * f[0](epsilon) if end == "+" else f[0](epsilon)  # noqa: B023, E731
        u, slope = (at_end(Y) * J[i](1) - at_end(J) * Y[i](1) for i in (0, 1))
        diagonal.append(slope / u - q * kI)
        vector.append(mpmath.sqrt(strength * (L + kU + kI) * x))
    return mpmath.matrix(
        [
            [(d if i == j else 0) + a * b for j, b in enumerate(vector)]
            for i, (d, a) in enumerate(zip(diagonal, vector, strict=True))
        ]
    )


@pytest.mark.parametrize("embedding", ["minimal", "custodial_plr_mu"])
@pytest.mark.parametrize(
    ("scheme", "measured"), [("alpha_mZ_GF", "aZ"), ("alpha_mW_GF", "aW"), ("mW_mZ_GF", "WZ"), ("fixed_s2", "")]
)
def test_inputs_come_out(embedding, scheme, measured):
    model = generic(embedding, 1300.0)
    solution = solve_inputs(model, scheme)

    def misses(charged):
        matrix = boundary_matrix(model, solution, charged)
        nearby = ElectroweakSolution(solution.s2, solution.x * 1.001, solution.dG)
        return abs(mpmath.det(matrix) / mpmath.det(boundary_matrix(model, nearby, charged)))

    for letter, charged in (("Z", False), ("W", True)):
        assert (misses(charged) < 1e-9) == (letter in measured)
    s2, s02 = solution.s2, 0.2297
    fine_structure = s2 * (1 - s2) * solution.x / (1 + solution.dG)
    same_alpha = np.isclose(fine_structure, s02 * (1 - s02) * model.Delta, rtol=1e-12)
    assert same_alpha == ("a" in measured)


def tower(space, count, boundary):
    """Poles and, for Le, Lmu, Re, Rmu and the IR brane, couplings of the first modes; the flat one first."""
    roots = kk_roots(space, count, boundary)
    values = kk_couplings(space, roots, [0.62, 0.45, 0.6, 0.55], boundary)
    values = np.hstack([values, kk_wave(space, roots, np.array([1.0]), boundary)])
    if boundary == "++":
        roots, values = np.r_[0.0, roots], np.vstack([np.ones(5), values])
    return roots**2, values


def tower_amplitudes(model, solution, count):
    """Exchange of W, Z and their modes from truncated, mixed mass matrices: G_F, then chiral couplings.

    In units of g_Z^2/(Lambda^2 x). The photon is massless, but the neutrino does not couple to it.
    """
    s2, x = float(solution.s2), float(solution.x)
    c2 = 1 - s2
    T_R3_l, T_R3_e, _ = EMBEDDINGS[model.embedding]
    rho = 1.44 * c2
    plus2, plus1, minus = (
        tower(space, count, boundary)
        for space, boundary in ((model.su2, "++"), (model.hypercharge, "++"), (model.hypercharge, "-+"))
    )
    Qscale = rho / np.sqrt(rho - s2)
    Q_l, Q_e = T_R3_l + s2 / rho / 2, T_R3_e + s2 / rho
    c, s, higgs = np.sqrt(c2), np.sqrt(s2), np.sqrt(rho - s2)
    column = {"Le": 0, "Lmu": 1, "Re": 2, "Rmu": 3}

    def solve(fields, left, right):
        masses = np.concatenate([m for (m, _), _ in fields])
        H = np.concatenate([w[:, 4] * h for (_, w), h in fields])
        matrix = np.diag(masses) + x * np.outer(H, H)
        return x * (left @ np.linalg.lstsq(matrix, right, rcond=1e-13)[0])

    def neutral(nu, f, T3, Y, Q):
        fields = [(plus2, c), (plus1, -s), (minus, -higgs)]
        left = np.concatenate(
            [plus2[1][:, column[nu]] * c / 2, -plus1[1][:, column[nu]] * s / 2, minus[1][:, column[nu]] * Qscale * Q_l]
        )
        right = np.concatenate(
            [plus2[1][:, column[f]] * c * T3, plus1[1][:, column[f]] * s * Y, minus[1][:, column[f]] * Qscale * Q]
        )
        return solve(fields, left, right)

    def charged(a, b):
        fields = [(plus2, c), (minus, -np.sqrt(rho))]
        return solve(fields, *(np.concatenate([plus2[1][:, column[f]] * c, np.zeros(count)]) for f in (a, b)))

    return np.array(
        [
            charged("Le", "Lmu"),  # G_F
            charged("Lmu", "Lmu") + 2 * neutral("Lmu", "Lmu", -0.5, -0.5, Q_l),
            2 * neutral("Lmu", "Rmu", 0.0, -1.0, Q_e),
            2 * neutral("Le", "Lmu", -0.5, -0.5, Q_l),
            2 * neutral("Lmu", "Re", 0.0, -1.0, Q_e),
        ]
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("embedding", ["custodial_trivial", "custodial_plr_mu", "custodial_plr_nu"])
def test_amplitudes_of_mixed_towers(embedding):
    model = generic(embedding, 1300.0)
    solution = solve_inputs(model, "alpha_mZ_GF")

    def chiral(*channel):
        channel = Channel(*channel)
        shift, tree = rs_shift(model, channel, "alpha_mZ_GF", "exact"), standard_model_current(channel, 0.2297)
        g_V, g_A = shift.g_V.sum() + tree.g_V[0], shift.g_A.sum() + tree.g_A[0]
        return (1 + solution.dG) * (g_V + g_A) / 2, (1 + solution.dG) * (g_V - g_A) / 2

    exact = np.array(
        [1 + solution.dG, *chiral("mu", "mu", "mu"), chiral("e", "mu", "mu")[0], chiral("mu", "e", "e")[1]]
    )
    lowest = tower_amplitudes(model, solution, 1)
    coarse, fine = (tower_amplitudes(model, solution, count) for count in (60, 120))
    extrapolated = 2 * fine - coarse  # brane-to-brane sums converge like 1/modes
    assert (np.abs(lowest - exact) > 1e-3).any()
    np.testing.assert_allclose(extrapolated, exact, rtol=5e-5, atol=3e-5)
