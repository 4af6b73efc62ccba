"""Addresses of every cluster (each has a network of its own, so that all use the same) and its links."""

import socket

from localcluster.namespaces import Namespaces

NODE = "node0"
ADDRESS = "10.200.0.1"
POD_SUBNET = "10.201.0.0/16"
SERVICE_SUBNET = "10.202.0.0/16"
REGISTRY = "reg.local:5000"
CLUSTER_DOMAIN = "cluster.local"

# The `dummy` link type is missing in some kernels; a bridge without ports holds an address as well.
_SET_UP = f"""
set -e
ip link set lo up
ip link add node0 type bridge
ip addr add {ADDRESS}/24 dev node0
ip link set node0 up
ip route add default dev node0
sysctl -qw net.ipv4.ip_forward=1 || echo 1 > /proc/sys/net/ipv4/ip_forward
"""


def set_up_network(namespaces: Namespaces) -> None:
    """Give the namespace its loopback, the node's address and a default route."""
    namespaces.run("bash", "-c", _SET_UP)
    hosts = f"127.0.0.1 localhost {socket.gethostname()}\n::1 localhost\n{ADDRESS} {NODE} {REGISTRY.split(':')[0]}\n"
    (namespaces.state / "hosts").write_text(hosts, encoding="utf-8")
    (namespaces.state / "resolv.conf").write_text(f"nameserver {ADDRESS}\n", encoding="utf-8")
