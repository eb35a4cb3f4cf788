"""Materials: natural elements and mixtures by mass, expanded into the nuclides of the packaged tables.

A mass fraction becomes a number of nuclei through atomic masses m (electrons included, as on a balance):
an element of mass fraction w with isotopes i of abundance a_i holds w a_i / sum_j a_j m_j moles of i a gram.
Hydrogen stays a nuclide of its own: one free proton, never Pauli-blocked, without a coherent part, and
not among the protons of any other nucleus, so it is counted once.
"""

import math
from collections.abc import Sequence
from functools import cache

import equinox as eqx

from tridentjax.constants import AVOGADRO
from tridentjax.faults import InputError, collect, unknown
from tridentjax.files import Table, data_folder, read_table
from tridentjax.nucleus.nuclei import FORM_FACTORS, Nucleus, load_nucleus, nucleus_names, nucleus_row

SMALLEST_COVERAGE = 98.0  # [percent of the natural atoms] that the listed isotopes of an element must reach
LARGEST_EXCESS = 0.005  # by which mass fractions may miss 1: rounding of a published composition, not more


class Material(eqx.Module):
    """Nuclei of a target and the fraction of all its nuclei that each is (sum 1).

    `source` says where the composition comes from and how far it was checked.
    """

    nuclei: tuple[Nucleus, ...]
    number_fractions: tuple[float, ...]
    name: str = eqx.field(static=True)
    source: str = eqx.field(static=True)

    def __check_init__(self) -> None:
        if len(self.nuclei) != len(self.number_fractions):
            raise ValueError(
                f"{self.name}: {len(self.nuclei)} nuclei and {len(self.number_fractions)} number fractions; "
                "give one fraction a nucleus"
            )

    @property
    def nuclei_per_gram(self) -> float:
        """Nuclei a gram [1/g], N_A / (mean atomic mass in u): nuclear plus electron mass, chemical binding neglected.

        A cross section per average nucleus, sum_i f_i sigma_i [cm^2], times this is in cm^2/g.
        """
        pairs = zip(self.nuclei, self.number_fractions, strict=True)
        return AVOGADRO / sum(fraction * atomic_mass(nucleus.name) for nucleus, fraction in pairs)


@cache
def _materials() -> Table:
    return read_table(data_folder() / "materials.csv", required=("unit", "source", "status"))


def material_names() -> tuple[str, ...]:
    """Names of the packaged materials, e.g. 'water'."""
    return tuple(dict.fromkeys(row["material"] for row in _materials().rows))


def material_rows(name: str) -> list[dict[str, str]]:
    """Components of a packaged material: mass fraction, source and status of each.

    Raises
    ------
    InputError : unknown material, with the nearest existing name.
    """
    rows = [row for row in _materials().rows if row["material"] == name]
    if not rows:
        raise InputError([unknown("material", name, material_names())])
    return rows


def atomic_mass(nuclide: str) -> float:
    """Mass of the neutral atom [u], AME2020."""
    return float(nucleus_row(nuclide)["atomic_mass"])


@cache
def _elements() -> dict[str, tuple[str, ...]]:
    """Nuclides of every element symbol, also of elements that are too incomplete to offer."""
    elements: dict[str, tuple[str, ...]] = {}
    for name in nucleus_names():
        symbol = name.rstrip("0123456789")
        elements[symbol] = (*elements.get(symbol, ()), name)
    return elements


def _coverage(symbol: str) -> float:
    """Percent of the natural atoms that the listed isotopes of an element make up."""
    return sum(float(nucleus_row(name)["abundance"]) for name in _elements()[symbol])


def element_names() -> tuple[str, ...]:
    """Symbols of the elements whose listed isotopes make up at least 98 % of the natural atoms."""
    return tuple(symbol for symbol in _elements() if _coverage(symbol) >= SMALLEST_COVERAGE)


def element_isotopes(symbol: str) -> dict[str, float]:
    """Natural isotopes of an element and the fraction of its atoms that each is (sum 1).

    The listed isotopes are renormalised; the rare ones missing from `nuclei.csv` are H2 (0.0145 % of the
    atoms), N15 (0.38 %), O17 and O18 (0.24 %), W180 (0.12 %) and Pb204 (1.4 %). The mean atomic mass is that
    of the listed isotopes, within 0.05 % of the standard atomic weight.

    Raises
    ------
    InputError : unknown element, or one of which less than 98 % is in the tables.
    """
    if symbol not in _elements():
        raise InputError([unknown("element", symbol, element_names())])
    isotopes, coverage = _elements()[symbol], _coverage(symbol)
    if coverage < SMALLEST_COVERAGE:
        raise InputError(
            [
                f"element {symbol!r} lacks isotopes: the tables hold {', '.join(isotopes)}, {coverage:.4g} % of its "
                f"natural atoms; allowed: {SMALLEST_COVERAGE:.0f} % or more; name the nuclide (e.g. {isotopes[0]}) "
                "or add the missing isotopes to data/nuclei.csv"
            ]
        )
    return {name: float(nucleus_row(name)["abundance"]) / coverage for name in isotopes}


