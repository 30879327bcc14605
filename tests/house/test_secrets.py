"""What compares keys and codes does so in one way, which takes the same time wherever they differ."""

import pathlib
import re
import unittest

SERVER = pathlib.Path(__file__).resolve().parents[2] / "server"
# Files that see a key or the code of a datagram; what else compares there is looked at by hand and listed.
SEE_SECRETS = {"http/auth.c": {"strncasecmp(text, scheme, size)"}, "http/access.c": set(),
               "udp/gate.c": set()}
COMPARES = re.compile(r"\b(\w*(?:memcmp|strcmp|strncmp|strcasecmp|strncasecmp|slice_equal|"
                      r"slice_compare)\([^;]*?\))(?= *[!=]=| *\)| *;)")


class Secrets(unittest.TestCase):
    def test_nothing_else_compares_where_secrets_are(self):
        for name, allowed in SEE_SECRETS.items():
            text = (SERVER / name).read_text()
            self.assertEqual(set(COMPARES.findall(text)), allowed, name)

    def test_the_compared_are_handed_to_the_one_that_may(self):
        callers = {str(path.relative_to(SERVER)) for path in SERVER.rglob("*.c")
                   if "fl_secret_same(" in path.read_text()}
        self.assertEqual(callers, {"text/secret.c", "http/auth.c", "udp/gate.c"})
        self.assertEqual([str(path) for path in SERVER.rglob("*.c")
                          if path.name != "secret.c" and "CRYPTO_memcmp" in path.read_text()], [])


if __name__ == "__main__":
    unittest.main()
