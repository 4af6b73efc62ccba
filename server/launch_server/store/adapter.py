"""The database behind one small interface; the only module that knows which kind of database it is.

SQLite: write-ahead log, every commit synced, one writer at a time. Its own busy wait sleeps in steps of many
milliseconds, so writers of this process queue at a lock first and take the write lock at once (BEGIN IMMEDIATE).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from launch_server.errors import UsageError

BUSY_SECONDS = 20.0
_WRITE = "launch_server_write"


class Database:
    """Read and write transactions on one database."""

    def __init__(self, url: str) -> None:
        """Open it; `url` is SQLAlchemy's (`sqlite:///relative`, `sqlite:////absolute`).

        Raises:
            UsageError: the address is malformed, or of a kind that is not supported.

        """
        self.path = self.path_of(url)
        self._engine = _open_sqlite(self.path)
        self._write_lock = threading.Lock()

    @staticmethod
    def path_of(url: str) -> Path:
        """The file that an address names.

        Raises:
            UsageError: the address is malformed, or of a kind that is not supported.

        """
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise UsageError(f"--database {url!r} is no database address", "Write sqlite:///PATH.") from None
        if parsed.get_backend_name() != "sqlite":
            raise UsageError(f"--database: {parsed.get_backend_name()} is not supported yet", "Write sqlite:///PATH.")
        if parsed.database in (None, "", ":memory:"):
            raise UsageError(f"--database {url!r} names no file", "Write sqlite:///PATH.")
        return Path(str(parsed.database)).expanduser().resolve()

    @property
    def files_folder(self) -> Path:
        """The folder beside the database where run files are kept."""
        return self.path.with_name(self.path.name + ".files")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment and changes nothing."""
        with self._engine.connect() as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or not at all when an exception passes."""
        with (
            self._write_lock,
            self._engine.connect().execution_options(**{_WRITE: True}) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _open_sqlite(path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"the folder of the database {path} cannot be made: {error.strerror}") from None
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=20,
        max_overflow=20,
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    try:
        with engine.connect():
            pass
    except DBAPIError as error:
        raise UsageError(f"the database {path} cannot be opened: {error.orig}") from None
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    kind = "IMMEDIATE" if connection.get_execution_options().get(_WRITE) else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {kind}")
