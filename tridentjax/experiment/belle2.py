"""Belle II as an auxiliary constraint on a mediator: e+ e- -> gamma Z' with an invisible Z'. No trident here.

In the centre-of-mass frame, with c the cosine between the photon and the electron beam, s = 4 E_- E_+ and x = m^2/s,

    dsigma/dc = (alpha/2s) (|g_V|^2 + g_A^2) (1 - x) [1 + c^2 + 4x/(1-x)^2]/(1 - c^2)                  (1)
    sigma     = (alpha/2s) (|g_V|^2 + g_A^2) [2(1+x^2) atanh c - (1-x)^2 c]/(1-x)  between the limits    (2)
    E_gamma   = (E_- + E_+) (1-x) (1 + beta c)/2,   beta = (E_- - E_+)/(E_- + E_+)  (laboratory)         (3)
    c         = (cos theta - beta)/(1 - beta cos theta)                              (theta laboratory)  (4)

for couplings g_V, g_A of the electron. Angles and energies cut only the limits of (2), so slopes in the mass include
the moving limit. The electron mass is left out: it matters within a degree of the beams.

Kaneta, Shimomura, arXiv:1701.00156, have (1) with 2 pi alpha^2 eps^2/s in front and mix with hypercharge,
L = -(eps/2) B_mn X^mn. Their event numbers (50 ab^-1, m = 0.1 GeV, E_gamma > 6.8 GeV, all decays invisible) come out
if the eps of that front factor is eps cos theta_W and s = 4 E_- E_+ = 112 GeV^2 (10.58^2 lies 1.2 % lower):

    photon form (`kinetic_mixing` of `theories.zprime`): chi = eps cos theta_W,  |g_V| = e chi           (5)

without the Z's share, of relative size m^2/M_Z^2. The other mixing is the mu and tau loop of L_mu - L_tau at
q2 = m^2, `mediators.loop_mixing_timelike`, complex above 2 m_mu.
"""

import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.constants import ALPHA_EM, GEV2_TO_CM2, LEPTON_MASS
from tridentjax.currents import FLAVOURS
from tridentjax.faults import InputError
from tridentjax.theory.mediators import ELECTRIC_CHARGE, L_MU_MINUS_L_TAU, loop_mixing_timelike

LABEL = "auxiliary reach, not a trident measurement"
_GEV2_TO_AB = GEV2_TO_CM2 * 1e42
_SMALLEST_ANGLE = 1.0  # degrees; 200 m_e/E from the beam

Parameters = Mapping[str, Any]


class Belle2Assumptions(eqx.Module):
    """Beams, photon selection and criterion; defaults are those of arXiv:1701.00156.

    luminosity [ab^-1]; efficiency beyond the cuts; background and observed counts in the whole window (None: the
    background, i.e. Asimov data); energies [GeV] and angles to the electron beam [deg] in the laboratory;
    `statistic` of the Poisson limit, 'cls' or 'classical', see `belle2_reach`. No background is optimistic: that of
    several photons is not in the paper. Numbers may be traced; those that are not are checked.

    Raises
    ------
    InputError : every number outside its range, at once.
    """

    luminosity: Scalar = 50.0
    efficiency: Scalar = 1.0
    background: Scalar = 0.0
    observed: Scalar | None = None
    confidence_level: float = 0.9
    statistic: str = eqx.field(static=True, default="cls")
    min_energy: Scalar = 0.1
    max_energy: Scalar | None = None
    min_angle: Scalar = 15.0
    max_angle: Scalar = 135.0
    electron_energy: Scalar = 7.0
    positron_energy: Scalar = 4.0

    def __check_init__(self) -> None:
        if faults := _assumption_faults(self):
            raise InputError(faults)

    @property
    def s(self) -> Scalar:
        """Squared centre-of-mass energy [GeV^2]."""
        return 4.0 * self.electron_energy * self.positron_energy


