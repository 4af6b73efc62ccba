"""Run once inside the image, at the end of its build: name the user, compile what the agent imports, remove tools."""

import importlib
import pkgutil
import py_compile
import shutil
import sys
import sysconfig
from pathlib import Path

LIBRARY = Path("/opt/launch-agent/lib")
# Tools that install or compile; an image that runs read-only has no use for them.
TOOLS = (
    "pip",
    "setuptools",
    "wheel",
    "pkg_resources",
    "_distutils_hack",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "turtledemo",
)
# Imported lazily by the agent or its libraries.
LATE = ("encodings.idna", "http.server", "importlib.metadata", "multiprocessing", "zoneinfo")


def add_user() -> None:
    """Add user and group 1000; a bare base has no such files yet, and no program that writes them."""
    for path, line in (
        (Path("/etc/passwd"), "launch_agent:x:1000:1000::/home/launch_agent:/usr/sbin/nologin\n"),
        (Path("/etc/group"), "launch_agent:x:1000:\n"),
    ):
        with path.open("a", encoding="utf-8") as handle:
            handle.write(line)


def import_agent() -> None:
    """Import every module of the agent whose dependencies are here (`kubernetes` is not)."""
    sys.path.insert(0, str(LIBRARY))
    names = [module.name for module in pkgutil.walk_packages([str(LIBRARY / "launch_agent")], "launch_agent.")]
    for name in [*names, *LATE]:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"not compiled ahead: {name}: {error}")


def compile_imported() -> int:
    """Write byte code for the standard library's modules in use; their number. Their sources never change again."""
    places = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    files = {Path(place) for place in places if place and place.endswith(".py")}
    standard = [file for file in files if LIBRARY not in file.parents and file != Path(__file__)]
    for file in standard:
        py_compile.compile(str(file), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return len(standard)


def remove_tools() -> None:
    """Remove pip and its kind from wherever this Python looks for them."""
    paths = sysconfig.get_paths()
    places = {Path(paths[key]) for key in ("stdlib", "purelib", "platlib")} | {Path("/usr/lib/python3/dist-packages")}
    for place in places:
        for tool in TOOLS:
            for found in [place / tool, place / f"{tool}.py", *place.glob(f"{tool}-*")]:
                if found.is_dir():
                    shutil.rmtree(found)
                else:
                    found.unlink(missing_ok=True)
    for scripts in {Path(paths["scripts"]), Path("/usr/bin"), Path("/usr/local/bin")}:
        for script in [*scripts.glob("pip*"), *scripts.glob("wheel*"), *scripts.glob("idle*")]:
            script.unlink()


def main() -> None:
    """Say what was done; any other failure fails the build."""
    sys.dont_write_bytecode = True
    add_user()
    import_agent()
    print(f"compiled {compile_imported()} modules of the standard library")
    remove_tools()


if __name__ == "__main__":
    main()
