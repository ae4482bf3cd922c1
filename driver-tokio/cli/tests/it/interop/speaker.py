"""The lines that a speaker of mDNS takes and gives.

Takes, on standard input, words quoted as a shell's:

    publish KIND NAME PORT [KEY=VALUE | KEY]...
    txt KIND NAME [KEY=VALUE | KEY]...
    withdraw KIND NAME
    browse KIND

Where a service is published, KIND may be followed by subtypes: _ipp._tcp,_universal. The name under which it is
`published` may be another, where somebody else has that one.

Gives one JSON object a line: `ready`; `published`, `withdrawn` for what was done; `found`, `updated`, `lost` for
what is seen. The end of its input is the end of the speaker, which says goodbye.
"""

import json
import shlex
import threading

_lock = threading.Lock()


def tell(event, **fields):
    with _lock:
        print(json.dumps({"event": event, **fields}), flush=True)


def pairs(words):
    """KEY without a value is None."""
    split = (word.partition("=") for word in words)
    return {key: value if equals else None for key, equals, value in split}


def obey(speaker, line):
    verb, *words = shlex.split(line)
    if verb == "publish":
        kind, name, port, *txt = words
        kind, *subtypes = kind.split(",")
        name = speaker.publish(kind, subtypes, name, int(port), pairs(txt))
        tell("published", kind=kind, name=name)
    elif verb == "txt":
        kind, name, *txt = words
        speaker.txt(kind, name, pairs(txt))
    elif verb == "withdraw":
        kind, name = words
        speaker.withdraw(kind, name)
        tell("withdrawn", kind=kind, name=name)
    elif verb == "browse":
        (kind,) = words
        speaker.browse(kind)
    else:
        raise ValueError(line)


class Seen:
    """What was told of each service: nothing is told twice."""

    def __init__(self):
        self._known = {}

    def found(self, key, **fields):
        if self._known.get(key) != fields:
            tell("updated" if key in self._known else "found", **fields)
            self._known[key] = fields

    def lost(self, key):
        fields = self._known.pop(key, None)
        if fields is not None:
            tell("lost", **fields)
