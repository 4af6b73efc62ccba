"""Template variables of a queue's config: `{{name}}` filled at push time (protocol section 4). Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

import jsonschema
import referencing
import referencing.exceptions

from launch_server.errors import RequestError

Json = Any
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][\w-]*)\s*\}\}")


def parse_variables(text: str | None) -> dict[str, dict[str, Json]]:
    """The schemas of a queue's variables by name, from what clients send.

    Accepted: `{name: {"schema": {…}}}` as the SDK documents it, and `{name: {…}}`, the schema alone.

    Raises:
        RequestError: not that shape.

    """
    if not text:
        return {}
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"templateVariables is not valid JSON: {error}") from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise RequestError("templateVariables must be an object of schemas by variable name")
    return {name: _schema(name, value) for name, value in raw.items()}


def _schema(name: str, value: Json) -> dict[str, Json]:
    inner = value.get("schema", value) if isinstance(value, dict) else value
    if isinstance(inner, str):
        try:
            inner = json.loads(inner)
        except ValueError as error:
            raise RequestError(f"the schema of template variable {name!r} is not valid JSON: {error}") from None
    if not isinstance(inner, dict):
        raise RequestError(f"the schema of template variable {name!r} must be an object")
    return inner


def fill(config: Json, schemas: Mapping[str, Mapping[str, Json]], values: Mapping[str, Json]) -> Json:
    """The config with each declared `{{name}}` replaced; a string of one placeholder alone takes the value's own type.

    Raises:
        RequestError: a value is unknown, missing without default, or outside its schema.

    """
    unknown = sorted(set(values) - set(schemas))
    if unknown:
        known = ", ".join(sorted(schemas)) or "none"
        raise RequestError(f"unknown template variable {unknown[0]!r}; the queue's variables are: {known}")
    complete = {name: _value(name, schema, values) for name, schema in schemas.items()}
    return _substitute(config, complete)


def _value(name: str, schema: Mapping[str, Json], values: Mapping[str, Json]) -> Json:
    if name in values:
        value = values[name]
    elif "default" in schema:
        value = schema["default"]
    else:
        raise RequestError(f"template variable {name!r} has no value and no default", f"Push with --set-var {name}=…")
    try:
        # an empty registry: a schema that refers to another address must not make the server fetch it
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema, registry=referencing.Registry()).validate(value)
    except jsonschema.ValidationError as error:
        raise RequestError(f"template variable {name!r}: {error.message}") from None
    except referencing.exceptions.Unresolvable as error:
        raise RequestError(
            f"the schema of template variable {name!r} refers to {error.ref!r}, which is not in it"
        ) from None
    except jsonschema.SchemaError as error:
        raise RequestError(f"the queue's schema of template variable {name!r} is not valid: {error.message}") from None
    return value


def _substitute(node: Json, values: Mapping[str, Json]) -> Json:
    if isinstance(node, dict):
        return {key: _substitute(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_substitute(value, values) for value in node]
    if not isinstance(node, str):
        return node
    whole = _PLACEHOLDER.fullmatch(node.strip())
    if whole and whole[1] in values:
        return values[whole[1]]
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), node)
