"""Run configs: packaged or user YAML, `--set` overrides, and the resolved form that is saved."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tridentjax.faults import InputError, unknown
from tridentjax.run_schema import RunSpec
from tridentjax.schema import validate
from tridentjax.tables import read_yaml


def config_folder() -> Path:
    """Folder of the packaged configs: inside the wheel, or beside the package in a checkout."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "configs"


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


def physics_hash(content: dict[str, Any], other: str = "contour") -> str:
    """Hash of everything that fixes the result of a verb, by default the posterior and its draws.

    Output settings do not count, nor does the block that only the `other` verb reads.
    """
    relevant = {key: value for key, value in content.items() if key not in ("output", "title", "name", other)}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:16]
