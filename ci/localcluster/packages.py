"""Programs that come from the system's packages."""

import os
import shutil

from localcluster.paths import ToolError


def require_programs(*names: str) -> None:
    """Raise ToolError when one of the programs is neither on PATH nor in the usual places."""
    places = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    if missing := [name for name in names if shutil.which(name, path=places) is None]:
        raise ToolError(f"missing programs: {', '.join(missing)}. On Debian run ci/packages as root")
