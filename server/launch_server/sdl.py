"""Where the SDL of the API is found: inside an installed package, else in the repository."""

from importlib import resources
from pathlib import Path

from launch_server.errors import UsageError

NAME = "wandb-launch.graphql"


def read_sdl() -> str:
    """The text of `schema/wandb-launch.graphql`.

    A wheel carries it as `launch_server/schema/`; an editable install reads the repository's `schema/`.

    Raises:
        UsageError: it is in neither place.

    """
    packaged = resources.files("launch_server") / "schema" / NAME
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    checkout = Path(__file__).parents[2] / "schema" / NAME
    if checkout.is_file():
        return checkout.read_text(encoding="utf-8")
    raise UsageError(
        f"the API's schema {NAME} is neither in the installed package nor at {checkout}",
        "Install the package again, or keep the repository's schema folder beside it.",
    )
