"""Electroweak matching of the warped model: orders and schemes against each other, limits, errors, derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.currents import Channel
from tridentjax.faults import InputError
from tridentjax.theory.rs.electroweak import EMBEDDINGS, ElectroweakRS
from tridentjax.theory.rs.geometry import WarpedGeometry
from tridentjax.theory.rs.matching import rs_shift, solve_inputs
from tridentjax.theory.rs.operators import smeft_coefficients, vertex_shifts
from tridentjax.theory.smeft import SCHEMES

K = 1.2209e19
MUON, ELECTRON = Channel("mu", "mu", "mu"), Channel("mu", "e", "e")
CHANNELS = [MUON, ELECTRON, Channel("tau", "mu", "mu"), Channel("e", "e", "tau")]


def generic(embedding="minimal", Lambda=3300.0):
    """Unequal brane terms (the IR one common in a custodial model) and unequal gauge couplings."""
    su2 = WarpedGeometry(Lambda, K, 3.0, 0.7)
    u1 = WarpedGeometry(Lambda, K, -4.0, 1.3 if embedding == "minimal" else 0.7)
    c_L, c_R = {"e": 0.62, "mu": 0.45, "tau": 0.4}, {"e": 0.6, "mu": 0.55, "tau": 0.47}
    return ElectroweakRS(su2, c_L, c_R, embedding, u1, 0.2297, 91.31, 1.2)


def flat(current):
    return np.asarray(jnp.stack([current.g_V, current.g_A]))


def simple(x, embedding="minimal", scheme="alpha_mZ_GF", order="exact"):
    """Shift of the muon channel from (ln Lambda, c_L_e, c_L_mu, c_R_mu, kappa_UV, kappa_IR, sin2_theta_w)."""
    space = WarpedGeometry(jnp.exp(x[0]), K, x[4], x[5])
    model = ElectroweakRS(space, {"e": x[1], "mu": x[2]}, {"mu": x[3]}, embedding, sin2_theta_w=x[6])
    shift = rs_shift(model, MUON, scheme, order)
    return jnp.stack([shift.g_V[1], shift.g_A[1]])


@pytest.mark.few(3)
@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_exact_is_linear_over_one_plus_dG(embedding, channel):
    model = generic(embedding, 1300.0)
    dG = solve_inputs(model, "fixed_s2").dG
    linear, exact = (flat(rs_shift(model, channel, "fixed_s2", order)) for order in ("linear", "exact"))
    assert float(dG) > 0.02
    np.testing.assert_allclose(exact, linear / (1 + float(dG)), rtol=1e-10, atol=1e-15)


@pytest.mark.few(1)
@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_orders_differ_at_second_order(embedding, scheme):
    difference, size = [], []
    for Lambda in (2e4, 4e4):
        orders = [
            np.stack([flat(rs_shift(generic(embedding, Lambda), channel, scheme, order)) for channel in CHANNELS])
            for order in ("linear", "exact")
        ]
        difference.append(np.abs(orders[0] - orders[1]).max())
        size.append(np.abs(orders[0]).max())
    assert 3.8 < size[0] / size[1] < 4.3  # 1/Lambda^2, up to the logarithm in L
    assert 15.0 < difference[0] / difference[1] < 17.5


def test_scheme_does_not_enter_the_axial_coupling():
    linear = np.stack([flat(rs_shift(generic(), MUON, scheme))[:, 1] for scheme in SCHEMES])
    np.testing.assert_allclose(linear[:, 1], linear[0, 1], rtol=1e-12)
    assert np.ptp(linear[:, 0]) > 1e-4


def test_muon_decay_channel_does_not_move():
    for order in ("linear", "exact"):
        for channel in (Channel("mu", "mu", "e"), Channel("e", "mu", "e", True)):
            np.testing.assert_allclose(flat(rs_shift(generic(), channel, "alpha_mZ_GF", order)), 0.0, atol=1e-15)


def test_antineutrinos_have_the_same_couplings_and_forbidden_channels_none():
    for order in ("linear", "exact"):
        same = [flat(rs_shift(generic(), Channel("mu", "mu", "mu", bar), "mW_mZ_GF", order)) for bar in (False, True)]
        np.testing.assert_allclose(*same, rtol=1e-12)
        assert (flat(rs_shift(generic(), Channel("mu", "e", "tau"), "mW_mZ_GF", order)) == 0).all()


@pytest.mark.slow
def test_flat_leptons_leave_only_the_T_parameter():
    model = ElectroweakRS(WarpedGeometry(1300.0), {"e": 0.5, "mu": 0.5}, {"e": 0.5, "mu": 0.5})
    coefficients = smeft_coefficients(model)
    assert float(coefficients.pop("phiD")) < -0.01
    assert len(coefficients) == 14
    np.testing.assert_allclose(list(coefficients.values()), 0.0, atol=1e-15)


@pytest.mark.few(1)
@pytest.mark.parametrize(("embedding", "protected"), [("custodial_plr_mu", "dg_L"), ("custodial_plr_nu", "dg_nu")])
def test_P_LR_protects_one_vertex(embedding, protected):
    # what is left has no factor L: the U(1) part and the subleading logarithms
    space, c = WarpedGeometry(1300.0), {"e": 0.6, "mu": 0.3}
    vertices = vertex_shifts(ElectroweakRS(space, c, {"mu": 0.6}, embedding), "fixed_s2")
    other = {"dg_L": "dg_nu", "dg_nu": "dg_L"}[protected]
    assert abs(vertices[protected]) < 0.12 * abs(vertices[other])


def test_equal_hypercharge_geometry_is_the_default():
    model = ElectroweakRS(WarpedGeometry(1300.0, kappa_IR=0.4), {"e": 0.6, "mu": 0.43}, {"mu": 0.52})
    twin = eqx.tree_at(lambda m: m.u1, model, model.su2, is_leaf=lambda leaf: leaf is None)
    for order in ("linear", "exact"):
        ours = [flat(rs_shift(m, MUON, "alpha_mW_GF", order)) for m in (model, twin)]
        np.testing.assert_allclose(*ours, rtol=1e-13)


def test_missing_masses_and_wrong_names_are_reported():
    model = ElectroweakRS(WarpedGeometry(1300.0), {"mu": 0.43}, {"mu": 0.52})
    with pytest.raises(InputError, match=r"c_L_e is missing; required: the bulk mass of this lepton$"):
        rs_shift(model, MUON, "fixed_s2")
    with pytest.raises(InputError, match=r"c_L_e is missing.*\nc_L_tau is missing.*\nc_R_tau is missing"):
        rs_shift(model, Channel("mu", "tau", "tau"), "fixed_s2", "exact")
    with pytest.raises(InputError, match=r"c_L_e is missing"):
        vertex_shifts(model, "fixed_s2")
    with pytest.raises(InputError, match=r"unknown scheme 'alpha'[^\n]*\nunknown order 'exakt'; did you mean 'exact'"):
        rs_shift(model, MUON, "alpha", "exakt")
    for function in (solve_inputs, vertex_shifts):
        with pytest.raises(InputError, match="unknown scheme 'alpha'"):
            function(generic(), "alpha")
    with pytest.raises(InputError, match=r"unknown embedding 'custodial'[^\n]*\nunknown flavour 'muon' in c_L, c_R"):
        ElectroweakRS(WarpedGeometry(1300.0), {"muon": 0.4}, {}, "custodial")


@pytest.mark.few(2)
@pytest.mark.parametrize("order", ["linear", "exact"])
@pytest.mark.parametrize(
    ("name", "value"), [("Lambda_IR", 2e19), ("kappa_IR", -0.2), ("kappa_UV", -50.0), ("k", 1.0), ("Lambda_IR", 55.0)]
)
def test_bad_points_give_nan_under_jit(order, name, value):
    def shift(value):
        space = WarpedGeometry(**({"Lambda_IR": 1300.0} | {name: value}))
        return rs_shift(ElectroweakRS(space, {"e": 0.6, "mu": 0.43}, {"mu": 0.52}), MUON, "alpha_mZ_GF", order).g_V[1]

    allowed_linear = (name, value, order) == ("Lambda_IR", 55.0, "linear")  # an expansion always has a value
    assert np.isnan(jax.jit(shift)(value)) != allowed_linear


def test_geometries_that_do_not_belong_together_give_nan():
    model = generic("custodial_trivial")
    for change in ("Lambda_IR", "k", "kappa_IR"):
        other = eqx.tree_at(lambda m: getattr(m.u1, change), model, 1.01 * getattr(model.u1, change))  # noqa: B023
        assert np.isnan(other.Delta)
        assert np.isnan(flat(rs_shift(other, MUON, "fixed_s2", "exact"))[:, 1]).all()
    assert np.isfinite(model.Delta)


# c = 1/2, c + c' = 2, c = 3/2, kappa = 0, Lambda -> infinity
POINTS = [
    (7.2, 0.61, 0.37, 0.55, 1.2, 0.7, 0.231),
    (7.2, 0.5, 0.5, 0.5, 0.0, 0.3, 0.2312),
    (8.1, 0.83, 1.17, 1.5, -2.0, 0.2, 0.2223),
    (7.6, 1.5, 0.5, 0.44, 0.0, 0.0, 0.2386),
    (23.0, 0.65, 0.42, 0.55, 0.0, 0.4, 0.2312),
]


@pytest.mark.slow
@pytest.mark.parametrize("order", ["linear", "exact"])
@pytest.mark.parametrize("embedding", ["minimal", "custodial_plr_mu"])
def test_derivatives(embedding, order):
    function = jax.jit(lambda x: simple(x, embedding, order=order))
    forward, reverse = jax.jit(jax.jacfwd(function)), jax.jit(jax.jacrev(function))
    for point in POINTS:
        x = jnp.asarray(point)
        size = np.abs(function(x)).max()
        # the exact shift is a difference of couplings of order one: 1e-16 is its rounding at Lambda -> infinity
        np.testing.assert_allclose(forward(x), reverse(x), rtol=1e-8, atol=1e-11 * size + 1e-15)
        steps = 1e-4 * np.eye(x.size)
        one = np.stack([function(x + h) - function(x - h) for h in steps], axis=1) / 2e-4
        two = np.stack([function(x + 2 * h) - function(x - 2 * h) for h in steps], axis=1) / 4e-4
        keep = [i for i in range(x.size) if i != 5 or point[5] > 0]  # kappa_IR = 0 is an end point
        expected = ((4 * one - two) / 3)[:, keep]
        # differences of numbers of order one: 1e-16/1e-4
        np.testing.assert_allclose(forward(x)[:, keep], expected, rtol=1e-6, atol=1e-6 * size + 1e-11)
        assert np.isfinite(forward(x)).all()


@pytest.mark.slow
def test_second_derivatives_are_finite():
    direction = jnp.asarray([0.1, 0.3, -0.7, 0.4, 0.2, 0.5, 0.01])
    slope = lambda x: jax.jvp(lambda x: simple(x, "custodial_plr_mu"), (x,), (direction,))[1]  # noqa: E731
    second = jax.jit(lambda x: jax.jvp(slope, (x,), (direction,))[1])
    assert np.isfinite([second(jnp.asarray(point)) for point in POINTS]).all()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_transforms(scheme):
    points = jnp.asarray(POINTS)
    for order in ("linear", "exact"):
        function = lambda x: simple(x, "custodial_plr_nu", scheme, order)  # noqa: B023, E731
        one, batch = jax.jit(function), jax.jit(jax.vmap(function))(points)
        np.testing.assert_allclose(batch, [one(x) for x in points], rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(batch[0], function(points[0]), rtol=1e-9)
