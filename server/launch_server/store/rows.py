"""Rows in general."""

from typing import Any

from sqlalchemy import Connection, Table, insert


def insert_row(connection: Connection, table: Table, values: dict[str, Any]) -> int:
    """Insert one row; returns its number.

    Raises:
        TypeError: the table has no number of its own.

    """
    key = connection.execute(insert(table), values).inserted_primary_key
    if key is None:
        raise TypeError(f"table {table.name} gives no number")
    return int(key[0])
