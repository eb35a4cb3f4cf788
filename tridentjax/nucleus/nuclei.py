"""Targets: nuclei from the packaged tables, their form factors, and the free nucleons."""

import math
from functools import cache

import equinox as eqx
import jax.numpy as jnp

from tridentjax._types import Scalar
from tridentjax.constants import MASS_NEUTRON, MASS_PROTON, MU_NEUTRON, MU_PROTON
from tridentjax.faults import InputError, collect, unknown
from tridentjax.files import Table, data_folder, read_table
from tridentjax.nucleus.form_factors import (
    Dipole,
    FermiDensity,
    FormFactor,
    FourierBessel,
    Galster,
    GaussianDensity,
    Helm,
    KellyRatio,
    NucleonFormFactors,
    VariedDensity,
    ZExpansion,
    woods_saxon,
)

FORM_FACTORS = {
    "default": "the measured density: Fourier-Bessel, else Fermi or Helm at the measured radius",
    "fermi2": "two-parameter Fermi density, c and z in fm (default: fit at the measured radius)",
    "fermi3": "three-parameter Fermi density, c, z in fm and w",
    "gaussian3": "three-parameter Gaussian density, c, z in fm and w",
    "fourier-bessel": "Fourier-Bessel density of de Vries et al. 1987, no parameters",
    "helm": "Helm, R0 and s in fm (default: at the measured radius)",
    "woods-saxon": "Fermi density with c = r0 A^(1/3), a in fm (defaults 1.126 and 0.523)",
}
NUCLEON_FORM_FACTORS = ("kelly", "dipole", "ye2018")
_PARAMETERS = {
    "default": (),
    "fermi2": ("c", "z"),
    "fermi3": ("c", "z", "w"),
    "gaussian3": ("c", "z", "w"),
    "fourier-bessel": (),
    "helm": ("R0", "s"),
    "woods-saxon": ("r0", "a"),
}


class Nucleus(eqx.Module):
    """A target nucleus: charge Z, mass number A, mass [GeV], Fermi momentum [GeV], form factor.

    `form_factor` is None for hydrogen, whose proton is counted as a free nucleon. `fit` is the Fermi density
    (Helm for the few light nuclei without one) whose radius and diffuseness the nuisances vary.
    """

    form_factor: FormFactor | None
    fit: FermiDensity | Helm | None
    Z: int = eqx.field(static=True)
    A: int = eqx.field(static=True)
    mass: float = eqx.field(static=True)
    p_fermi: float = eqx.field(static=True)
    name: str = eqx.field(static=True)

    @property
    def neutrons(self) -> int:
        """Number of neutrons."""
        return self.A - self.Z


@cache
def _nuclei() -> Table:
    return read_table(data_folder() / "nuclei.csv", required=("unit", "source"))


@cache
def _densities() -> Table:
    return read_table(data_folder() / "charge_densities.csv", required=("unit", "source"))


def nucleus_names() -> tuple[str, ...]:
    """Names of the packaged nuclei, e.g. 'Ar40'."""
    return tuple(row["name"] for row in _nuclei().rows)


def nucleus_row(name: str) -> dict[str, str]:
    """Table row of a nucleus.

    Raises
    ------
    InputError : unknown nucleus, with the nearest existing name.
    """
    for row in _nuclei().rows:
        if row["name"] == name:
            return row
    raise InputError([unknown("nucleus", name, nucleus_names())])


def density_rows(name: str) -> list[dict[str, str]]:
    """All charge densities of a nucleus, with their origin."""
    return [row for row in _densities().rows if row["nucleus"] == name]


def load_nucleus(
    name: str,
    form_factor: str = "default",
    parameters: dict[str, float] | None = None,
    p_fermi: float | None = None,
) -> Nucleus:
    """Nucleus of the packaged tables with a chosen charge form factor.

    Parameters
    ----------
    name : e.g. 'Ar40'; see `nucleus_names`.
    form_factor : a key of `FORM_FACTORS`.
    parameters : numbers of that form factor (fm), replacing the tabulated ones.
    p_fermi : Fermi momentum [GeV] instead of the tabulated one.

    Raises
    ------
    InputError : unknown nucleus, form factor or parameter, or a nucleus without the requested density.
    """
    row = nucleus_row(name)
    faults: list[str] = []
    if p_fermi is not None and not 0.0 <= p_fermi < 1.0:
        faults.append(f"p_fermi = {p_fermi} GeV; allowed: 0 (free) to 1")
    A = int(row["A"])
    factor = fit = None
    if name != "H1":
        factor = collect(faults, build_form_factor, name, form_factor, parameters or {})
        roles = {row["role"]: row for row in density_rows(name)}
        fit = _density(roles.get("fermi", roles["helm"]))
    else:
        if p_fermi:
            faults.append(f"H1 is a free proton, never Pauli-blocked, received p_fermi = {p_fermi} GeV; allowed: 0")
        if form_factor != "default" or parameters:
            faults.append(f"H1 has no coherent form factor, received {form_factor!r}; its proton is a free nucleon")
    if faults:
        raise InputError(faults)
    p_F = float(row["p_fermi"]) if p_fermi is None else p_fermi
    return Nucleus(factor, fit, int(row["Z"]), A, float(row["mass"]), p_F, name)  # type: ignore[arg-type]


