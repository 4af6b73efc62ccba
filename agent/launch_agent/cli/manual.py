"""What ``launch-agent --help`` teaches."""

from __future__ import annotations

from launch_agent.cli import run

_HEAD = """\
launch-agent takes items from the queues of W&B Launch and runs them in your cluster or on this machine.

commands:
  launch-agent [run]      take items until told to stop (the default)
  launch-agent validate   judge a configuration file, or a values file of the chart; nothing is contacted
  launch-agent render     print the objects that an item would become; nothing is contacted
  launch-agent check      try for real what the configuration needs: W&B, Kubernetes, rights, sample Jobs
  launch-agent items      list the items in work, or show one with its run spec; nothing is changed
  launch-agent drain      take no more items, wait until those in work are over
  launch-agent version    print the version
  Each has --help of its own.

"""

_TAIL = """
examples:
  launch-agent -q gpu -q cpu --max-jobs 8
      poll two queues, keep at most 8 items in work
  launch-agent --config launch-config.yaml --log-format json
      everything from a file, the log for machines
  launch-agent validate --config launch-config.yaml
      say what is wrong in the file, and where
  launch-agent validate --values values.yaml
      the same for a values file of the Helm chart
  launch-agent render --config launch-config.yaml --item item.json
      see the Kubernetes objects before the first job
  launch-agent check --config launch-config.yaml
      see whether everything that it needs is there
  kubectl -n wandb exec deploy/launch-agent-RELEASE -- launch-agent items
      see what a release has in work

environment:
  WANDB_API_KEY   the key to sign in with (else: ~/.netrc)
  WANDB_BASE_URL  the address of W&B's API (default https://api.wandb.ai)
  WANDB_ENTITY    like --entity; flags win over the environment, the environment over the file
  docs/configuration.md lists all of them, and every key of the file.

exit codes:
  0    ended as told
  1    something unexpected (-vv shows the traceback)
  2    a flag, the configuration or a run spec is refused
  3    W&B refused: key, entity or queues
  4    Kubernetes refused, or can not be reached at start
  5    another agent took the Lease
  6    check, items, drain: the account lacks a right in Kubernetes
  7    check only: a sample Job is refused, or the Secret with the API key is not as jobs need it
  8    drain only: its --timeout is over and items are left
  130  interrupted
"""


def overview() -> str:
    """The whole text, with every flag of ``run``."""
    return _HEAD + run.parser().format_help() + _TAIL
