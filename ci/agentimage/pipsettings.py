"""What pip needs to know about this machine's package index, handed to the build as secrets."""

import configparser
import os
from pathlib import Path

from agentimage.builders import Secret


def pip_configuration(folder: Path) -> list[Secret]:
    """Pip's index settings and certificates of this machine, as secrets for the build."""
    found = configparser.ConfigParser(interpolation=None)
    given = os.environ.get("PIP_CONFIG_FILE")
    home = Path.home()
    found.read([given] if given else ["/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf"])
    settings = {
        key: value
        for section in ("global", "install")
        if found.has_section(section)
        for key, value in found[section].items()
    }
    names = {"index-url": "PIP_INDEX_URL", "extra-index-url": "PIP_EXTRA_INDEX_URL", "trusted-host": "PIP_TRUSTED_HOST"}
    chosen = {key: os.environ.get(name) or settings.get(key) for key, name in names.items()}
    # A proxy's or a mirror's own authority; without a setting pip brings its own list.
    certificates = os.environ.get("PIP_CERT") or settings.get("cert") or ""
    path = folder / "pip.conf"
    path.write_text(
        "[global]\ntimeout = 30\n" + "".join(f"{key} = {value}\n" for key, value in chosen.items() if value),
        encoding="utf-8",
    )
    secrets = [Secret("pip", path)]
    return [*secrets, Secret("ca", Path(certificates))] if certificates and Path(certificates).is_file() else secrets
