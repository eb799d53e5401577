"""The rules of strict mode (OpenAI's guide to structured outputs), to check a schema against."""

from typing import Any

Json = dict[str, Any]

REF = "#/$defs/"

TYPES = {None, "object", "array", "string", "number", "integer", "boolean", "null"}

ALLOWED = {
    "type", "description", "enum", "const", "anyOf", "$ref", "$defs", "pattern", "format", "properties",
    "required", "additionalProperties", "items", "minItems", "maxItems", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
}  # fmt: skip


def breaches(node: Any, root: Json, place: str = "root") -> list[str]:
    """Yield the places where a schema breaks a rule of strict mode."""
    if not isinstance(node, dict):
        return [f"{place} is no object"]
    found = [f"{place} has {keyword}" for keyword in sorted(node.keys() - ALLOWED)]
    if "$ref" in node and len(node) > 1:
        found.append(f"{place} has a $ref with neighbours")
    if "$ref" in node and node["$ref"].removeprefix(REF) not in root.get("$defs", {}):
        found.append(f"{place} refers to nothing")
    if not {"type", "anyOf", "$ref"} & node.keys():
        found.append(f"{place} has no type")
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type")]
    found += [f"{place} has the type {kind}" for kind in kinds if kind not in TYPES]
    children = {f"$defs {name}": child for name, child in node.get("$defs", {}).items()}
    if "object" in kinds:
        if node.get("additionalProperties") is not False:
            found.append(f"{place} is open")
        if node.get("required") != list(node.get("properties", ())):
            found.append(f"{place} does not require all")
        children |= node.get("properties", {})
    if "array" in kinds:
        children["items"] = node.get("items")
    children |= {f"anyOf {index}": child for index, child in enumerate(node.get("anyOf", []))}
    for name, child in children.items():
        found += breaches(child, root, f"{place}/{name}")
    return found
