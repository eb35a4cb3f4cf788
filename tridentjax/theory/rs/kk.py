"""Kaluza-Klein spectrum of a bulk gauge field: masses, wave functions and couplings to fermion zero modes.

Mode n of mass m_n = x_n Lambda_IR has the wave function chi_n(t) ~ t [J1(x_n t) + b_n Y1(x_n t)], t = z Lambda_IR
from epsilon to 1. With H_nu = J_nu + i Y_nu, y = epsilon x, and brane kinetic terms kappa (dimensionless),

    U_IR(x) = H0(x) - x kappa_IR H1(x),   U_UV(y) = H0(y) + y kappa_UV H1(y)  for (+,+),   H1(y)  for (-,+),

    Im[U_IR(x)* U_UV(y)] = 0  <=>  arg U_IR(x) - arg U_UV(y) = n pi                                          (1)

(W. D. Goldberger, M. B. Wise, hep-ph/9911457; H. Davoudiasl, J. L. Hewett, T. G. Rizzo, hep-ph/0212279, for the brane
terms; here exact in epsilon). Continuous phases start from equal values at x = 0 and cross each multiple of pi once,
because every mode has positive norm; bisection on the n-th crossing therefore cannot miss or repeat a root.

The matching needs no spectrum (its tower sums are closed forms); this is for reports, figures and tests. NumPy and
SciPy on the host, except `first_kk_mass`, which is differentiable.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Inexact
from scipy.special import j0, j1, y0, y1

from tridentjax._types import Scalar
from tridentjax.faults import InputError, unknown
from tridentjax.quadrature import gauss_legendre
from tridentjax.theory.rs.geometry import WarpedGeometry

BOUNDARIES = ("++", "-+")  # (UV, IR); + is Neumann, - is Dirichlet
HostArray = Inexact[np.ndarray, "..."]  # never a NumPy scalar: at least one axis


def kk_roots(geometry: WarpedGeometry, count: int, boundary: str = "++") -> Float[np.ndarray, " mode"]:
    """First `count` roots x_n > 0 of Eq. (1), ascending; the massless mode of (+,+) is not among them.

    Raises
    ------
    InputError : unknown boundary, count < 1, kappa_IR < 0, or L + kappa_UV + kappa_IR <= 0 (negative norm).
    """
    L, kappa_UV, kappa_IR = _host(geometry)
    faults = [unknown("boundary", boundary, BOUNDARIES)] if boundary not in BOUNDARIES else []
    if count < 1:
        faults.append(f"count = {count} modes; allowed: at least 1")
    if not _has_positive_norm(L, kappa_UV, kappa_IR).all():
        faults.append(
            f"L = {L[0]:g}, kappa_UV = {kappa_UV[0]:g}, kappa_IR = {kappa_IR[0]:g}; allowed: L > 0, kappa_IR >= 0 and "
            "L + kappa_UV + kappa_IR > 0 (else a mode has negative norm)"
        )
    if faults:
        raise InputError(faults)
    return _solve(np.arange(1.0, count + 1.0), L, kappa_UV, kappa_IR, boundary)


def kk_masses(geometry: WarpedGeometry, count: int, boundary: str = "++") -> Float[np.ndarray, " mode"]:
    """Masses x_n Lambda_IR [GeV] of the first `count` massive modes; errors as in `kk_roots`."""
    return float(geometry.Lambda_IR) * kk_roots(geometry, count, boundary)


def kk_wave(
    geometry: WarpedGeometry,
    roots: Float[np.ndarray, " mode"],
    t: Float[np.ndarray, " point"],
    boundary: str = "++",
    norm: float | None = None,
) -> Float[np.ndarray, "mode point"]:
    """Wave functions chi_n(t), t = z Lambda_IR in [epsilon, 1], with chi_n(1) > 0.

    int dt/t chi_m chi_n + kappa_UV chi_m chi_n|_epsilon + kappa_IR chi_m chi_n|_1 = norm delta_mn          (2)

    `norm` is L + kappa_UV + kappa_IR unless given: then chi_0 = 1 and a mode couples as g chi_n. On the roots the
    integral is elementary: twice the left side is chi(1)^2 (1 + x^2 kappa_IR^2) minus chi(epsilon)^2 (1 + y^2
    kappa_UV^2) for (+,+), minus (chi'(epsilon)/x)^2 for (-,+).
    """
    L, kappa_UV, kappa_IR = _host(geometry)
    x, epsilon = np.asarray(roots)[:, None], np.exp(-L)
    y = epsilon * x
    end = _ultraviolet(y, kappa_UV, boundary)
    end = end / abs(end)

    def shape(order: int, z: HostArray) -> HostArray:
        J, Y = (j0, y0) if order == 0 else (j1, y1)
        return J(z) * end.imag - Y(z) * end.real

    far = shape(1, x)
    near = (shape(1, y) ** 2 * (1.0 + (y * kappa_UV) ** 2)) if boundary == "++" else shape(0, y) ** 2
    twice = far**2 * (1.0 + (x * kappa_IR) ** 2) - epsilon**2 * near  # (2)
    scale = np.sign(far) * np.sqrt(2.0 * (L + kappa_UV + kappa_IR if norm is None else norm) / twice)
    t = np.asarray(t)[None, :]
    return scale * t * shape(1, x * t)


def kk_couplings(
    geometry: WarpedGeometry,
    roots: Float[np.ndarray, " mode"],
    c: Sequence[float] | Float[np.ndarray, " fermion"],
    boundary: str = "++",
    norm: float | None = None,
) -> Float[np.ndarray, "mode fermion"]:
    """Couplings g_n/g = Omega_n(c) = int_epsilon^1 w_c(t) chi_n(t) dt of fermion zero modes, w_c ~ t^(-2c).

    c > 1/2 lives near the UV brane, for doublets and singlets alike. Gauss-Legendre panels, geometric in t below
    the shortest wavelength and half of it above; time grows as the square of the number of modes (2 s for 1500).
    """
    L, *_ = _host(geometry)
    t, weight = _panels(float(L[0]), float(np.max(roots)))
    power = 1.0 - 2.0 * np.asarray(c)
    # w_c dt = exp(a ln t) dln t, scaled by its largest value before it is normalised
    density = np.exp(power * np.log(t)[:, None] - np.maximum(-power * L, 0.0)) * (weight / t)[:, None]
    density = density / density.sum(axis=0)
    blocks = np.array_split(np.asarray(roots), max(1, roots.size * t.size // 2_000_000))
    return np.concatenate([kk_wave(geometry, block, t, boundary, norm) @ density for block in blocks])


def first_kk_mass(geometry: WarpedGeometry) -> Float[Array, ""]:
    """Mass x_1 Lambda_IR [GeV] of the first (+,+) mode, for use under jit, vmap and grad.

    The root is found on the host (`jax.pure_callback`, once for a whole batch); its derivatives with respect to
    L, kappa_UV and kappa_IR come from the implicit-function theorem on Eq. (1). First derivatives only: a second
    one raises ValueError. NaN where a norm is not positive (kappa_IR < 0 or L + kappa_UV + kappa_IR <= 0) or L <= 0.
    """
    return geometry.Lambda_IR * _first_root(*_parameters(geometry))


@jax.custom_jvp
def _first_root(L: Scalar, kappa_UV: Scalar, kappa_IR: Scalar) -> Float[Array, ""]:
    return _root_and_slopes(L, kappa_UV, kappa_IR)[0]


@_first_root.defjvp
def _first_root_jvp(primals: tuple[Scalar, ...], tangents: tuple[Scalar, ...]) -> tuple[Array, Array]:
    root, *slopes = _root_and_slopes(*primals)
    change = sum((slope * dot for slope, dot in zip(slopes, tangents, strict=True)), jnp.zeros_like(root))
    return root, change


def _root_and_slopes(*arguments: Scalar) -> Sequence[Float[Array, ""]]:
    shape = jax.ShapeDtypeStruct((), jnp.result_type(float))
    return jax.pure_callback(_first_root_host, (shape,) * 4, *arguments, vmap_method="broadcast_all")


def _first_root_host(*arguments: Any) -> tuple[HostArray, ...]:
    """x_1 and its derivatives with respect to L, kappa_UV, kappa_IR, at any batch shape."""
    shape, dtype = np.shape(arguments[0]), np.asarray(arguments[0]).dtype
    L, kappa_UV, kappa_IR = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in arguments)
    allowed = _has_positive_norm(L, kappa_UV, kappa_IR)
    L, kappa_UV, kappa_IR = (np.where(allowed, v, safe) for v, safe in ((L, 36.0), (kappa_UV, 0.0), (kappa_IR, 0.0)))
    x = _solve(np.ones_like(L), L, kappa_UV, kappa_IR, "++")
    slope, by_L, by_UV, by_IR = _residual(x, L, kappa_UV, kappa_IR, "++")[1:]
    results = (x, -by_L / slope, -by_UV / slope, -by_IR / slope)
    return tuple(np.where(allowed, value, np.nan).astype(dtype).reshape(shape) for value in results)


def _solve(n: HostArray, L: HostArray, kappa_UV: HostArray, kappa_IR: HostArray, boundary: str) -> HostArray:
    """Root of every n >= 1: bisection of Eq. (1) to the last bits, then Newton's method for a relative root."""
    target = np.pi * n
    low, high = np.zeros_like(target), (target + 2.0 * np.pi) / -np.expm1(-L)  # the phases differ by < 2 pi from x - y
    for _ in range(56):
        middle = (low + high) / 2.0
        above = _phase_difference(middle, L, kappa_UV, kappa_IR, boundary) > target
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    x = (low + high) / 2.0
    for _ in range(2):
        value, slope, *_ = _residual(x, L, kappa_UV, kappa_IR, boundary)
        x = x - value / slope
    return x


def _phase_difference(x: HostArray, L: HostArray, kappa_UV: HostArray, kappa_IR: HostArray, boundary: str) -> HostArray:
    y = x * np.exp(-L)
    return _phase(x, -kappa_IR, "++") - _phase(y, kappa_UV, boundary)


def _phase(z: HostArray, kappa: HostArray, boundary: str) -> HostArray:
    """Continuous phase of U(z), from -pi/2 at z = 0."""
    H0, H1 = _hankel(z)
    leading, offset = (H0, 0.25) if boundary == "++" else (H1, 0.75)
    angle = np.angle(leading)
    # both phases stay within pi/4 of their asymptote z - pi/4, z - 3 pi/4
    angle = angle + 2.0 * np.pi * np.round((z - offset * np.pi - angle) / (2.0 * np.pi))
    if boundary == "++":
        angle = angle + np.angle(1.0 + z * kappa * H1 / H0)  # Im(H1/H0) < 0: never crosses the cut
    return angle


def _residual(
    x: HostArray, L: HostArray, kappa_UV: HostArray, kappa_IR: HostArray, boundary: str
) -> tuple[HostArray, ...]:
    """F = Im[U_IR* U_UV] and its derivatives with respect to x, L, kappa_UV, kappa_IR."""
    y = x * np.exp(-L)
    H0, H1 = _hankel(x)
    far, far_slope = H0 - x * kappa_IR * H1, -H1 - x * kappa_IR * H0
    h0, h1 = _hankel(y)
    near = _ultraviolet(y, kappa_UV, boundary)
    slope = y * (y * kappa_UV * h0 - h1) if boundary == "++" else y * h0 - h1  # y d/dy
    return (
        (far.conj() * near).imag,
        (far_slope.conj() * near + far.conj() * slope / x).imag,
        -(far.conj() * slope).imag,
        (far.conj() * (y * h1)).imag if boundary == "++" else np.zeros_like(x),
        -((x * H1).conj() * near).imag,
    )


def _ultraviolet(y: HostArray, kappa_UV: HostArray, boundary: str) -> HostArray:
    h0, h1 = _hankel(y)
    return h0 + y * kappa_UV * h1 if boundary == "++" else h1


def _hankel(z: HostArray) -> tuple[HostArray, HostArray]:
    return j0(z) + 1j * y0(z), j1(z) + 1j * y1(z)


def _panels(L: float, largest_root: float) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " node"]]:
    """Nodes in t and weights dt: geometric panels up to t = 2/x_max, then uniform ones of pi in phase."""
    node, weight = gauss_legendre(10)
    turn = max(np.exp(-L), min(1.0, 2.0 / largest_root))
    logs = np.linspace(-L, np.log(turn), int(np.ceil(L + np.log(turn))) + 1)
    edges = np.concatenate([np.exp(logs), np.linspace(turn, 1.0, int(np.ceil(largest_root / np.pi)) + 1)[1:]])
    width = np.diff(edges)[:, None]
    return (edges[:-1, None] + width * node).ravel(), (width * weight).ravel()


def _has_positive_norm(L: HostArray, kappa_UV: HostArray, kappa_IR: HostArray) -> Bool[np.ndarray, "..."]:
    return (L > 0.0) & (kappa_IR >= 0.0) & (L + kappa_UV + kappa_IR > 0.0)


def _host(geometry: WarpedGeometry) -> tuple[Float[np.ndarray, "1"], Float[np.ndarray, "1"], Float[np.ndarray, "1"]]:
    L, kappa_UV, kappa_IR = (np.asarray([v], dtype=np.float64) for v in _parameters(geometry))
    return L, kappa_UV, kappa_IR


def _parameters(geometry: WarpedGeometry) -> tuple[Scalar, Scalar, Scalar]:
    return geometry.L, geometry.kappa_UV, geometry.kappa_IR
