"""The sentences that a refusal must hold, in what each Helm printed."""

import re
from pathlib import Path


def hear(output: str) -> str:
    """What Helm printed; lint prints our sentences as the quoted name of a template."""
    return output.replace('\\"', '"').replace("\\\\", "\\")


def find_unsaid(says: list[str], output: str, helm: Path, release: str, *, by_schema: bool) -> list[str]:
    """The sentences that were not said. Helm 3.18.0 has words of its own for the schema: the place must be named."""
    said = hear(output)
    wanted = [sentence.replace("{R}", release) for sentence in says]
    if helm.name == "helm318" and by_schema:
        places = [re.findall(r"at '/?([^']*)'", sentence)[0].replace("/", ".") or "(root)" for sentence in wanted]
        return [place for place in places if f"- {place}" not in said]
    return [sentence for sentence in wanted if hear(sentence) not in said]
