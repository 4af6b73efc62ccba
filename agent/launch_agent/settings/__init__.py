"""Settings: the configuration file, the environment and the flags, read once into one frozen value.

What belongs here: reading the file with positions, judging it by ``schema/launch-config.schema.json`` and by the rules
that a schema can not say, and merging (file < environment < flags). What does not: W&B, Kubernetes, the clock.

    document    bytes of a YAML file → values and where each stands
    schema      values against the JSON Schema → findings
    wording     findings → problems in words
    rules       what a schema can not say: placeholders, addresses of images, W&B's leniencies
    variables   the environment
    credentials the API key
    loading     all of it together
"""

from launch_agent.settings.credentials import Secret
from launch_agent.settings.loading import Need, load
from launch_agent.settings.model import Flags, Kaniko, Settings
from launch_agent.settings.problems import ConfigProblems, Problem

__all__ = ["ConfigProblems", "Flags", "Kaniko", "Need", "Problem", "Secret", "Settings", "load"]