def build_form_factor(name: str, kind: str, given: dict[str, float]) -> FormFactor:
    """Form factor `kind` of a nucleus, tabulated numbers replaced by the given ones."""
    if kind not in FORM_FACTORS:
        raise InputError([unknown("form factor", kind, FORM_FACTORS)])
    allowed = _PARAMETERS[kind]
    faults = [
        unknown(f"parameter of form factor {kind}", key, allowed or ("none",)) for key in given if key not in allowed
    ]
    faults += [
        f"form factor parameter {key} = {value}; allowed: "
        + ("a finite number" if key == "w" else "a positive length in fm")
        for key, value in given.items()
        if key in allowed and not (math.isfinite(value) if key == "w" else 0.0 < value < 20.0)
    ]
    if faults:
        raise InputError(faults)
    if kind == "woods-saxon":
        return woods_saxon(int(nucleus_row(name)["A"]), **given)
    if set(given) == set(allowed) and allowed:
        numbers = [given[key] for key in allowed] + [0.0] * (kind == "fermi2")
        form = {"fermi2": "fermi", "fermi3": "fermi", "gaussian3": "gaussian", "helm": "helm"}[kind]
    else:
        row = _tabulated(name, kind)
        form = row["form"]
        values = dict(zip(allowed, row["parameters"].split(), strict=False)) | given
        numbers = [float(values[key]) for key in allowed] if allowed else [float(x) for x in row["parameters"].split()]
        numbers += [0.0] * (kind == "fermi2")
    return _from_numbers(form, numbers)


def _tabulated(name: str, kind: str) -> dict[str, str]:
    """The table row that a form-factor kind refers to."""
    rows = density_rows(name)
    suitable = {
        "default": lambda r: r["role"] == "default",
        "helm": lambda r: r["form"] == "helm",
        "fourier-bessel": lambda r: r["form"] == "fourier_bessel",
        "gaussian3": lambda r: r["form"] == "gaussian",
        "fermi3": lambda r: r["form"] == "fermi" and float(r["parameters"].split()[2]) != 0.0,
        "fermi2": lambda r: r["form"] == "fermi" and float(r["parameters"].split()[2]) == 0.0,
    }[kind]
    found = [row for row in rows if suitable(row)]
    if not found:
        has = sorted({row["form"].replace("_", "-") for row in rows})
        remedy = "give its parameters or " if _PARAMETERS[kind] else ""
        raise InputError(
            [f"{name} has no tabulated {kind!r} density (it has {', '.join(has)}); {remedy}use woods-saxon"]
        )
    return found[0]


def _density(row: dict[str, str]) -> FormFactor:
    return _from_numbers(row["form"], [float(x) for x in row["parameters"].split()])


def _from_numbers(form: str, numbers: list[float]) -> FormFactor:
    if form == "fourier_bessel":
        return FourierBessel(jnp.asarray(numbers[1:]), numbers[0])
    record = {"fermi": FermiDensity, "gaussian": GaussianDensity, "helm": Helm}[form]
    return record(*(jnp.asarray(x) for x in numbers))


def vary_density(nucleus: Nucleus, radius_scale: Scalar, diffuseness_scale: Scalar) -> FormFactor:
    """Form factor with live half-density radius and diffuseness, as factors on the tabulated ones.

    Raises
    ------
    InputError : hydrogen, which has no charge density of its own.
    """
    if nucleus.fit is None or nucleus.form_factor is None:
        raise InputError([f"{nucleus.name} has no nuclear density to vary; its proton is a free nucleon"])
    return VariedDensity(nucleus.form_factor, nucleus.fit, jnp.asarray(radius_scale), jnp.asarray(diffuseness_scale))


@cache
def _nucleon_table() -> dict[tuple[str, str], dict[str, str]]:
    table = read_table(data_folder() / "nucleon_form_factors.csv", required=("unit", "source"))
    return {(row["model"], row["function"]): row for row in table.rows}


def load_nucleon(nucleon: str, model: str = "kelly") -> NucleonFormFactors:
    """Form factors of the 'proton' or 'neutron' in one of `NUCLEON_FORM_FACTORS`.

    Raises
    ------
    InputError : unknown nucleon or model.
    """
    faults = []
    if nucleon not in ("proton", "neutron"):
        faults.append(unknown("nucleon", nucleon, ("proton", "neutron")))
    if model not in NUCLEON_FORM_FACTORS:
        faults.append(unknown("nucleon form factor", model, NUCLEON_FORM_FACTORS))
    if faults:
        raise InputError(faults)
    letter, mass = ("p", MASS_PROTON) if nucleon == "proton" else ("n", MASS_NEUTRON)
    moment = MU_PROTON if nucleon == "proton" else MU_NEUTRON

    def sachs(function: str, scale: float) -> FormFactor:
        row = _nucleon_table()[model, f"{function}{letter}"]
        x = [float(value) for value in row["parameters"].split()]
        if row["form"] == "dipole":
            return Dipole(scale, x[0])
        if row["form"] == "zero":
            return Dipole(0.0, 1.0)
        if row["form"] == "kelly":
            return KellyRatio(scale, x[0], (x[1], x[2], x[3]), mass)
        if row["form"] == "galster":
            return Galster(x[0], x[1], x[2], mass)
        return ZExpansion(scale, tuple(x[2:]), x[0], x[1])

    return NucleonFormFactors(sachs("G_E", 1.0), sachs("G_M", moment), mass)
