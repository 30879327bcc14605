"""The golden logs, read by a reader that was written from docs/formats/wal.md alone."""

import pathlib
import unittest

from read_wal import Damage, Log, lines

HERE = pathlib.Path(__file__).parent


def golden(log):
    return (HERE / f"{log:06}.log").read_bytes()


class GoldenLogs(unittest.TestCase):
    def test_hold_what_frames_txt_says(self):
        found = []
        for log in (3, 4):
            found += [f"log {log}", *lines(Log(golden(log), log))]
        self.assertEqual(found, (HERE / "frames.txt").read_text().splitlines())

    def test_are_cut_at_a_hole_that_nobody_declares_durable(self):
        whole = Log(golden(4), 4)
        changed = bytearray(golden(4))
        changed[whole.frames[0].offset + 80] ^= 1
        cut = Log(bytes(changed), 4)
        self.assertEqual((cut.frames, cut.torn, cut.end), ([], True, 32))

    def test_are_damaged_where_what_is_declared_durable_changes(self):
        first = Log(golden(3), 3).frames[0]
        for at in range(32, first.end):
            changed = bytearray(golden(3))
            changed[at] ^= 0x40
            with self.subTest(at), self.assertRaises(Damage):
                Log(bytes(changed), 3)

    def test_do_not_read_as_another_log(self):
        with self.assertRaises(Damage):
            Log(golden(3), 4)


if __name__ == "__main__":
    unittest.main()
