"""`launch-server serve`."""

import argparse
import os
import signal
import socket
import sys
import time
from pathlib import Path

import uvicorn

from launch_server import auth
from launch_server.api.engine import Engine
from launch_server.errors import UsageError
from launch_server.faults.desk import Desk
from launch_server.faults.hosting import serve_with_faults
from launch_server.faults.reading import load_script
from launch_server.log import configure
from launch_server.settings import Settings
from launch_server.store import bootstrap
from launch_server.store.adapter import Database
from launch_server.web.app import make_app


def serve(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0 after an orderly end."""
    configure(options.log_level.upper())
    script = load_script(options.faults) if options.faults else None
    if options.control and script is None:
        raise UsageError("--control is of --faults, which is not given", "Give --faults '{}' to begin without rules.")
    host, port = parse_listen(options.listen)
    settings = Settings(
        lease_seconds=options.lease_seconds,
        run_timeout=options.run_timeout,
        sweep_every=options.sweep_seconds,
        public_url=options.public_url,
    )
    database = Database(options.database)
    bound = bind(host, port)
    control = listen_for_control(options.control)
    try:
        made = bootstrap.prepare(database, _admin(options), time.time())
        _tell_key(made, options.print_key_to)
        engine = Engine(database, settings)
        shown = f"[{host}]" if ":" in host else host
        print(
            f"launch-server listens on http://{shown}:{bound.getsockname()[1]} (database {database.path})", flush=True
        )
        if script is None:
            return _run(engine, bound)
        serve_with_faults(make_app(engine), Desk(script), bound, control)
        return 0
    finally:
        bound.close()
        if control is not None:
            control.close()
        database.close()


def _run(engine: Engine, bound: socket.socket) -> int:
    config = uvicorn.Config(
        make_app(engine),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
    )
    # uvicorn raises the signal that ended it once more when all is closed: that is an orderly end too
    signal.signal(signal.SIGTERM, _leave)
    try:
        uvicorn.Server(config).run(sockets=[bound])
    except KeyboardInterrupt:
        return 0
    return 0


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def bind(host: str, port: int, flag: str = "--listen") -> socket.socket:
    """A listening socket.

    Raises:
        UsageError: the address cannot be used.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches off Nagle's algorithm (40 ms a reply) only where the protocol is told
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as error:
        bound.close()
        raise UsageError(
            f"{flag} {host}:{port} cannot be used: {error.strerror or error}",
            "Choose another port, or stop what uses it.",
        ) from None
    return bound


def listen_for_control(where: str | None) -> socket.socket | None:
    """A socket for the control endpoint, whose address is printed; None where none is wanted.

    Raises:
        UsageError: the address is none, or cannot be used.

    """
    if where is None:
        return None
    host, port = parse_listen(where, "--control")
    bound = bind(host, port, "--control")
    shown = f"[{host}]" if ":" in host else host
    print(f"its faults are controlled at http://{shown}:{bound.getsockname()[1]}", flush=True)
    return bound


def _admin(options: argparse.Namespace) -> bootstrap.Admin:
    key = os.environ.get("LAUNCH_SERVER_ADMIN_KEY") or None
    if options.admin_key_file:
        try:
            key = Path(options.admin_key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--admin-key-file {options.admin_key_file} cannot be read: {error}") from None
    if key is not None:
        auth.check_key_form(key)
    return bootstrap.Admin(username=options.admin, entity=options.entity, key=key)


def _tell_key(key: str | None, path: str | None) -> None:
    if key is None:
        return
    if path is None:
        print(f"API key of the admin (shown this once): {key}", flush=True)
        return
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as sink:
            sink.write(key + "\n")
    except OSError as error:
        print(f"API key of the admin (shown this once): {key}", flush=True)
        print(f"launch-server: --print-key-to {path} could not be written: {error.strerror}", file=sys.stderr)


def parse_listen(text: str, flag: str = "--listen") -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPV6]:PORT` or `:PORT` (all addresses, IPv6 and IPv4).

    Raises:
        UsageError: it is none of them.

    """
    host, separator, port = text.rpartition(":")
    if not separator or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(f"{flag} {text!r} is not HOST:PORT", "For example 127.0.0.1:8080; port 0 takes a free one.")
    return host.strip("[]") or "::", int(port)
