"""The convention page: process channels, the lepton-current operator and its Standard-Model values.

Everything else in the library follows this page.

    L_eff = -(G_F/sqrt2) sum_b [nubar_b g^a (1-g5) nu_a] [lbar_i g_a (g_V - g_A g5) l_j]

    SM, nu_mu -> nu_mu mu mu:  g_V = 1/2 + 2 s2,  g_A = 1/2        (s2 = sin^2 theta_W)
    chiral:                    g_L = (g_V + g_A)/2,  g_R = (g_V - g_A)/2
    the literature's C_V, C_A: C_V = 2 g_V = 1 + 4 s2,  C_A = 2 g_A = 1
    vector mediator:           delta g_V = g_nu g_V^l / (sqrt2 G_F (M^2 + K2)), same for A
    LEFT (JMS, WCxf names):    L = sum C O, VnueLL_ba ij = -2 sqrt2 G_F delta g_L, VnueLR_ba ij = -2 sqrt2 G_F delta g_R
    SMEFT (Warsaw):            linear in C, through LEFT and one of four electroweak input schemes (`smeft`)
    scalar exchange:           L_eff = -(G_F/sqrt2) sum_b [nubar_b' (1-g5) nu_a] [lbar_i (g_S + i g_P g5) l_j] + h.c.

`Q2` = -(P-P')^2 is the photon virtuality and enters form factors; `K2` = -(k-k')^2 is the neutrino
momentum transfer and is what a mediator's propagator sees. They are never interchangeable.
"""

import warnings

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.constants import (
    G_F,
    LEPTON_MASS,
    MASS_W,
    MASS_Z,
    ONE_LOOP_LEFT_OTHER,
    ONE_LOOP_LEFT_OWN,
    ONE_LOOP_RIGHT,
    SIN2_THETA_W,
)
from tridentjax.precision import as_float

FLAVOURS = ("e", "mu", "tau")


class Channel(eqx.Module):
    """One process nu_a N -> nu_b l_i^- l_j^+ N, or its antineutrino version; nu_b is not observed.

    Examples
    --------
    >>> Channel("mu", "mu", "mu").name
    'numu -> mu- mu+'
    """

    neutrino: str = eqx.field(static=True)
    lepton_minus: str = eqx.field(static=True)
    lepton_plus: str = eqx.field(static=True)
    antineutrino: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        for field in ("neutrino", "lepton_minus", "lepton_plus"):
            if (value := getattr(self, field)) not in FLAVOURS:
                raise ValueError(
                    f"Channel.{field} = {value!r}; allowed: {', '.join(FLAVOURS)}. "
                    "Antineutrinos are chosen with antineutrino=True."
                )

    @property
    def name(self) -> str:
        """Readable name, e.g. 'antinumu -> mu- e+'."""
        prefix = "antinu" if self.antineutrino else "nu"
        return f"{prefix}{self.neutrino} -> {self.lepton_minus}- {self.lepton_plus}+"

    @property
    def mass_minus(self) -> float:
        """Mass of the negative lepton [GeV]."""
        return LEPTON_MASS[self.lepton_minus]

    @property
    def mass_plus(self) -> float:
        """Mass of the positive lepton [GeV]."""
        return LEPTON_MASS[self.lepton_plus]

    @property
    def VA_sign(self) -> float:
        """Sign of the V-A interference relative to a neutrino with the lighter lepton negative.

        Exchanging the two leptons and exchanging neutrino with antineutrino both reverse it.
        """
        lighter_negative = FLAVOURS.index(self.lepton_minus) <= FLAVOURS.index(self.lepton_plus)
        return 1.0 if lighter_negative != self.antineutrino else -1.0

    @property
    def outgoing_neutrinos(self) -> tuple[str, ...]:
        """Flavours b that the Standard Model allows; empty where the channel is forbidden.

        Z exchange keeps b = a and needs a same-flavour pair; W exchange turns nu_a into l_a^- and needs
        the other lepton to carry b. An antineutrino turns into l_a^+, so the two leptons swap roles.
        """
        own, other = self.lepton_minus, self.lepton_plus
        if self.antineutrino:
            own, other = other, own
        if own == other:
            return (self.neutrino,)
        return (other,) if own == self.neutrino else ()


