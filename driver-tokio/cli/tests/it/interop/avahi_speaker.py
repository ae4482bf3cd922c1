"""Speaks mDNS through avahi-daemon, over D-Bus. See speaker.py."""

import collections
import selectors
import sys

from jeepney import DBusAddress, HeaderFields, MatchRule, new_method_call
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg
from speaker import Seen, obey, tell

BUS = "org.freedesktop.Avahi"
# Any interface, any version of IP, no flags: AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC.
ANY = (-1, -1)
NO_FLAGS = 0


def strings(txt):
    return [(key if value is None else f"{key}={value}").encode() for key, value in txt.items()]


def pairs(strings):
    split = (bytes(octets).decode().partition("=") for octets in strings)
    return {key: value if equals else None for key, equals, value in split if key}


class Speaker:
    def __init__(self):
        self._bus = open_dbus_connection("SYSTEM")
        self._signals = collections.deque()
        self._bus.filter(MatchRule(type="signal"), queue=self._signals)
        self._published = {}
        self._resolvers = {}
        self._seen = Seen()

    def browse(self, kind):
        self._server("ServiceBrowserNew", "iissu", (*ANY, kind, "local", NO_FLAGS))

    def publish(self, kind, subtypes, name, port, txt):
        group = self._server("EntryGroupNew")
        service = (*ANY, NO_FLAGS, name, kind, "local", "", port, strings(txt))
        self._group(group, "AddService", "iiussssqaay", service)
        for subtype in subtypes:
            subtype = (*ANY, NO_FLAGS, name, kind, "local", f"{subtype}._sub.{kind}")
            self._group(group, "AddServiceSubtype", "iiussss", subtype)
        self._group(group, "Commit")
        self._published[kind, name] = group
        return name

    def txt(self, kind, name, txt):
        service = (*ANY, NO_FLAGS, name, kind, "local", strings(txt))
        self._group(self._published[kind, name], "UpdateServiceTxt", "iiusssaay", service)

    def withdraw(self, kind, name):
        self._group(self._published.pop((kind, name)), "Free")

    def run(self):
        """Until the end of the input. Avahi itself says goodbye for a client that is gone."""
        waiting = selectors.DefaultSelector()
        waiting.register(self._bus.sock, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while True:
            self._heed_signals()
            for ready, _ in waiting.select():
                if ready.fileobj is not sys.stdin:
                    continue
                # Unbuffered: a second line in Python's own buffer would wake nobody.
                line = sys.stdin.buffer.raw.readline().decode()
                if not line:
                    return
                obey(self, line)

    def _server(self, method, signature=None, body=()):
        return self._call("/", "Server", method, signature, body)

    def _group(self, path, method, signature=None, body=()):
        self._call(path, "EntryGroup", method, signature, body)

    def _call(self, path, interface, method, signature, body):
        address = DBusAddress(path, bus_name=BUS, interface=f"{BUS}.{interface}")
        reply = self._bus.send_and_get_reply(new_method_call(address, method, signature, body), timeout=10)
        answer = unwrap_msg(reply)
        return answer[0] if answer else None

    def _heed_signals(self):
        """All that there are: those that came during a call, and those that wait to be read."""
        while True:
            try:
                self._bus.recv_messages(timeout=0)
            except TimeoutError:
                if not self._signals:
                    return
            while self._signals:
                self._heed(self._signals.popleft())

    def _heed(self, signal):
        fields = signal.header.fields
        if fields.get(HeaderFields.sender) == "org.freedesktop.DBus":
            return
        member, body = fields[HeaderFields.member], signal.body
        if member == "ItemNew":
            self._resolve(*body[:5])
        elif member == "ItemRemove":
            self._lose(*body[:5])
        elif member == "Found":
            self._found(*body)
        elif member == "Failure":
            tell("failure", why=body[0])

    def _resolve(self, interface, protocol, name, kind, domain):
        query = (interface, protocol, name, kind, domain, -1, NO_FLAGS)
        path = self._server("ServiceResolverNew", "iisssiu", query)
        self._resolvers[interface, protocol, name, kind] = path

    def _lose(self, interface, protocol, name, kind, domain):
        key = interface, protocol, name, kind
        self._call(self._resolvers.pop(key), "ServiceResolver", "Free", None, ())
        self._seen.lost(key)

    def _found(self, interface, protocol, name, kind, domain, host, _, address, port, txt, flags):
        self._seen.found(
            (interface, protocol, name, kind),
            kind=kind,
            name=name,
            host=host,
            port=port,
            addresses=[address],
            txt=pairs(txt),
            protocol={0: "IPv4", 1: "IPv6"}[protocol],
        )


speaker = Speaker()
tell("ready")
speaker.run()
