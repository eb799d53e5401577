"""Marks a field that holds one of several dataclasses, so that its JSON says which."""

from typing import Any, get_args


class TaggedUnion:
    """Annotation of a union of dataclasses: each is stored as an object with the class name as ``type``."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return a schema that reads ``type`` without calling Python, for the sake of long threads."""
        from pydantic_core import core_schema  # loaded when something is stored

        stored: dict[Any, Any] = {}
        plain: dict[Any, Any] = {}
        for member in get_args(source):
            name = member.__name__
            plain[name] = handler.generate_schema(member)
            schema = handler.resolve_ref_schema(plain[name])
            arguments = schema["schema"]
            tag = core_schema.dataclass_field("type", core_schema.literal_schema([name]), init_only=True)
            arguments = {**arguments, "fields": [tag, *arguments["fields"]], "collect_init_only": True}
            stored[name] = {**schema, "schema": arguments, "ref": f"{schema['ref']}:tagged"}
        serialization = core_schema.wrap_serializer_function_ser_schema(
            _dump, schema=core_schema.tagged_union_schema(plain, discriminator=_type_name)
        )
        return core_schema.tagged_union_schema(stored, discriminator="type", serialization=serialization)


def _dump(value: Any, dump_fields: Any) -> dict[str, Any]:
    return {"type": _type_name(value), **dump_fields(value)}


def _type_name(value: Any) -> str:
    return type(value).__name__
