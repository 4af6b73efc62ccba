"""``check``: does the owner's policy let an item be launched? Judged once, before it is planned.

What came is judged, not what is made of it: the agent's own additions need no leave. Texts are judged with their macros
filled in; whose they are was found before that (`core/hands.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core import clusters, finders, joints, patterns, places, protection, shapes, uses, verdicts
from launch_agent.core.budget import check_caps
from launch_agent.core.entries import Entry, walk
from launch_agent.core.hands import Hand, Hands
from launch_agent.core.kinds import Kind, Kinds
from launch_agent.core.models import MANIFEST_PATH, Resource
from launch_agent.core.places import Path
from launch_agent.core.policy import Policy, Profile, Protected, Subject
from launch_agent.core.profiles import CLUSTER, CONTROLS, UNKNOWN_KIND, Control
from launch_agent.core.spec import RunSpec
from launch_agent.core.uses import Use
from launch_agent.errors import RefusedError

Controls = tuple[Control, ...]
HandOf = Callable[[Path], Hand]
SEVERE: Controls = tuple(control for control in CONTROLS if control.allowed_by is Profile.UNRESTRICTED)
OTHERS: Controls = tuple(control for control in CONTROLS if control not in SEVERE)


def check(
    spec: RunSpec,
    hands: Hands,
    policy: Policy,
    protected: Protected,
    kinds: Kinds,
    *,
    default_namespace: str = "default",
) -> None:
    """Raise RefusedError (SpecError where a value has no meaning) for an item that the policy does not let pass.

    ``spec`` has its macros filled in. ``default_namespace`` is where an item goes that names none.
    """
    if spec.resource is not Resource.KUBERNETES:
        return
    body = spec.resource_args
    kind = kinds.find(str(body.get("apiVersion") or "batch/v1"), str(body.get("kind") or "Job"), body)
    namespace = _find_namespace(spec, default_namespace)
    judge = _Judge(body, MANIFEST_PATH, hands, policy, protected, namespace, kind)
    judge.check_item(spec)
    judge.check_body()
    judges = [judge]
    for index, service in enumerate(spec.additional_services):
        config = service.get("config") or {}
        path = f"additional_services[{index}].config"
        kind = kinds.find(str(config.get("apiVersion") or "v1"), str(config.get("kind") or ""), config)
        judges.append(_Judge(config, path, Hands(), policy, protected, namespace, kind))
        judges[-1].check_service()
        judges[-1].check_body()
    check_caps([(one.body, one.base, one.hands, one.kind) for one in judges], policy)


def _find_namespace(spec: RunSpec, default: str) -> str:
    """Where the item's objects go: as it is planned."""
    metadata = spec.resource_args.get("metadata") or {}
    return str(metadata.get("namespace") or spec.agent_args.get("namespace") or default)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges one object. ``base`` is what its paths begin with, ``namespace`` where it goes."""

    body: Mapping[str, Any]
    base: str
    hands: Hands
    policy: Policy
    protected: Protected
    namespace: str
    kind: Kind

    # ── what is not in the object ──

    def check_item(self, spec: RunSpec) -> None:
        """The item around its object: kind, image, namespace, cluster."""
        if not self.kind.is_known:
            self._check_control(UNKNOWN_KIND, ("kind",), self._worse(("apiVersion",), ("kind",)))
        if spec.image:
            path = "docker.docker_image" if (spec.raw.get("docker") or {}).get("docker_image") else "image_uri"
            self._check_image(spec.image, path, Hand.SUBMITTER)
        has_namespace = (self.body.get("metadata") or {}).get("namespace") or spec.agent_args.get("namespace")
        if not has_namespace and self.namespace:  # the submitter may have taken the queue's away
            use = Use(Subject.NAMESPACES, self.namespace, ("metadata", "namespace"))
            self._check_use(use, Hand.SUBMITTER)
        elif spec.agent_args.get("namespace"):
            use = Use(Subject.NAMESPACES, str(spec.agent_args["namespace"]), ("namespace",))
            self._check_use(use, self.hands.of(("namespace",)))
        if cluster := clusters.key(spec.agent_args):
            paths = [(key,) for key in ("configFile", "context") if spec.agent_args.get(key)]
            self._check_use(Use(Subject.CLUSTERS, cluster, paths[0]), self._worse(*paths), CLUSTER)

    def check_service(self) -> None:
        """An additional service: its kind."""
        self._check_use(Use(Subject.ADDITIONAL_SERVICES, self.kind.kind, ("kind",)), Hand.SUBMITTER)

    def _worse(self, *paths: Path) -> Hand:
        return next((Hand.SUBMITTER for path in paths if self.hands.of(path) is Hand.SUBMITTER), Hand.QUEUE)

    # ── the object ──

    def check_body(self) -> None:
        """Each member of the object, and what its parts are to each other; what fewer profiles allow comes first."""
        entries = [entry for entry in walk(self.body) if not self._is_left_out(entry)]
        telling = [entry for entry in entries if finders.may_matter(entry)]
        for entry in telling:
            self._check_controls(entry, SEVERE, self.hands.of)
        for entry in entries:
            self._check_uses(entry, self.hands.of)
        for entry in telling:
            self._check_controls(entry, OTHERS, self.hands.of)
        self._check_joints(entries)

    def _check_joints(self, entries: list[Entry]) -> None:
        for joint in joints.find(entries, self.hands):
            through = f"{self._show(joint.by)} ({joint.how})"
            for member in walk(joint.part, joint.path):
                self._check_controls(member, CONTROLS, lambda _: Hand.SUBMITTER, through)
                self._check_uses(member, lambda _: Hand.SUBMITTER, through)
        if stolen := joints.find_stolen_container(entries, self.hands):
            raise RefusedError(
                f"{self._show(stolen)} is not allowed: it puts the item into a container of the queue's.",
                detail="The submitter wrote it, and the container that it names is in the queue's config.",
                resolution="Leave it out: the queue's config says which container is the job's.",
            )

    def _is_left_out(self, entry: Entry) -> bool:
        """Where W&B's documentation has it, a Job has no such field: it is left out, with a warning."""
        misplaced: Path = ("spec", "template", "securityContext")
        return self.kind.is_job and entry.path[:3] == misplaced

    def _check_controls(self, entry: Entry, controls: Controls, hand_of: HandOf, through: str = "") -> None:
        is_word = entry.holder in uses.FREE_MAPS
        if entry.key in finders.BOOLEANS and not is_word and not isinstance(entry.value, bool):
            raise shapes.mismatch(self._show(entry.path), "true or false", entry.value)
        for control in controls:
            if is_word and isinstance(entry.value, str) and not control.reads_words:
                continue
            for below in control.find(entry):
                path = (*entry.path, *below)
                if control.subject is None:
                    self._check_control(control, path, hand_of(path), through)
                else:
                    self._check_opened(control, path, list(uses.find(entry)), hand_of, through)

    def _check_uses(self, entry: Entry, hand_of: HandOf, through: str = "") -> None:
        for use in uses.find(entry):
            if fault := protection.find(use, self.protected, self.namespace, self.policy):
                raise fault.refuse(self._show(fault.path))
            if use.subject is Subject.IMAGES:
                self._check_image(use.value, self._show(use.path), hand_of(use.path))
            else:
                self._check_use(use, hand_of(use.path), through=through)
        if fault := protection.find_default_account(entry, self.protected, self.namespace):
            raise fault.refuse(self._show(fault.path))

    def _check_opened(self, control: Control, path: Path, found: list[Use], hand_of: HandOf, through: str) -> None:
        """A field that the profile refuses unless an ``allow`` list names what it holds."""
        named = [use for use in found if use.subject is control.subject]
        for use in named or [Use(control.subject or Subject.VOLUME_TYPES, control.name, path)]:
            self._check_use(use, hand_of(use.path), control, through=through)

    def _check_control(self, control: Control, path: Path, hand: Hand, through: str = "") -> None:
        if self.policy.of(hand).profile in control.refused_by:
            raise verdicts.refuse_field(
                self._show(path),
                control,
                hand,
                self.policy,
                through=through,
                is_queue_known=not self.hands.everything or self.base != MANIFEST_PATH,
            )

    def _check_use(self, use: Use, hand: Hand, control: Control | None = None, *, through: str = "") -> None:
        """The lists for the subject; where none decides and a control refuses the field, the profile."""
        setting, passes = verdicts.find_list(self.policy, hand, use.subject, use.value)
        if passes is False:
            raise verdicts.refuse_listed(self._show(use.path), use.subject, use.value, setting, through=through)
        if passes is None and control is not None:
            self._check_control(control, use.path, hand, through)

    def _check_image(self, image: str, path: str, hand: Hand) -> None:
        setting, passes = verdicts.find_list(self.policy, hand, Subject.IMAGES, image)
        if passes is False:
            raise verdicts.refuse_listed(path, Subject.IMAGES, image, setting)
        for name, rules in ((f"policy.{hand}", self.policy.of(hand)), ("policy", self.policy.both)):
            if rules.require_digest and not patterns.has_digest(image):
                raise RefusedError(
                    f"{path} is not allowed: the image {verdicts.show(image)} is not named by a digest.",
                    detail=f"The rule is {name}.images.requireDigest in launch-config.yaml; no profile changes it.",
                    resolution="Write it as <repository>@sha256:<digest>.",
                )

    def _show(self, path: Path) -> str:
        text = places.text(path)
        return f"{self.base}.{text}" if text else self.base
