"""64-bit floats: asked for, never switched on at import, because the switch is process-wide."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def enable_x64() -> None:
    """Switch JAX to 64-bit floats for this process. Call it before making any array."""
    jax.config.update("jax_enable_x64", True)


def require_float64(where: str) -> None:
    """Refuse single precision, in which the amplitude loses all digits.

    Raises
    ------
    RuntimeError : JAX runs with 32-bit floats.
    """
    if jnp.zeros(()).dtype != jnp.float64:
        raise RuntimeError(
            f"{where} needs 64-bit floats and JAX is set to 32-bit, where the amplitude loses all digits; "
            "call tridentjax.enable_x64() first or set JAX_ENABLE_X64=1"
        )


def as_float(x: Any) -> Float[Array, "*shape"]:
    """Array of floats in the precision that x has already; integers and plain numbers take the default one."""
    array = jnp.asarray(x)
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)
