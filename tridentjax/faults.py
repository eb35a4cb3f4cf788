"""Bad input, reported whole: every fault with its place, the value received, and what is allowed."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any


class InputError(ValueError):
    """One or more faults of a user's input; the message lists all of them, one a line."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def unknown(kind: str, value: object, allowed: Iterable[str], place: str = "") -> str:
    """Sentence for a name that does not exist, with the nearest existing one."""
    names = sorted(allowed)
    same = [name for name in names if name.lower() == str(value).lower()]
    near = same or get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    where = f" in {place}" if place else ""
    listing = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
    return f"unknown {kind} {value!r}{where}; {hint}Allowed: {listing}"


def require(purpose: str, *packages: str, remedy: str) -> None:
    """Import what the end of a job needs before its start, so that nothing is computed in vain.

    Raises
    ------
    InputError : packages that are missing or cannot be loaded, with the remedy; all at once.
    """
    faults = []
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            faults.append(f"{purpose} needs {package} ({error}); {remedy}")
    if faults:
        raise InputError(faults)


def collect(faults: list[str], function: Any, *arguments: Any, prefix: str = "", **keywords: Any) -> Any:
    """Result of a call whose faults are collected, each after `prefix`, instead of raised; None where there are any."""
    try:
        return function(*arguments, **keywords)
    except InputError as error:
        faults += [prefix + fault for fault in error.faults]
        return None
