"""Run configs: packaged or user YAML, `--set` overrides, and the resolved form that is saved."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tridentjax.faults import InputError, unknown
from tridentjax.files import read_yaml
from tridentjax.schema.run import RunSpec
from tridentjax.schema.strict import validate


def config_folder() -> Path:
    """Folder of the packaged configs: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def config_names() -> tuple[str, ...]:
    """Names of the packaged configs."""
    return tuple(sorted(path.stem for path in config_folder().glob("*.yaml")))


def config_path(name: str | Path) -> Path:
    """Path of a config given by packaged name or file path.

    Raises
    ------
    InputError : neither exists, with the nearest packaged name.
    """
    packaged = config_folder() / f"{name}.yaml"
    if packaged.is_file():
        return packaged
    if Path(name).is_file():
        return Path(name)
    raise InputError([unknown("config", str(name), config_names()) + "; or give the path of a YAML file"])


def load_config(name: str | Path, overrides: tuple[str, ...] = ()) -> RunSpec:
    """Read and check a config, after applying `path.key=value` overrides.

    Raises
    ------
    InputError : every fault with its path, the value received and what is allowed.
    """
    path = config_path(name)
    content = read_yaml(path)
    faults = []
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            faults.append(f"--set {override!r}: expected path.key=value")
            continue
        *parents, last = key.split(".")
        node = content
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):
                faults.append(f"--set {override!r}: {parent!r} is a value, not a block")
                break
            node = child
        else:
            node[last] = _scalar(text)
    if faults:
        raise InputError(faults)
    return validate(RunSpec, content, path.name)


def _scalar(text: str) -> Any:
    """One YAML 1.2 value, as in a config file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return text


def resolved(spec: RunSpec) -> dict[str, Any]:
    """The config with every default filled in, as plain data."""
    return spec.model_dump(mode="json", exclude_none=True)


_BLOCKS = ("sampler", "contour", "fit", "scan", "calibration")  # each is read by one verb
_NO_PHYSICS = ("output", "title", "name", "hash", "provenance", "reference")


def physics_hash(content: dict[str, Any], block: str = "sampler") -> str:
    """Hash of everything that fixes the result of the verb that reads `block`, by default the posterior and its draws.

    Output settings do not count, nor do the blocks of other verbs.
    """
    return hashlib.sha256(json.dumps(_physics(content, block), sort_keys=True).encode()).hexdigest()[:16]


def require_same_run(folder: Path, settings: dict[str, Any], block: str, *, allow_changes: bool = False) -> None:
    """Refuse to resume a run of another configuration, naming what differs.

    Raises
    ------
    InputError : the folder has no run, or one whose physics differ (unless `allow_changes`).
    """
    stored = folder / "run.resolved.yaml"
    if not stored.is_file():
        raise InputError([f"nothing to resume in {str(folder)!r}: no run.resolved.yaml; start it with --force"])
    before, now = (_physics(content, block) for content in (read_yaml(stored), settings))
    changed = [f"{path}: was {old}, is {new}" for path, old, new in _differences(before, now)]
    if changed and not allow_changes:
        allowed = " or --allow-changes to go on all the same" if block == "scan" else ""
        remedy = f"use --force to start anew{allowed}"
        raise InputError([f"cannot resume {str(folder)!r}: the config changed ({'; '.join(changed)}); {remedy}"])


def _physics(content: dict[str, Any], block: str) -> dict[str, Any]:
    other = {*_BLOCKS, *_NO_PHYSICS} - {block}
    return {key: value for key, value in content.items() if key not in other}


def _differences(old: Any, new: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [d for key in keys for d in _differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))]
    return [] if old == new else [(path, old, new)]
