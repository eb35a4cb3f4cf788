"""NUTS runs: seeds, checkpoints, resumption, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ccfr_model import model, sampling, short_run
from scipy import stats

from tridentjax import InputError
from tridentjax.cache import save_arrays
from tridentjax.inference.posterior import _load_checkpoint, _save_checkpoint, sample_posterior

# --- the model -----------------------------------------------------------------------------------------------


# --- coordinates ---------------------------------------------------------------------------------------------


# --- diagnostics ---------------------------------------------------------------------------------------------


# --- reproducible and resumable sampling ---------------------------------------------------------------------


@pytest.mark.slow
def test_same_seed_same_draws():
    again = sample_posterior(model(), sampling())
    np.testing.assert_array_equal(again.z, short_run().z)
    np.testing.assert_array_equal(again.parameters["g"], short_run().parameters["g"])
    assert not np.array_equal(again.z[0], again.z[1])


@pytest.mark.slow
def test_draws_are_consistent():
    run = short_run("two")
    assert run.z.shape == (2, 100, 4) and run.statistics["diverging"].shape == (2, 100)
    for name, prior in model("two").priors.items():
        assert (run.parameters[name] >= prior.low).all() and (run.parameters[name] <= prior.high).all()
    np.testing.assert_allclose(run.parameters["coherent_normalisation"], np.exp(0.06 * run.z[:, :, 2]), rtol=1e-12)
    values = {name: jnp.asarray(x[1, 37]) for name, x in run.parameters.items()}
    np.testing.assert_allclose(run.rate_ratios["ccfr"][1, 37], model("two").rate_ratios(values)[0], rtol=1e-10)
    np.testing.assert_allclose(run.log_likelihood, stats.norm(run.rate_ratios["ccfr"], 0.28).logpdf(0.82), rtol=1e-10)
    assert not np.array_equal(run.z[0], run.z[1])


@pytest.mark.slow
@pytest.mark.parametrize(("nuisances", "blocks"), [("none", 1), ("two", 3)])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, nuisances, blocks):
    """Blocks 1 and 2 are warm-up, block 3 and 4 are draws."""
    checkpoint = tmp_path / "checkpoint.npz"
    seen = []

    def stop(progress):
        seen.append(progress)
        if len(seen) == blocks:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_posterior(model(nuisances), sampling(nuisances), checkpoint=checkpoint, identity="a", report=stop)
    assert seen[-1].warmup == (blocks < 3) and "warm-up" in str(seen[0])
    settings = sampling(nuisances)
    resumed = sample_posterior(model(nuisances), settings, checkpoint=checkpoint, resume=True, identity="a")
    whole = short_run(nuisances)
    np.testing.assert_array_equal(resumed.z, whole.z)
    for name, values in whole.parameters.items():
        np.testing.assert_array_equal(resumed.parameters[name], values)
    for name, values in whole.statistics.items():
        np.testing.assert_array_equal(resumed.statistics[name], values)


@pytest.fixture
def checkpoint(tmp_path):
    """A finished checkpoint of two chains with three parameters, and the state it holds."""
    state = {"z": jnp.arange(6.0).reshape(2, 3), "key": jnp.asarray([1, 2], dtype=jnp.uint32)}
    draws = tuple(np.random.default_rng(i).random((2, 50)) for i in range(7))
    _save_checkpoint(tmp_path / "checkpoint.npz", state, [draws], 3, "a")
    return tmp_path / "checkpoint.npz", state, draws


def test_checkpoint_round_trip(checkpoint):
    path, state, draws = checkpoint
    restored, history, blocks = _load_checkpoint(path, jax.tree.map(jnp.zeros_like, state), "a")
    assert blocks == 3 and restored["key"].dtype == jnp.uint32
    np.testing.assert_array_equal(restored["z"], state["z"])
    np.testing.assert_array_equal(history[0], draws)


@pytest.mark.parametrize("damage", ["half", "tail", "empty", "text", "npy", "other npz"])
def test_damaged_or_foreign_checkpoint_is_refused(checkpoint, damage):
    path, state, _ = checkpoint
    whole = path.read_bytes()
    if damage == "other npz":
        save_arrays(path, {"x": np.arange(3)})
    elif damage == "npy":
        with path.open("wb") as stream:
            np.save(stream, np.arange(5.0))
    else:
        cut = {"half": whole[: len(whole) // 2], "tail": whole[:-10], "empty": b"", "text": b"not an archive"}
        path.write_bytes(cut[damage])
    with pytest.raises(InputError, match=r"damaged or not one of ours .*start again with --force"):
        _load_checkpoint(path, state, "a")


def test_checkpoint_of_another_run_is_refused(checkpoint):
    path, state, _ = checkpoint
    with pytest.raises(InputError, match=r"another configuration .*hash a, now b"):
        _load_checkpoint(path, state, "b")
    with pytest.raises(InputError, match="another configuration"):
        _load_checkpoint(path, state | {"z": jnp.zeros((4, 3))}, "a")
    with pytest.raises(InputError, match=r"nothing to resume: no checkpoint .*leave out --resume"):
        _load_checkpoint(path.with_name("none.npz"), state, "a")


# --- against a grid ------------------------------------------------------------------------------------------
