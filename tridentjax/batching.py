"""Evaluate a function on many points: chunked so that memory stays bounded, sharded over local devices."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec


def map_points(function: Callable[[Any], Any], points: Any, batch_size: int) -> Any:
    """Apply `function` to every row of a pytree of arrays with a common leading axis.

    Rows are evaluated `batch_size` at a time (one `vmap` each), and split evenly over all local devices;
    the last row is repeated to fill up and dropped again. Each call compiles anew: call it once with
    everything, or inside your own `jit` on one device.
    """
    count = jax.tree.leaves(points)[0].shape[0]
    devices = jax.local_device_count()

    def chunked(rows: Any) -> Any:
        return jax.lax.map(function, rows, batch_size=batch_size)

    if devices == 1 or count < devices * batch_size:
        return jax.jit(chunked)(points)
    missing = -count % devices
    padded = jax.tree.map(lambda x: jnp.concatenate([x, jnp.repeat(x[-1:], missing, axis=0)]), points)
    mesh = jax.make_mesh((devices,), ("points",), axis_types=(AxisType.Auto,))
    split = PartitionSpec("points")
    sharded = jax.shard_map(chunked, mesh=mesh, in_specs=split, out_specs=split, check_vma=False)
    result = jax.jit(sharded)(padded)
    return jax.tree.map(lambda x: jax.device_put(x[:count], jax.local_devices()[0]), result)
