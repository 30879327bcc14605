"""The golden manifest, read by a reader that was written from docs/formats/manifest.md alone."""

import pathlib
import unittest

from read_manifest import Damage, lines, read_current, read_manifest

HERE = pathlib.Path(__file__).parent


class GoldenManifest(unittest.TestCase):
    def test_holds_what_state_txt_says(self):
        self.assertEqual(list(lines(HERE)), (HERE / "state.txt").read_text().splitlines())

    def test_is_damaged_where_a_byte_changes(self):
        whole = (HERE / "MANIFEST-000007").read_bytes()
        _, end = read_manifest(whole, 7)
        for at in range(end):
            changed = bytearray(whole)
            changed[at] ^= 2
            with self.subTest(at):
                try:
                    state, _ = read_manifest(bytes(changed), 7)
                except Damage:
                    continue
                self.assertEqual(state.last_seq, 400)  # the last edit alone may look torn
                self.assertEqual(sorted(state.tables), [2, 5, 9])

    def test_is_not_named_by_a_changed_current(self):
        whole = (HERE / "CURRENT").read_bytes()
        self.assertEqual(read_current(whole), 7)
        for at in range(len(whole)):
            changed = bytearray(whole)
            changed[at] ^= 1
            with self.subTest(at), self.assertRaises(Damage):
                read_current(bytes(changed))


if __name__ == "__main__":
    unittest.main()
