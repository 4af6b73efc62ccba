"""The API in this process, on the database file."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from launch_server.api.engine import Engine, Request
from launch_server.cli.reply import data_of
from launch_server.errors import UsageError
from launch_server.settings import Settings
from launch_server.store import accounts
from launch_server.store.adapter import Database

Json = Any


class LocalClient:
    """The API in this process, as the database's admin."""

    def __init__(self, database_url: str) -> None:
        self._database = Database(database_url)
        try:
            self._engine = Engine(self._database, Settings())
            with self._database.read() as connection:
                self._user = accounts.first_admin(connection)
        except SQLAlchemyError as error:
            self._database.close()
            text = f"{self._database.path} is not a database of this server ({type(error).__name__})"
            raise UsageError(text, "Start `launch-server serve` on it once.") from None

    def execute(self, query: str, variables: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """The reply's `data`."""
        return data_of(self._engine.answer(self._user, Request(query, dict(variables or {}))))


def open_database(url: str) -> LocalClient:
    """A client of the database at an address.

    Raises:
        UsageError: there is none.

    """
    path = Database.path_of(url)
    if not path.is_file():
        raise UsageError(
            f"there is no database at {path} and no server was given",
            "Start `launch-server serve`, or set WANDB_BASE_URL and WANDB_API_KEY, or give --database.",
        )
    return LocalClient(url)
