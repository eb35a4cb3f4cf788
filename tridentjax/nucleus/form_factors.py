"""Nuclear charge form factors, nucleon electromagnetic form factors and Pauli blocking.

A nuclear form factor is a record that is called with Q2 [GeV^2] and returns F with F(0) = 1:

    F(Q2) = int r^2 rho(r) j0(q r) dr / int r^2 rho(r) dr,     q = sqrt(Q2)/(hbar c)

on fixed radial nodes, so it is exact (to 1e-10 for Q2 < 2 GeV^2) and differentiable in every parameter
of the density and in Q2, also at Q2 = 0. Lengths in fm.
"""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.constants import HBARC
from tridentjax.quadrature import gauss_legendre

FormFactor = Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]

_RADIAL_NODES = 160
_LARGEST_RADIUS = 20.0  # [fm]; a Fermi tail of z = 0.6 fm around lead has fallen to 1e-9 there


def spherical_j0(x2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sin(x)/x as a function of x^2, with finite derivatives at 0 (series branch, safe argument)."""
    small = x2 < 1e-3
    x = jnp.sqrt(jnp.where(small, 1.0, x2))
    series = 1.0 - x2 / 6.0 * (1.0 - x2 / 20.0 * (1.0 - x2 / 42.0))
    return jnp.where(small, series, jnp.sin(x) / x)


def _three_j1_over_x(x2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """3 j1(x)/x as a function of x^2, with finite derivatives at 0."""
    small = x2 < 1e-2
    x = jnp.sqrt(jnp.where(small, 1.0, x2))
    series = 1.0 - x2 / 10.0 * (1.0 - x2 / 28.0 * (1.0 - x2 / 54.0))
    return jnp.where(small, series, 3.0 * (jnp.sin(x) - x * jnp.cos(x)) / x**3)


def _transform(
    density: Callable[[Float[Array, " r"]], Float[Array, " r"]],
    Q2: Float[Array, "*shape"],
    largest_radius: float,
) -> Float[Array, "*shape"]:
    """Normalised Fourier transform of a radial density on fixed nodes."""
    nodes, weights = gauss_legendre(_RADIAL_NODES)
    r = jnp.asarray(nodes * largest_radius)
    charge = weights * r**2 * density(r)
    x2 = Q2[..., None] * jnp.expand_dims((r / HBARC) ** 2, tuple(range(Q2.ndim)))
    return spherical_j0(x2) @ (charge / charge.sum())


class FermiDensity(eqx.Module):
    """Three-parameter Fermi density (1 + w r^2/c^2)/(1 + exp((r - c)/z)); w = 0 is the two-parameter one.

    H. de Vries et al., At. Data Nucl. Data Tables 36 (1987) 495, models 2pF and 3pF.
    """

    c: Float[Array, ""]
    z: Float[Array, ""]
    w: Float[Array, ""]

    def density(self, r: Float[Array, " r"]) -> Float[Array, " r"]:
        """Unnormalised density at r [fm]."""
        return (1.0 + self.w * (r / self.c) ** 2) / (1.0 + jnp.exp((r - self.c) / self.z))

    def scaled(self, radius: Scalar, diffuseness: Scalar) -> "FermiDensity":
        """The same density with scaled radius c and diffuseness z."""
        return FermiDensity(self.c * radius, self.z * diffuseness, self.w)

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """F(Q2), Q2 in GeV^2."""
        return _transform(self.density, Q2, _LARGEST_RADIUS)


class GaussianDensity(eqx.Module):
    """Three-parameter Gaussian density (1 + w r^2/c^2)/(1 + exp((r^2 - c^2)/z^2)), de Vries' 3pG."""

    c: Float[Array, ""]
    z: Float[Array, ""]
    w: Float[Array, ""]

    def density(self, r: Float[Array, " r"]) -> Float[Array, " r"]:
        """Unnormalised density at r [fm]."""
        exponent = jnp.minimum((r**2 - self.c**2) / self.z**2, 500.0)
        return (1.0 + self.w * (r / self.c) ** 2) / (1.0 + jnp.exp(exponent))

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """F(Q2), Q2 in GeV^2."""
        return _transform(self.density, Q2, _LARGEST_RADIUS)


class FourierBessel(eqx.Module):
    """Model-independent density rho(r) = sum_n a_n j0(n pi r/R) inside R, zero outside (de Vries 1987)."""

    coefficients: Float[Array, " n"]
    cutoff: float = eqx.field(static=True)

    def density(self, r: Float[Array, " r"]) -> Float[Array, " r"]:
        """Unnormalised density at r < R [fm]."""
        order = jnp.arange(1.0, self.coefficients.size + 1.0) * (jnp.pi / self.cutoff)
        return spherical_j0((r[:, None] * order[None]) ** 2) @ self.coefficients

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """F(Q2), Q2 in GeV^2."""
        return _transform(self.density, Q2, self.cutoff)


class Helm(eqx.Module):
    """Helm form factor 3 j1(q R0)/(q R0) exp(-(q s)^2/2), R. Helm, Phys. Rev. 104 (1956) 1466."""

    R0: Float[Array, ""]
    s: Float[Array, ""]

    def scaled(self, radius: Scalar, diffuseness: Scalar) -> "Helm":
        """The same form factor with scaled radius R0 and surface thickness s."""
        return Helm(self.R0 * radius, self.s * diffuseness)

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """F(Q2), Q2 in GeV^2."""
        q2 = Q2 / HBARC**2
        return _three_j1_over_x(q2 * self.R0**2) * jnp.exp(-q2 * self.s**2 / 2.0)


class VariedDensity(eqx.Module):
    """A measured form factor with a live half-density radius and diffuseness.

    F(Q2) = F_measured(Q2) + F_fit(Q2; scaled) - F_fit(Q2)

    where `fit` is a Fermi density of the same nucleus (Helm where none is known), whose radius and surface
    thickness are scaled: exact at scale 1, with the fit's response away from it. The additive form has no
    zero in a denominator and keeps F(0) = 1.
    """

    measured: FormFactor
    fit: FermiDensity | Helm
    radius_scale: Float[Array, ""]
    diffuseness_scale: Float[Array, ""]

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """F(Q2), Q2 in GeV^2."""
        varied = self.fit.scaled(self.radius_scale, self.diffuseness_scale)
        return self.measured(Q2) + varied(Q2) - self.fit(Q2)


def woods_saxon(A: int, r0: float = 1.126, a: float = 0.523) -> FermiDensity:
    """Woods-Saxon density of radius r0 A^(1/3) and diffuseness a, both in fm."""
    return FermiDensity(jnp.asarray(r0 * A ** (1 / 3)), jnp.asarray(a), jnp.asarray(0.0))


class NucleonFormFactors(eqx.Module):
    """Sachs form factors (G_E, G_M) of one nucleon; G_M(0) is the magnetic moment in nuclear magnetons."""

    G_E: Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]
    G_M: Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]
    mass: float = eqx.field(static=True)

    def structure(self, Q2: Float[Array, "*shape"]) -> Float[Array, "2 *shape"]:
        """Coefficients of the tensors R_m R_n and -Q2 g_mn: ((G_E^2 + tau G_M^2)/(1 + tau), G_M^2).

        Spin-averaged elastic tensor with q_m terms dropped by current conservation, tau = Q2/4M^2.
        """
        tau = Q2 / (4.0 * self.mass**2)
        G_E2, G_M2 = self.G_E(Q2) ** 2, self.G_M(Q2) ** 2
        return jnp.stack([(G_E2 + tau * G_M2) / (1.0 + tau), G_M2])


