"""Programs that come from the system's packages."""

import subprocess

from localcluster.paths import CI, ToolError


def ensure_packages(*groups: str) -> None:
    """Run `ci/packages` for these groups of programs; raises ToolError when some are missing and can't be installed."""
    done = subprocess.run([str(CI / "packages"), *groups], check=False)
    if done.returncode != 0:
        raise ToolError(f"programs for {' and '.join(groups)} are missing (see above)")
