"""`launch-server proxy`."""

import argparse
import secrets
import socket
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from launch_server.cli.serve import bind, listen_for_control, parse_listen
from launch_server.errors import UsageError
from launch_server.faults.desk import Desk
from launch_server.faults.hosting import serve_with_faults
from launch_server.faults.reading import load_script
from launch_server.faults.upstream import Upstream, read_kubeconfig, read_url, write_kubeconfig
from launch_server.log import configure


@dataclass(frozen=True, slots=True)
class _Certificate:
    """The proxy's own: a PEM with its key, and the CA that made it."""

    pem: bytes
    ca: str


def proxy(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0 after an orderly end."""
    configure(options.log_level.upper())
    script = load_script(options.faults)
    host, port = parse_listen(options.listen)
    upstream = _find_upstream(options)
    bound = bind(host, port)
    control = listen_for_control(options.control)
    try:
        _serve(options, upstream, Desk(script), bound, control)
    finally:
        bound.close()
        if control is not None:
            control.close()
    return 0


def _serve(
    options: argparse.Namespace, upstream: Upstream, desk: Desk, bound: socket.socket, control: socket.socket | None
) -> None:
    try:
        from launch_server.faults.proxy import Proxy
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    host = parse_listen(options.listen)[0]
    shown = f"[{host}]" if ":" in host else host
    address = f"{shown}:{bound.getsockname()[1]}"
    if not options.write_kubeconfig:
        print(f"launch-server proxy listens on http://{address} for {upstream.url}", flush=True)
        serve_with_faults(Proxy(upstream), desk, bound, control)
        return
    token = secrets.token_hex(24)
    certificate = _make_certificate(options.advertise or host)
    told = f"{options.advertise or shown}:{bound.getsockname()[1]}"
    app = Proxy(upstream, token)
    write_kubeconfig(options.write_kubeconfig, f"https://{told}", certificate.ca, token, upstream.namespace)
    with tempfile.TemporaryDirectory(prefix="launch-server-") as folder:
        pem = Path(folder) / "proxy.pem"
        pem.touch(mode=0o600)
        pem.write_bytes(certificate.pem)
        print(f"launch-server proxy listens on https://{address} for {upstream.url}", flush=True)
        serve_with_faults(app, desk, bound, control, pem=str(pem))


def _find_upstream(options: argparse.Namespace) -> Upstream:
    if options.write_kubeconfig and not options.kubeconfig:
        raise UsageError("--write-kubeconfig needs --kubeconfig", "Name the kubeconfig that the server is taken from.")
    upstream = (
        read_kubeconfig(options.kubeconfig, options.context) if options.kubeconfig else read_url(options.upstream)
    )
    if not options.ca:
        return upstream
    try:
        return replace(upstream, ca=Path(options.ca).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--ca {options.ca} cannot be read: {error}") from None


def _make_certificate(host: str) -> _Certificate:
    """One for this start only; clients get its CA by the kubeconfig."""
    try:
        import trustme
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    authority = trustme.CA()
    own = authority.issue_cert(host if host != "::" else "localhost", "localhost", "127.0.0.1")
    return _Certificate(own.private_key_and_cert_chain_pem.bytes(), authority.cert_pem.bytes().decode())


def _missing(error: ModuleNotFoundError) -> UsageError:
    return UsageError(
        f"the proxy needs the package {error.name}, which is not installed",
        "Install the extra: pip install 'launch-agent[server,conformance]'.",
    )