def load_material(
    name_or_spec: str,
    form_factor: str = "default",
    parameters: dict[str, float] | None = None,
    p_fermi: float | None = None,
) -> Material:
    """Material from a packaged name, a natural element, a single nuclide or a composition by mass.

    Parameters
    ----------
    name_or_spec : 'steel', 'Fe', 'Ar40', or 'O:0.5333,Si:0.4667': mass fractions of elements or nuclides,
        which must sum to 1 within 0.005 and are then renormalised to 1 exactly.
    form_factor, parameters, p_fermi : nuclear model of every nucleus, see `load_nucleus`. Hydrogen in a
        compound is left alone (it has no form factor and p_fermi 0); pure hydrogen refuses them.

    Raises
    ------
    InputError : every fault at once: unknown names, elements with isotopes missing from the tables,
        bad or repeated mass fractions, nuclei that lack the requested form factor.
    """
    faults: list[str] = []
    composition, source = _composition(name_or_spec, faults)
    moles: dict[str, float] = {}  # of each nuclide, a gram
    for component, fraction in composition.items():
        isotopes = {component: 1.0} if component in nucleus_names() else {}
        if component in _elements():
            isotopes = collect(faults, element_isotopes, component) or {}
        elif not isotopes:
            faults.append(unknown("element or nuclide", component, (*element_names(), *nucleus_names())))
        mass = sum(share * atomic_mass(isotope) for isotope, share in isotopes.items())
        for isotope, share in isotopes.items():
            moles[isotope] = moles.get(isotope, 0.0) + fraction * share / mass
    if form_factor not in FORM_FACTORS:
        faults.append(unknown("form factor", form_factor, FORM_FACTORS))
    compound = not set(composition) <= {"H", "H1"}
    nuclei = []
    for name in moles:
        model = (name,) if name == "H1" and compound else (name, form_factor, parameters, p_fermi)
        nuclei.append(collect(faults, load_nucleus, *model))
    if faults:
        raise InputError(dict.fromkeys(faults))  # nuclei of one material repeat a fault of their common model
    return Material(tuple(nuclei), _normalised(moles), name_or_spec, source)


def mix(name: str, materials: Sequence[Material], mass_fractions: Sequence[float]) -> Material:
    """Mixture of materials by mass; a nuclide of several materials appears once, its fractions added.

    The mass fractions are taken relative to their sum.

    Raises
    ------
    InputError : a nuclide comes with two different nuclear models.
    """
    nuclei: dict[str, Nucleus] = {}
    numbers: dict[str, float] = {}
    faults = []
    for material, share in zip(materials, mass_fractions, strict=True):
        for nucleus, fraction in zip(material.nuclei, material.number_fractions, strict=True):
            if not eqx.tree_equal(nuclei.setdefault(nucleus.name, nucleus), nucleus):
                faults.append(
                    f"{nucleus.name} of {material.name} has another form factor or p_fermi than before in the same "
                    "target; allowed: one nuclear model a nuclide; give all entries that hold it the same"
                )
            numbers[nucleus.name] = numbers.get(nucleus.name, 0.0) + share * material.nuclei_per_gram * fraction
    if faults:
        raise InputError(faults)
    source = "; ".join(dict.fromkeys(material.source for material in materials))
    return Material(tuple(nuclei.values()), _normalised(numbers), name, source)


def _normalised(numbers: dict[str, float]) -> tuple[float, ...]:
    total = sum(numbers.values())
    return tuple(number / total for number in numbers.values())


def _composition(spec: str, faults: list[str]) -> tuple[dict[str, float], str]:
    """Mass fractions of elements or nuclides, and their source."""
    if ":" in spec or "," in spec:
        return _parse(spec, faults), "composition given by the user"
    if spec in _elements():
        return {spec: 1.0}, f"natural isotopes; {abs(round(100.0 - _coverage(spec), 4)):g} % of the atoms missing"
    if spec in nucleus_names():
        return {spec: 1.0}, "a single nuclide"
    if spec not in material_names():
        # listed are the names of the kind that was probably meant: the whole list would be cut short
        names = (*material_names(), *element_names(), *nucleus_names())
        digits = any(letter.isdigit() for letter in spec)
        allowed = [name for name in names if any(letter.isdigit() for letter in name) == digits]
        faults.append(
            unknown("material, element or nuclide", spec, allowed) + "; or give mass fractions 'O:0.5333,Si:0.4667'"
        )
        return {}, ""
    rows = material_rows(spec)
    text = ",".join(f"{row['component']}:{row['mass_fraction']}" for row in rows)
    return _parse(text, faults), "; ".join(dict.fromkeys(f"{row['source']} ({row['status']})" for row in rows))


def _parse(spec: str, faults: list[str]) -> dict[str, float]:
    """Mass fractions of 'NAME:FRACTION,...', each fault with the part it is in."""
    composition: dict[str, float] = {}
    before = len(faults)
    for part in spec.split(","):
        name, _, text = (piece.strip() for piece in part.partition(":"))
        try:
            fraction = float(text)
        except ValueError:
            fraction = math.nan
        if not (math.isfinite(fraction) and fraction > 0.0):
            faults.append(f"mass fraction of {name!r} = {text!r}; allowed: a positive number, NAME:FRACTION")
        if not name:
            continue
        if name in composition:
            faults.append(f"{name!r} is given twice in {spec!r}; add its mass fractions up")
        composition[name] = fraction
    total = sum(composition.values())
    if len(faults) == before and abs(total - 1.0) > LARGEST_EXCESS:
        faults.append(f"mass fractions of {spec!r} sum to {total:.4f}; allowed: 1 within {LARGEST_EXCESS}")
    return composition
