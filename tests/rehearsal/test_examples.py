"""Requests made from schemas validate; patterns, bounds and references are kept to."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.rehearsal import examples
from auditor.rehearsal.examples import Field, Schema


def document(schema: dict[str, Any], path: str = "/predict", **components: Any) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {
        "paths": {
            "/health": {"get": {}},
            "/train": {"post": {}},
            path: {"post": {"requestBody": body}},
        },
        "components": {"schemas": components},
    }


def body_of(schema: dict[str, Any], **more: Any) -> Any:
    made = examples.from_openapi(document(schema, **more))
    assert made[0].path == "/predict" and made[0].declared
    return json.loads(made[0].body)


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "multipleOf": 4}, 4),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "string", "enum": ["b", "a"]}, "b"),
        ({"type": "string", "format": "date"}, "2024-01-02"),
        ({"type": "string", "minLength": 6}, "textte"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"type": ["null", "boolean"]}, True),
        ({"const": 3}, 3),
        ({"type": "number", "example": 7}, 7),
        ({"examples": [9]}, 9),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["text", "text"]),
        ({"prefixItems": [{"type": "integer"}, {"type": "string"}]}, [1, "text"]),
        ({"additionalProperties": {"type": "integer"}, "type": "object"}, {"key": 1}),
    ],
)
def test_one_value(schema: dict[str, Any], wanted: Any) -> None:
    assert body_of(schema) == wanted


def test_references_required_fields_and_all_of() -> None:
    item = {
        "type": "object",
        "required": ["age", "kind"],
        "properties": {
            "age": {"type": "integer", "minimum": 18},
            "kind": {"$ref": "#/components/schemas/Kind"},
            "note": {"type": "string"},
        },
    }
    schema = {
        "allOf": [
            {"$ref": "#/components/schemas/Item"},
            {"required": ["x"], "properties": {"x": {"type": "number"}}},
        ]
    }
    made = body_of(schema, Item=item, Kind={"enum": ["car"]})
    assert made == {"age": 18, "kind": "car", "x": 1.0}


def test_arrays_of_numbers_are_as_long_as_the_model_is_wide() -> None:
    schema = {
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
        },
    }
    lengths = [
        len(json.loads(r.body)["rows"][0])
        for r in examples.from_openapi(document(schema), features=(7,))
    ]
    assert lengths[:2] == [7, 1]


def test_a_recursive_schema_ends() -> None:
    node = {
        "type": "object",
        "required": ["next"],
        "properties": {"next": {"$ref": "#/components/schemas/Node"}},
    }
    assert body_of({"$ref": "#/components/schemas/Node"}, Node=node)


def test_a_file_is_sent_as_a_form_with_a_picture() -> None:
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
    made = document({})
    made["paths"]["/predict"]["post"]["requestBody"] = {
        "content": {"multipart/form-data": {"schema": schema}}
    }
    request = examples.from_openapi(made)[0]
    assert request.content_type.startswith("multipart/form-data; boundary=")
    assert b'name="file"; filename="example.png"' in request.body and examples.png() in request.body


def test_routes_that_change_things_are_never_asked() -> None:
    assert examples.from_openapi({"paths": {"/train": {"post": {}}, "/delete": {"post": {}}}}) == ()


@pytest.mark.parametrize("pattern", [r"^\d{3}-[A-Z]{2}$", r"^(cat|dog)s?$", r"^[a-f0-9]{8}$"])
def test_patterns(pattern: str) -> None:
    made = examples.from_pattern(pattern)
    assert made is not None and re.search(pattern, made)


simple = st.recursive(
    st.one_of(
        st.builds(
            lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size},
            st.integers(-1000, 1000),
            st.integers(0, 50),
        ),
        st.builds(
            lambda low, size: {"type": "number", "minimum": low, "exclusiveMaximum": low + size},
            st.integers(-1000, 1000),
            st.integers(1, 50),
        ),
        st.builds(
            lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
            st.integers(0, 40),
            st.integers(0, 9),
        ),
        st.just({"type": "boolean"}),
        st.builds(lambda items: {"enum": items}, st.lists(st.text(max_size=3), min_size=1)),
    ),
    lambda inner: st.one_of(
        st.builds(
            lambda items, low, more: {
                "type": "array",
                "items": items,
                "minItems": low,
                "maxItems": low + more,
            },
            inner,
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        st.builds(
            lambda fields: {"type": "object", "properties": fields, "required": sorted(fields)},
            st.dictionaries(st.sampled_from("abcde"), inner, max_size=3),
        ),
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner),
    ),
    max_leaves=8,
)


@given(simple, st.integers(1, 8))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_made_validates(schema: dict[str, Any], length: int) -> None:
    jsonschema.validate(Schema({}, length).example(schema), schema)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda c: (
            st.lists(c, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "paths",
                        "/predict",
                        "post",
                        "requestBody",
                        "content",
                        "application/json",
                        "schema",
                        "$ref",
                        "type",
                        "allOf",
                        "items",
                        "properties",
                        "parameters",
                        "name",
                        "in",
                        "pattern",
                    ]
                ),
                c,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_any_document_is_survived(found: Any) -> None:
    examples.from_openapi(found)
    examples.from_openapi(
        {
            "paths": {
                "/predict": {
                    "post": {"requestBody": {"content": {"application/json": {"schema": found}}}}
                }
            }
        }
    )


def test_code_says_the_keys() -> None:
    made = examples.from_code(
        "POST", "/predict", (Field(name="features", type="", source="json-key"),), (4,)
    )
    assert json.loads(made[0].body) == {"features": [[1.0, 1.0, 1.0, 1.0]]}
    assert {"features": [1.0] * 4} in [json.loads(r.body) for r in made]


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (
            "ValueError: X has 1 features, but LogisticRegression is expecting 4 features as input.",
            4,
        ),
        ("Got invalid dimensions for input: x\n index: 1 Got: 1 Expected: 13", 13),
        ("all is well", None),
    ],
)
def test_the_width_is_learnt_from_the_error(message: str, wanted: int | None) -> None:
    assert examples.wanted_features(message) == wanted