def photon_cross_section(mass: Float[Array, "*mediator"], assumptions: Belle2Assumptions) -> Float[Array, "*mediator"]:
    """Cross section (2) inside the photon cuts [ab], for |g_V|^2 + g_A^2 = 1 of the electron.

    0 from mass = sqrt(s) on, and where no photon inside the angles has the energy asked for. Differentiable in the
    mass and in every number of the assumptions; kinks where a limit passes from angle to energy.
    """
    a = assumptions
    x = mass**2 / a.s
    below = x < 1.0
    x = jnp.where(below, x, 0.5)
    beta = (a.electron_energy - a.positron_energy) / (a.electron_energy + a.positron_energy)
    cos_low, cos_high = (jnp.cos(jnp.deg2rad(jnp.asarray(angle))) for angle in (a.max_angle, a.min_angle))
    low, high = ((cos - beta) / (1.0 - beta * cos) for cos in (cos_low, cos_high))  # (4)
    energy = (a.electron_energy + a.positron_energy) * (1.0 - x) / 2.0
    lower = jnp.clip((a.min_energy / energy - 1.0) / beta, low, high)  # (3)
    upper = jnp.full_like(x, 1.0) * high
    if a.max_energy is not None:
        upper = jnp.clip((a.max_energy / energy - 1.0) / beta, low, high)
    rapidity = jnp.arctanh(upper) - jnp.arctanh(lower)
    integral = (2.0 * (1.0 + x**2) * rapidity - (1.0 - x) ** 2 * (upper - lower)) / (1.0 - x)
    return jnp.where(below, _GEV2_TO_AB * ALPHA_EM / (2.0 * a.s) * integral, 0.0)  # (2)


def electron_coupling2(parameters: Parameters) -> Float[Array, "*mediator"]:
    """|g_V|^2 + g_A^2 of the electron, with both mixings; parameters of `theories.zprime`, one entry a mediator."""
    _, _, (squared_V, squared_A) = _squared_couplings(parameters)
    return squared_V["e"] + squared_A["e"]


def invisible_branching_ratio(parameters: Parameters) -> Float[Array, "*mediator"]:
    """Share of decays to neutrinos; parameters of `theories.zprime`, one entry a mediator.

        Gamma(nu nubar) = g_nu^2 m/24 pi  (left-handed, each flavour)
        Gamma(l l) = m b [|g_V|^2 (3 - b^2)/2 + g_A^2 b^2]/12 pi,  b = sqrt(1 - 4 m_l^2/m^2)             (6)

    with the mixings in g_V. Hadrons are left out: above 2 m_pi a mediator whose mixing rivals its own couplings
    decays to them too, and its true ratio is smaller. Without any coupling it is 0. Differentiable; exactly at
    m = 2 m_l, where the slope of b diverges, that of the closed channel.
    """
    mass, squared_nu, (squared_V, squared_A) = _squared_couplings(parameters)
    invisible = sum((squared_nu[name] for name in FLAVOURS), jnp.zeros_like(mass)) / 2.0
    total = invisible
    for name in FLAVOURS:
        excess = mass**2 - 4.0 * LEPTON_MASS[name] ** 2
        open_ = excess > 0.0
        b2 = jnp.where(open_, excess, 1.0) / jnp.where(open_, mass**2, 1.0)
        width = jnp.sqrt(b2) * (squared_V[name] * (3.0 - b2) / 2.0 + squared_A[name] * b2)
        total = total + jnp.where(open_, width, 0.0)  # (6) in units of m/12 pi
    decays = total > 0.0
    return jnp.where(decays, invisible / jnp.where(decays, total, 1.0), 0.0)


def belle2_events(parameters: Parameters, assumptions: Belle2Assumptions) -> Float[Array, "*mediator"]:
    """Signal events of each mediator: luminosity x efficiency x cross section x invisible branching ratio.

    Parameters
    ----------
    parameters : those of `theories.zprime`: `mass` [GeV] and `g`, or `g_nu_*`, `g_V_*`, `g_A_*`; `kinetic_mixing`
        (photon form chi, Eq. (5)), `loop_mixing` (true or false). Numbers or arrays of one shape; others are ignored.
    assumptions : see `Belle2Assumptions`.

    Narrow width. Differentiable in every number; 0 with finite slopes beyond the reach of the machine.
    """
    mass = jnp.asarray(parameters["mass"], dtype=float)
    exposure = assumptions.luminosity * assumptions.efficiency
    production = photon_cross_section(mass, assumptions) * electron_coupling2(parameters)
    return exposure * production * invisible_branching_ratio(parameters)


