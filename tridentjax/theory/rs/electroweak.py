"""The electroweak model in the warped space: gauge groups, lepton embeddings, bulk masses, and its tower sums.

Minimal: SU(2)_L x U(1)_Y in the bulk. Custodial: SU(2)_L x SU(2)_R x U(1)_X with a bidoublet Higgs, broken to the
Standard Model on the UV brane, so that W_R and Z' are (-,+) fields (Agashe et al., hep-ph/0605341). The Higgs and its
vacuum expectation value sit on the IR brane.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.constants import MASS_Z_INPUT, SIN2_THETA_W
from tridentjax.currents import FLAVOURS
from tridentjax.faults import InputError, unknown
from tridentjax.theory.rs.geometry import WarpedGeometry, fermions, tower_of, with_branes


class Embedding(NamedTuple):
    """Third component of the right-handed isospin of the doublets l and the singlets e; model of the gauge group."""

    T_R3_l: float
    T_R3_e: float
    model: str


EMBEDDINGS = {
    "minimal": Embedding(0.0, 0.0, "minimal"),
    "custodial_trivial": Embedding(0.0, -0.5, "custodial"),  # l = (2,1), e in (1,2)
    "custodial_plr_mu": Embedding(-0.5, -1.0, "custodial"),  # l = (2,2)_0: P_LR protects the charged lepton
    "custodial_plr_nu": Embedding(0.5, 0.0, "custodial"),  # l = (2,2)_-1: P_LR protects the neutrino
}
T3_Y = {"nu": (0.5, -0.5), "L": (-0.5, -0.5), "R": (0.0, -1.0)}  # (T3, Y) of the neutrino and of l_L, l_R


def _number(x: Scalar) -> Float[Array, ""]:
    return jnp.asarray(x, dtype=float)


def _numbers(values: Mapping[str, Scalar]) -> dict[str, Float[Array, ""]]:
    return {name: _number(value) for name, value in values.items()}


class ElectroweakRS(eqx.Module):
    """Electroweak inputs of a warped model.

    su2 : geometry and brane terms of SU(2)_L (and SU(2)_R); u1 : those of the hypercharge, default the same. Lambda_IR
    and k must agree, and kappa_IR in a custodial model (else NaN). c_L, c_R : bulk masses by flavour, as many as the
    channels need (electron and muon doublets always: muon decay). m_Z [GeV] and sin2_theta_w: electroweak inputs.
    """

    su2: WarpedGeometry
    c_L: dict[str, Float[Array, ""]] = eqx.field(converter=_numbers)
    c_R: dict[str, Float[Array, ""]] = eqx.field(converter=_numbers)
    embedding: str = eqx.field(static=True, default="minimal")
    u1: WarpedGeometry | None = None
    sin2_theta_w: Float[Array, ""] = eqx.field(converter=_number, default=SIN2_THETA_W)
    m_Z: Float[Array, ""] = eqx.field(converter=_number, default=MASS_Z_INPUT)
    g_R_over_g: Float[Array, ""] = eqx.field(converter=_number, default=1.0)

    def __check_init__(self) -> None:
        faults = [unknown("embedding", self.embedding, EMBEDDINGS)] if self.embedding not in EMBEDDINGS else []
        faults += [unknown("flavour", name, FLAVOURS, "c_L, c_R") for name in {*self.c_L, *self.c_R} - {*FLAVOURS}]
        if faults:
            raise InputError(faults)

    @property
    def hypercharge(self) -> WarpedGeometry:
        """Geometry and brane terms of U(1)."""
        return self.su2 if self.u1 is None else self.u1

    @property
    def custodial(self) -> bool:
        """Whether SU(2)_R is gauged in the bulk."""
        return EMBEDDINGS[self.embedding].model == "custodial"

    @property
    def Delta(self) -> Float[Array, ""]:
        """m_Z^2/Lambda_IR^2, or NaN where the two geometries do not belong together."""
        a, b = self.su2, self.hypercharge
        fits = (a.Lambda_IR == b.Lambda_IR) & (a.k == b.k)
        fits = fits & (a.kappa_IR == b.kappa_IR) if self.custodial else fits
        return jnp.where(fits, (self.m_Z / a.Lambda_IR) ** 2, jnp.nan)


class TowerSums(eqx.Module):
    """Tower sums between all profiles of a model, one matrix product each; by name: 'Lmu', 'Re', 'IR', 'UV'."""

    names: tuple[str, ...] = eqx.field(static=True)
    su2: Float[Array, "profile profile"]
    u1: Float[Array, "profile profile"]
    subtracted: Float[Array, "profile profile"]
    minus_plus: Float[Array, "profile profile"]

    def G2(self, p: str, q: str = "IR") -> Float[Array, ""]:
        """SU(2) tower (+,+)."""
        return self._at(self.su2, p, q)

    def G1(self, p: str, q: str = "IR") -> Float[Array, ""]:
        """Hypercharge tower (+,+)."""
        return self._at(self.u1, p, q)

    def Theta2(self, p: str, q: str) -> Float[Array, ""]:
        """What the Higgs brane mass leaves of the SU(2) tower."""
        return self._at(self.subtracted, p, q)

    def M(self, p: str = "IR", q: str = "IR") -> Float[Array, ""]:
        """Tower (-,+)."""
        return self._at(self.minus_plus, p, q)

    def _at(self, sums: Float[Array, "profile profile"], p: str, q: str) -> Float[Array, ""]:
        return sums[self.names.index(p), self.names.index(q)]


def tower_sums(model: ElectroweakRS) -> TowerSums:
    """All sums of a model; its fermion profiles are computed once."""
    geometry, names = model.su2, [f"L{name}" for name in model.c_L] + [f"R{name}" for name in model.c_R]
    masses = [*model.c_L.values(), *model.c_R.values()]
    leptons = fermions(geometry, jnp.stack(masses) if masses else jnp.zeros(0))
    every, excess = with_branes(geometry, leptons)
    D = excess + geometry.epsilon**2
    return TowerSums(
        (*names, "IR", "UV"),
        tower_of(geometry, excess, every, every),
        tower_of(model.hypercharge, excess, every, every),
        0.5 * geometry.volume * (1.0 - jnp.add.outer(every.B, every.B) + D),  # `subtracted_sum`
        0.5 * model.hypercharge.volume * excess,  # `minus_plus_sum`
    )


def require_masses(model: ElectroweakRS, left: set[str], right: set[str]) -> None:
    """Refuse a model that lacks bulk masses of these doublets and singlets.

    Raises
    ------
    InputError : names every missing one.
    """
    missing = [f"c_L_{name}" for name in FLAVOURS if name in left - set(model.c_L)]
    missing += [f"c_R_{name}" for name in FLAVOURS if name in right - set(model.c_R)]
    if missing:
        raise InputError([f"{name} is missing; required: the bulk mass of this lepton" for name in missing])


def right_handed(model: ElectroweakRS, s2: Float[Array, ""]) -> tuple[Any, Any, Any, Any]:
    """rho, the charges rho Q of l and e, and g_Z'^2/g_Z^2 = rho^2/(rho - s2); zeros without SU(2)_R."""
    if not model.custodial:
        return 0.0, 0.0, 0.0, 0.0
    embedding = EMBEDDINGS[model.embedding]
    rho = model.g_R_over_g**2 * (1.0 - s2)
    return rho, rho * embedding.T_R3_l + 0.5 * s2, rho * embedding.T_R3_e + s2, rho**2 / (rho - s2)
