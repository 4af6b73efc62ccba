from localcluster.network import REGISTRY
from localcluster.namespaces import Namespaces
PAUSE = f"{REGISTRY}/pause:1"
def push_pause(namespaces: Namespaces) -> None: ...