class LeptonCurrent(eqx.Module):
    """Couplings (g_V, g_A) of the lepton current, one row for each outgoing-neutrino flavour.

    Amplitudes with the same outgoing neutrino add (`+`); different flavours do not interfere, so rates
    are summed over the leading axis. `g_S` and `g_P`, absent by default, are the real scalar and pseudoscalar
    couplings of the same shape: they lead to a right-handed neutrino, or to an antineutrino, and never
    interfere with g_V and g_A.
    """

    g_V: Float[Array, "nu_out *K2"]
    g_A: Float[Array, "nu_out *K2"]
    g_S: Float[Array, "nu_out *K2"] | None = None
    g_P: Float[Array, "nu_out *K2"] | None = None

    def __add__(self, other: "LeptonCurrent") -> "LeptonCurrent":
        """Coherent sum of two amplitudes; an absent g_S or g_P counts as zero."""
        return LeptonCurrent(
            self.g_V + other.g_V, self.g_A + other.g_A, _sum(self.g_S, other.g_S), _sum(self.g_P, other.g_P)
        )

    @property
    def has_scalars(self) -> bool:
        """Whether g_S or g_P is there: known while tracing, whatever the values."""
        return self.g_S is not None or self.g_P is not None


def _sum(x: Float[Array, "..."] | None, y: Float[Array, "..."] | None) -> Float[Array, "..."] | None:
    if x is None or y is None:
        return y if x is None else x
    return x + y


def standard_model_current(channel: Channel, sin2_theta_w: Scalar = SIN2_THETA_W) -> LeptonCurrent:
    """Tree-level couplings from W and Z exchange in the contact limit, shape (nu_out,).

    | process                          | g_V         | g_A  |
    |----------------------------------|-------------|------|
    | nu_a -> nu_a l_a l_a (W and Z)   | 1/2 + 2 s2  | 1/2  |
    | nu_a -> nu_a l_b l_b (Z only)    | -1/2 + 2 s2 | -1/2 |
    | nu_a -> nu_b l_a^- l_b^+ (W)     | 1           | 1    |

    Czyz, Sheppey, Walecka, Nuovo Cim. 34 (1964) 404; their C_V, C_A are 2 g_V, 2 g_A.
    The same couplings hold for antineutrinos. Valid while Q^2, K2 << M_W^2 (E_nu below about 1 TeV).
    A forbidden channel has no outgoing neutrino: shape (0,), hence a rate of exactly zero.
    """
    if not channel.outgoing_neutrinos:
        empty = jnp.zeros((0,))
        return LeptonCurrent(empty, empty)
    s2 = as_float(sin2_theta_w)
    if channel.lepton_minus != channel.lepton_plus:
        return LeptonCurrent(jnp.ones_like(s2)[None], jnp.ones_like(s2)[None])
    sign = 0.5 if channel.lepton_minus == channel.neutrino else -0.5
    return LeptonCurrent((sign + 2.0 * s2)[None], jnp.full_like(s2, sign)[None])


def one_loop_current(channel: Channel) -> LeptonCurrent:
    """Couplings with one-loop electroweak corrections, shape (nu_out,).

    L = -[nubar_a g^a P_L nu_a] lbar g_a (c_L P_L + c_R P_R) l, so that g_X = c_X/(2 sqrt2 G_F), X = L, R:

    | process                        | c_L [1e-5/GeV^2] | c_R [1e-5/GeV^2] | g_V      | g_A      |
    |--------------------------------|------------------|------------------|----------|----------|
    | nu_a -> nu_a l_a l_a           | 2.39818(33)      | 0.76911(60)      | 0.96007  | 0.49381  |
    | nu_a -> nu_a l_b l_b           | -0.90084(32)     | 0.76911(60)      | -0.03993 | -0.50619 |

    R. J. Hill, O. Tomalak, "On the effective theory of neutrino-electron and neutrino-quark interactions",
    Phys. Lett. B 805 (2020) 135466, arXiv:1911.01493: MSbar coefficients at 2 GeV. The W-only channels stay
    at 1, 1: G_F is measured in the same charged current. Real and virtual photons below 2 GeV are not
    included; they are part of the 2-3 % QED uncertainty of the coherent normalisation.
    """
    if channel.lepton_minus != channel.lepton_plus or not channel.outgoing_neutrinos:
        return standard_model_current(channel)
    own = channel.lepton_minus == channel.neutrino
    unit = 2.0 * 2.0**0.5 * G_F
    g_L = jnp.asarray((ONE_LOOP_LEFT_OWN if own else ONE_LOOP_LEFT_OTHER) / unit)
    return from_chiral(g_L[None], jnp.asarray(ONE_LOOP_RIGHT / unit)[None])


