"""The shape of a database, and what differs between two shapes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, inspect, text

_OWN = frozenset({"alembic_version"})
_SQLITE_OBJECTS = "SELECT type || ' ' || name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
_POSTGRES_OBJECTS = """
SELECT 'trigger ' || t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'view ' || viewname, definition FROM pg_views WHERE schemaname = current_schema()
"""


@dataclass(slots=True)
class Shape:
    """Tables with their columns, keys and indexes, each as readable text; triggers and views by name."""

    tables: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    objects: dict[str, str] = field(default_factory=dict[str, str])


def shape_of(connection: Connection) -> Shape:
    """Read the shape of the current schema."""
    inspector = inspect(connection)
    shape = Shape()
    for table in inspector.get_table_names():
        if table in _OWN:
            continue
        parts: dict[str, str] = {}
        for column in inspector.get_columns(table):
            null = "" if column["nullable"] else " not null"
            default = f" default {column['default']}" if column["default"] is not None else ""
            parts[f"column {column['name']}"] = f"{column['type']}{null}{default}".lower()
        primary = inspector.get_pk_constraint(table)["constrained_columns"]
        if primary:
            parts["primary key"] = ", ".join(primary)
        for unique in inspector.get_unique_constraints(table):
            parts[f"unique ({_names(unique['column_names'])})"] = "there"
        for key in inspector.get_foreign_keys(table):
            columns = _names(key["constrained_columns"])
            parts[f"foreign key ({columns})"] = f"{key['referred_table']} ({_names(key['referred_columns'])})"
        for index in inspector.get_indexes(table):
            unique_word = "unique " if index["unique"] else ""
            parts[f"index {index['name']}"] = f"{unique_word}({_names(index['column_names'])})"
        shape.tables[table] = parts
    query = _SQLITE_OBJECTS if connection.dialect.name == "sqlite" else _POSTGRES_OBJECTS
    for name, definition in connection.execute(text(query)).all():
        shape.objects[str(name)] = " ".join(str(definition).split())
    return shape


def differences(expected: Shape, found: Shape, prefixes: Sequence[str]) -> list[str]:
    """One line a difference, sorted; tables that belong to no branch are nobody's business here."""
    lines: list[str] = []
    for table in expected.tables.keys() - found.tables.keys():
        lines.append(f"table {table} is missing")
    for table in found.tables.keys() - expected.tables.keys():
        if any(table.startswith(f"{prefix}_") for prefix in prefixes):
            lines.append(f"table {table} is not expected")
    for table in expected.tables.keys() & found.tables.keys():
        lines += _differences(expected.tables[table], found.tables[table], f"table {table}: ")
    lines += _differences(expected.objects, found.objects, "")
    return sorted(lines)


def _differences(expected: dict[str, str], found: dict[str, str], where: str) -> list[str]:
    lines = [f"{where}{name} is missing" for name in expected.keys() - found.keys()]
    lines += [f"{where}{name} is not expected" for name in found.keys() - expected.keys()]
    lines += [
        f"{where}{name} is {found[name]}, expected {expected[name]}"
        for name in expected.keys() & found.keys()
        if expected[name] != found[name]
    ]
    return lines


def _names(names: Iterable[str | None]) -> str:
    return ", ".join(name or "expression" for name in names)
