"""What a server is told when it starts."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_LISTEN = "127.0.0.1:8080"


def default_database() -> str:
    """The embedded database's address when none is given."""
    return f"sqlite:///{Path.home() / '.local/share/launch-agent/server.sqlite3'}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for."""

    aliases: int = 200
    document_characters: int = 400_000
    document_tokens: int = 60_000
    selections: int = 400
    depth: int = 20
    body_bytes: int = 32 * 2**20
    upload_bytes: int = 5 * 2**30


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server behaves. All times are seconds.

    `lease_seconds`: how long a popped item waits for its acknowledgement. `run_timeout`: a running run without a sign
    of life for so long has crashed. `sweep_every`: how often that is looked for when nobody asks. `public_url`: the
    address that files are offered under (None: the address that the client used).
    """

    lease_seconds: float = 60.0
    run_timeout: float = 300.0
    sweep_every: float = 5.0
    file_link_seconds: float = 3600.0
    public_url: str | None = None
    limits: Limits = Limits()
