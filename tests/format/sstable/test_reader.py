"""The golden files, read by a reader that was written from docs/formats/sstable.md alone."""

import pathlib
import unittest

from read_sstable import Corruption, Table, filter_has, lines, signed

HERE = pathlib.Path(__file__).parent
GOLDEN_ID = 42


def tables():
    for path in sorted(HERE.glob("*.sst")):
        yield path.name, path.read_bytes()


class GoldenFiles(unittest.TestCase):
    def test_hold_what_rows_txt_says(self):
        self.assertEqual(len(list(tables())), 5)
        for name, data in tables():
            text = {"v1-decimals.sst": "decimals.txt", "v1-steps.sst": "steps.txt"}.get(name, "rows.txt")
            expected = (HERE / text).read_text().splitlines()
            with self.subTest(name):
                self.assertEqual(list(lines(Table(data, GOLDEN_ID))), expected)

    def test_have_a_filter_with_every_key(self):
        for name, data in tables():
            with self.subTest(name):
                table = Table(data, GOLDEN_ID)
                keys = {row[1] for row in table.rows()}
                bits = table.filter_bytes()
                self.assertTrue(all(filter_has(bits, key) for key in keys))
                absent = [key + b"?" for key in keys]
                self.assertLess(sum(filter_has(bits, key) for key in absent), len(keys) / 5)

    def test_have_properties_of_their_rows(self):
        for name, data in tables():
            with self.subTest(name):
                table = Table(data, GOLDEN_ID)
                rows, tombstones = list(table.rows()), list(table.range_tombstones())
                found = table.properties_read()
                puts = [row for row in rows if row[0] == "put"]
                seqs = [row[3] for row in rows] + [tombstone[2] for tombstone in tombstones]
                self.assertEqual(found[1], rows[0][1])
                self.assertEqual(found[2], rows[-1][1])
                self.assertEqual(found[3], len(rows))
                self.assertEqual(found[4], len(rows) - len(puts))
                self.assertEqual(found[5], len({row[1] for row in rows}))
                self.assertEqual(found[6], sum(len(row[1]) + len(row[5]) for row in rows))
                self.assertEqual(found[7], len(list(table.blocks())))
                self.assertEqual(found[8], len(tombstones))
                self.assertEqual((found[9], found[10]), (min(seqs), max(seqs)))
                self.assertEqual(signed(found[11]), min(row[2] for row in rows))
                self.assertEqual(signed(found[12]), max(row[2] for row in rows))
                self.assertEqual(signed(found[13]), min(row[4] for row in puts))
                self.assertEqual(signed(found[14]), max(row[4] for row in puts))

    def test_are_noticed_when_a_byte_changes(self):
        name, data = next(tables())
        for at in range(0, len(data), 97):
            changed = bytearray(data)
            changed[at] ^= 0x10
            with self.subTest(name, at=at), self.assertRaises((Corruption, KeyError, IndexError)):
                table = Table(bytes(changed), GOLDEN_ID)
                list(lines(table))
                table.filter_bytes()
                table.properties_read()


if __name__ == "__main__":
    unittest.main()
