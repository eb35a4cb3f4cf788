"""What a neutrino scatters on: the regimes of a target and how strongly each hadronic tensor counts.

A regime is `coherent` (the nucleus as a whole), `incoherent_proton` or `incoherent_neutron`. Its
structure functions multiply the two hadronic tensors R_m R_n and -Q2 g_mn:

    coherent:    (Z F(Q2))^2, 0
    nucleons:    count x Pauli(Q2) x ((G_E^2 + tau G_M^2)/(1 + tau), G_M^2)
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax.constants import HBARC
from tridentjax.faults import InputError
from tridentjax.nucleus.form_factors import FormFactor, NucleonFormFactors, pauli_blocking
from tridentjax.nucleus.materials import Material, load_material
from tridentjax.nucleus.nuclei import Nucleus, load_nucleon

REGIMES = ("coherent", "incoherent_proton", "incoherent_neutron")

# The Q2 range of a regime: beyond it the form factor has made the rate negligible (below 1e-6)
COHERENT_Q2 = 2.0  # [GeV^2]
NUCLEON_Q2 = 20.0  # [GeV^2]


class Coherent(eqx.Module):
    """The nucleus as a whole, charge Z and form factor F."""

    form_factor: FormFactor
    Z: int = eqx.field(static=True)
    mass: float = eqx.field(static=True)
    radius: float = eqx.field(static=True)
    largest_Q2: float = eqx.field(static=True, default=COHERENT_Q2)
    name: str = eqx.field(static=True, default="coherent")
    hadronic: int = eqx.field(static=True, default=1)

    def structure(self, Q2: Float[Array, "*shape"]) -> Float[Array, "1 *shape"]:
        """Coefficient of R_m R_n, (Z F)^2."""
        return (self.Z * self.form_factor(Q2))[None] ** 2


class Incoherent(eqx.Module):
    """`count` nucleons of one kind with Fermi momentum `p_fermi` [GeV] (0: free)."""

    nucleon: NucleonFormFactors
    count: int = eqx.field(static=True)
    p_fermi: float = eqx.field(static=True)
    name: str = eqx.field(static=True)
    radius: float = eqx.field(static=True, default=0.84)
    largest_Q2: float = eqx.field(static=True, default=NUCLEON_Q2)
    hadronic: int = eqx.field(static=True, default=2)

    @property
    def mass(self) -> float:
        """Nucleon mass [GeV]."""
        return self.nucleon.mass

    def structure(self, Q2: Float[Array, "*shape"]) -> Float[Array, "2 *shape"]:
        """Coefficients of R_m R_n and -Q2 g_mn, summed over the nucleons."""
        blocking = pauli_blocking(Q2, self.mass, self.p_fermi) if self.p_fermi else jnp.ones_like(Q2)
        return self.count * blocking[None] * self.nucleon.structure(Q2)


Regime = Coherent | Incoherent


def Q2_scale(regime: Regime) -> float:
    """Q2 [GeV^2] at which the form factor falls off, 1.2 (hbar c/radius)^2: centres the sampling."""
    return 1.2 * (HBARC / regime.radius) ** 2


def nucleus_regimes(nucleus: Nucleus, nucleon_model: str = "kelly", pauli: bool = True) -> tuple[Regime, ...]:
    """Coherent, proton and neutron regimes of a nucleus; hydrogen has one free proton and nothing else."""
    p_fermi = nucleus.p_fermi if pauli else 0.0
    regimes: list[Regime] = []
    if nucleus.form_factor is not None:
        radius = 1.0 * nucleus.A ** (1 / 3)  # [fm], only centres the sampling
        regimes.append(Coherent(nucleus.form_factor, nucleus.Z, nucleus.mass, radius))
    for kind, count in (("proton", nucleus.Z), ("neutron", nucleus.neutrons)):
        if count:
            regimes.append(nucleon_regime(kind, count, p_fermi, nucleon_model))
    return tuple(regimes)


def nucleon_regime(kind: str, count: int = 1, p_fermi: float = 0.0, nucleon_model: str = "kelly") -> Incoherent:
    """`count` protons or neutrons, free unless a Fermi momentum is given."""
    return Incoherent(load_nucleon(kind, nucleon_model), count, p_fermi, f"incoherent_{kind}")


def material_regimes(
    material: Material, nucleon_form_factor: str = "kelly", pauli: bool = True
) -> list[tuple[float, Regime]]:
    """Regimes of every nucleus of a material with the number fraction of that nucleus."""
    return [
        (fraction, regime)
        for nucleus, fraction in zip(material.nuclei, material.number_fractions, strict=True)
        for regime in nucleus_regimes(nucleus, nucleon_form_factor, pauli)
    ]


def target_regimes(
    target: str,
    form_factor: str = "default",
    parameters: dict[str, float] | None = None,
    nucleon_form_factor: str = "kelly",
    pauli: bool = True,
    p_fermi: float | None = None,
) -> list[tuple[float, Regime]]:
    """Regimes and number fractions of 'proton', 'neutron', a nuclide, an element or a material.

    Raises
    ------
    InputError : every fault of the target and its models.
    """
    if target in ("proton", "neutron"):
        if form_factor != "default" or parameters:
            raise InputError([f"{target} has no nuclear form factor, received {form_factor!r}; choose a nucleon model"])
        return [(1.0, nucleon_regime(target, 1, p_fermi or 0.0, nucleon_form_factor))]
    material = load_material(target, form_factor, parameters, p_fermi)
    return material_regimes(material, nucleon_form_factor, pauli)
