"""Array kinds shared by every module."""

from jaxtyping import Array, Float

Scalar = float | Float[Array, ""]  # a number: Python float or traced scalar
Energies = float | Float[Array, ""] | Float[Array, " point"]  # one for all points, or one each [GeV]