def propagator_shift(
    channel: Channel, K2: Float[Array, " point"], W2: Float[Array, " point"], sin2_theta_w: Scalar = SIN2_THETA_W
) -> LeptonCurrent:
    """Spacelike W and Z propagators alone as a shift of the tree-level current at each point, shape (nu_out, point).

    Not the complete tree, and no correction to add to a rate: the photon's coupling to the W and the attachment in
    which the W is timelike are of the same order, s_hat/M_W^2, and turn the sign for dimuons (+0.4 % instead of
    -2.4 % on a proton at 1 TeV). No cross section of this package uses it; it warns, and will be replaced.

    The Z part of the current, (-1/2 + 2 s2, -1/2), is multiplied by M_Z^2/(M_Z^2 + K2) and the W part,
    (1, 1), by M_W^2/(M_W^2 + W2), W2 = -(k - p)^2 with p the lepton of the neutrino's own flavour, both in GeV^2.
    """
    warnings.warn(
        "propagator_shift leaves out terms of its own size, which turn its sign for dimuons; do not add it to a rate",
        FutureWarning,
        stacklevel=2,
    )
    if not channel.outgoing_neutrinos:
        return LeptonCurrent(jnp.zeros((0, K2.size)), jnp.zeros((0, K2.size)))
    same = channel.lepton_minus == channel.lepton_plus
    neutral = -K2 / (MASS_Z**2 + K2) if same else jnp.zeros_like(K2)
    charged = -W2 / (MASS_W**2 + W2) if not same or channel.lepton_minus == channel.neutrino else jnp.zeros_like(W2)
    g_V = (-0.5 + 2.0 * jnp.asarray(sin2_theta_w)) * neutral + charged
    return LeptonCurrent(g_V[None], (-0.5 * neutral + charged)[None])


def to_chiral(current: LeptonCurrent) -> tuple[Float[Array, "nu_out *K2"], Float[Array, "nu_out *K2"]]:
    """Chiral couplings (g_L, g_R) = ((g_V + g_A)/2, (g_V - g_A)/2)."""
    return (current.g_V + current.g_A) / 2.0, (current.g_V - current.g_A) / 2.0


def from_chiral(g_L: Float[Array, "nu_out *K2"], g_R: Float[Array, "nu_out *K2"]) -> LeptonCurrent:
    """Inverse of `to_chiral`: g_V = g_L + g_R, g_A = g_L - g_R."""
    return LeptonCurrent(g_L + g_R, g_L - g_R)


def to_doubled(current: LeptonCurrent) -> tuple[Float[Array, "nu_out *K2"], Float[Array, "nu_out *K2"]]:
    """The literature's (C_V, C_A) = (2 g_V, 2 g_A), 1 + 4 s2 and 1 for dimuons in the Standard Model."""
    return 2.0 * current.g_V, 2.0 * current.g_A


def from_doubled(C_V: Float[Array, "nu_out *K2"], C_A: Float[Array, "nu_out *K2"]) -> LeptonCurrent:
    """Inverse of `to_doubled`: g_V = C_V/2, g_A = C_A/2."""
    return LeptonCurrent(C_V / 2.0, C_A / 2.0)


def quadratic_couplings(current: LeptonCurrent, scalar: bool = False) -> Float[Array, "structure *K2"]:
    """What multiplies the rate structures: (sum_b g_V^2, sum_b g_A^2, sum_b g_V g_A) for VV, AA, VA.

    With `scalar`, two more rows: sum_b g_S^2 and sum_b g_P^2 for SS, PP; zero where the current has none.

    Raises
    ------
    ValueError : the current has g_S or g_P and `scalar` is not asked for.
    """
    g_V, g_A = current.g_V, current.g_A
    rows = [(g_V * g_V).sum(0), (g_A * g_A).sum(0), (g_V * g_A).sum(0)]
    if current.has_scalars and not scalar:
        raise ValueError(
            "the current has scalar couplings g_S or g_P, but the chain was prepared without the structures SS, PP; "
            "prepare it with scalar=True (couplings: quadratic_couplings(current, scalar=True))"
        )
    if scalar:
        rows += [jnp.zeros_like(rows[0]) if g is None else (g * g).sum(0) for g in (current.g_S, current.g_P)]
    return jnp.stack(rows)