class Dipole(eqx.Module):
    """scale (1 + Q2/M_V^2)^-2."""

    scale: float
    M_V: float

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """G(Q2), Q2 in GeV^2."""
        return self.scale / (1.0 + Q2 / self.M_V**2) ** 2


class KellyRatio(eqx.Module):
    """scale (1 + a1 tau)/(1 + b1 tau + b2 tau^2 + b3 tau^3), J. J. Kelly, PRC 70 (2004) 068202."""

    scale: float
    a1: float
    b: tuple[float, float, float]
    mass: float

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """G(Q2), Q2 in GeV^2."""
        tau = Q2 / (4.0 * self.mass**2)
        b1, b2, b3 = self.b
        return self.scale * (1.0 + self.a1 * tau) / (1.0 + tau * (b1 + tau * (b2 + tau * b3)))


class Galster(eqx.Module):
    """A tau/(1 + B tau) (1 + Q2/M_V2)^-2: the neutron's charge form factor in Kelly 2004."""

    A: float
    B: float
    M_V2: float
    mass: float

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """G(Q2), Q2 in GeV^2."""
        tau = Q2 / (4.0 * self.mass**2)
        return self.A * tau / (1.0 + self.B * tau) / (1.0 + Q2 / self.M_V2) ** 2


class ZExpansion(eqx.Module):
    """scale sum_k a_k z^k, z = (sqrt(t_c + Q2) - sqrt(t_c - t_0))/(sum): Ye et al., PLB 777 (2018) 8."""

    scale: float
    coefficients: tuple[float, ...]
    t_cut: float
    t_0: float

    def __call__(self, Q2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """G(Q2), Q2 in GeV^2."""
        upper, lower = jnp.sqrt(self.t_cut + Q2), jnp.sqrt(self.t_cut - self.t_0)
        return self.scale * jnp.polyval(jnp.asarray(self.coefficients[::-1]), (upper - lower) / (upper + lower))


def pauli_blocking(
    Q2: Float[Array, "*shape"], nucleon_mass: float, p_fermi: Float[Array, ""] | float
) -> Float[Array, "*shape"]:
    """Ideal-Fermi-gas suppression 3x/2 - x^3/2 for x = |q|/2 p_F < 1, else 1; |q|^2 = Q2 (1 + tau).

    As in Lovseth, Radomski, PRD 3 (1971) 2686. `p_fermi` in GeV; 0 means a free nucleon (factor 1).
    """
    q2 = Q2 * (1.0 + Q2 / (4.0 * nucleon_mass**2))
    blocked = q2 < 4.0 * jnp.asarray(p_fermi) ** 2
    x2 = jnp.where(blocked, q2, 1.0) / jnp.where(p_fermi > 0.0, 4.0 * jnp.asarray(p_fermi) ** 2, 1.0)
    x = jnp.where(x2 > 0.0, jnp.sqrt(jnp.where(x2 > 0.0, x2, 1.0)), 0.0)
    return jnp.where(blocked, 1.5 * x - 0.5 * x**3, 1.0)
