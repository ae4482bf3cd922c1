"""Speaks mDNS with python zeroconf. Argument: 4 or 6, the one version of IP to use. See speaker.py."""

import sys

import ifaddr
from speaker import Seen, obey, tell
from zeroconf import InterfaceChoice, IPVersion, ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

# Milliseconds for all that belongs to a service that was seen.
RESOLVE_WITHIN = 10_000


def own_addresses(version):
    """The addresses of this network namespace, without loopback's."""
    ips = (ip for adapter in ifaddr.get_adapters() if adapter.name != "lo" for ip in adapter.ips)
    if version is IPVersion.V4Only:
        return [ip.ip for ip in ips if ip.is_IPv4]
    return [ip.ip[0] for ip in ips if ip.is_IPv6]


class Listener(ServiceListener):
    def __init__(self):
        self._seen = Seen()

    def add_service(self, zeroconf, kind, full_name):
        info = zeroconf.get_service_info(kind, full_name, timeout=RESOLVE_WITHIN)
        if info is None:
            tell("unresolved", name=full_name)
            return
        text = lambda octets: None if octets is None else octets.decode()
        self._seen.found(
            full_name,
            kind=kind.removesuffix(".local."),
            name=full_name.removesuffix("." + kind),
            host=info.server.removesuffix("."),
            port=info.port,
            addresses=sorted(info.parsed_addresses()),
            txt={text(key): text(value) for key, value in info.properties.items()},
        )

    update_service = add_service

    def remove_service(self, zeroconf, kind, full_name):
        self._seen.lost(full_name)


class Speaker:
    def __init__(self, version):
        self._version = version
        self._zeroconf = Zeroconf(interfaces=InterfaceChoice.All, ip_version=version)
        self._infos = {}
        self._listener = Listener()

    def browse(self, kind):
        ServiceBrowser(self._zeroconf, kind + ".local.", self._listener)

    def publish(self, kind, subtypes, name, port, txt):
        if subtypes:
            raise ValueError("zeroconf publishes no subtypes")
        info = self._info(kind, name, port, txt)
        self._zeroconf.register_service(info, allow_name_change=True)
        name = info.name.removesuffix("." + info.type)
        self._infos[kind, name] = info
        return name

    def txt(self, kind, name, txt):
        port = self._infos[kind, name].port
        self._infos[kind, name] = self._info(kind, name, port, txt)
        self._zeroconf.update_service(self._infos[kind, name])

    def withdraw(self, kind, name):
        self._zeroconf.unregister_service(self._infos.pop((kind, name)))

    def close(self):
        self._zeroconf.close()

    def _info(self, kind, name, port, txt):
        kind += ".local."
        addresses = own_addresses(self._version)
        return ServiceInfo(
            kind, f"{name}.{kind}", port, properties=txt, server="zeroconf.local.", parsed_addresses=addresses
        )


speaker = Speaker(IPVersion.V6Only if sys.argv[1] == "6" else IPVersion.V4Only)
tell("ready")
for line in sys.stdin:
    obey(speaker, line)
speaker.close()
