"""Judges items by the owner's policy before they are planned. Not at recovery: what was launched was judged then."""

from __future__ import annotations

from collections.abc import Callable

from launch_agent.core import admission, clusters
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import QueueItem
from launch_agent.core.spec import RunSpec
from launch_agent.errors import RefusedError
from launch_agent.runtime.queue_configs import QueueConfigs


class Judge:
    """The policy of the context, and the queues' own configs. Used on the intake's thread only."""

    def __init__(
        self,
        configs: QueueConfigs,
        find_context: Callable[[RunSpec], LaunchContext],
        outline: Callable[[], LaunchContext] | None = None,
    ) -> None:
        """``outline`` gives a context without a default namespace, for which no file that an item names is read."""
        self._configs = configs
        self._find_context = find_context
        self._outline = outline

    def check(self, item: QueueItem, spec: RunSpec, run_id: str) -> None:
        """Raise RefusedError for what the policy does not let pass, SpecError for what has no meaning.

        A queue whose config changed a moment ago has items that do not fit what is known of it: before one is refused,
        the config is read anew.
        """
        if self._outline is not None and clusters.key(spec.agent_args):
            self._check(item, spec, run_id, self._outline())
        self._check(item, spec, run_id, self._find_context(spec))

    def _check(self, item: QueueItem, spec: RunSpec, run_id: str, context: LaunchContext) -> None:
        config = self._configs.get(item.queue)
        try:
            admission.admit(spec, run_id, context, config)
        except RefusedError:
            newer = self._configs.get(item.queue, is_doubted=True)
            if newer == config:
                raise
            admission.admit(spec, run_id, context, newer)

    def rest(self) -> None:
        """Nothing waits: see to it that the next item need not wait for a config."""
        self._configs.keep_fresh()
