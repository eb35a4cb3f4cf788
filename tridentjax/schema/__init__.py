"""Shapes of all YAML files: what a user may write, checked by pydantic before JAX is asked for anything."""