def belle2_log_likelihood(parameters: Parameters, assumptions: Belle2Assumptions) -> Float[Array, ""]:
    """Log Poisson(observed; background + signal), an auxiliary term beside trident measurements.

    Parameters as in `belle2_events`; the signals of several mediators add. Without `observed` the data are the
    background (Asimov; 0 events if there is none). Normalised over the count. Differentiable in the parameters
    and in every number of the assumptions but the observed count; with a free background, give `observed`.
    """
    mean = jnp.sum(belle2_events(parameters, assumptions)) + assumptions.background
    observed = assumptions.background if assumptions.observed is None else assumptions.observed
    count = jax.lax.stop_gradient(jnp.asarray(observed, dtype=float))  # data, whatever they were taken from
    some = count > 0.0  # then there is background, see `Belle2Assumptions`
    return count * jnp.log(jnp.where(some, mean, 1.0)) - mean - gammaln(count + 1.0)


def _squared_couplings(parameters: Parameters) -> tuple[Any, dict[str, Any], tuple[dict[str, Any], dict[str, Any]]]:
    """Mass, and by flavour g_nu^2, (|g_V|^2, g_A^2) with mixings, each of the shape of all numbers together."""

    def coupling(kind: str, flavour: str) -> Any:
        if "g" in parameters:
            return 0.0 if kind == "g_A" else parameters["g"] * np.float64(L_MU_MINUS_L_TAU[flavour])
        return parameters.get(f"{kind}_{flavour}", parameters.get(kind, 0.0))

    names = [(kind, flavour) for kind in ("g_nu", "g_V", "g_A") for flavour in FLAVOURS]
    given = [parameters["mass"], parameters.get("kinetic_mixing", 0.0), *(coupling(*name) for name in names)]
    mass, chi, *values = jnp.broadcast_arrays(*(jnp.asarray(x, dtype=float) for x in given))
    own = dict(zip(names, values, strict=True))
    imaginary = jnp.zeros_like(mass)
    if parameters.get("loop_mixing", False):
        real, imaginary = (part * parameters["g"] for part in loop_mixing_timelike(mass**2))
        chi = chi + real
    squared_V = {
        name: (own["g_V", name] + ELECTRIC_CHARGE * chi) ** 2 + (ELECTRIC_CHARGE * imaginary) ** 2 for name in FLAVOURS
    }
    squared_nu, squared_A = ({name: own[kind, name] ** 2 for name in FLAVOURS} for kind in ("g_nu", "g_A"))
    return mass, squared_nu, (squared_V, squared_A)


def _assumption_faults(a: Belle2Assumptions) -> list[str]:
    """What is wrong with the numbers that are known; a traced one counts as right."""
    lowest, highest = _SMALLEST_ANGLE, 180.0 - _SMALLEST_ANGLE
    positive = ("luminosity", "min_energy", "max_energy", "positron_energy", "electron_energy")
    ranges = {name: (lambda x: 0.0 < x < math.inf, "positive and finite") for name in positive} | {
        "efficiency": (lambda x: 0.0 < x <= 1.0, "above 0, up to 1"),
        "background": (lambda x: 0.0 <= x < math.inf, "0 or more, finite"),
        "observed": (lambda x: 0.0 <= x < math.inf, "0 or more, finite"),
        "confidence_level": (lambda x: 0.5 < x < 1.0, "above 0.5 and below 1, e.g. 0.9"),
        "min_angle": (lambda x: x >= lowest, f"{lowest:g} deg or more (the electron has no mass here)"),
        "max_angle": (lambda x: x <= highest, f"{highest:g} deg or less (the electron has no mass here)"),
    }
    given = {name: getattr(a, name) for name in ranges}
    known = {name: float(x) for name, x in given.items() if x is not None and not isinstance(x, jax.core.Tracer)}
    faults = [
        f"Belle II: {name} = {x:g}; allowed: {ranges[name][1]}" for name, x in known.items() if not ranges[name][0](x)
    ]
    for low, high in (
        ("min_energy", "max_energy"),
        ("min_angle", "max_angle"),
        ("positron_energy", "electron_energy"),
    ):
        if low in known and high in known and not known[low] < known[high]:
            faults.append(f"Belle II: {low} = {known[low]:g}; allowed: below {high} = {known[high]:g}")
    if known.get("observed", 0.0) > 0.0 and known.get("background", 1.0) == 0.0:
        faults.append("Belle II: observed events without background make zero coupling impossible; give a background")
    if a.statistic not in ("cls", "classical"):
        faults.append(f"Belle II: statistic = {a.statistic!r}; allowed: cls, classical")
    return faults
