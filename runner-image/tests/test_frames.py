import json
import os
import unittest

import support
from frames import CONTROL_PLANE_CAPS, HEADER, RUNNER_CAPS, Decoder, ProtocolError, encode_frame
from uploaded import opened


def golden(name):
    with open(os.path.join(support.GOLDEN, name), "rb") as file:
        return file.read()


class Frames(unittest.TestCase):
    def test_every_golden_frame_decodes_whole_and_byte_by_byte(self):
        names = sorted(os.listdir(support.GOLDEN))
        self.assertGreater(len(names), 10)
        for name in names:
            data = golden(name)
            caps = RUNNER_CAPS if data[0] & 0x80 else CONTROL_PLANE_CAPS
            whole, slow = Decoder(caps), Decoder(caps)
            whole.feed(data)
            decoded = whole.next_frame()
            self.assertEqual(HEADER.pack(decoded[0], len(decoded[1])) + decoded[1], data, name)
            self.assertIsNone(whole.next_frame())
            for byte in data:
                self.assertIsNone(slow.next_frame())
                slow.feed(bytes([byte]))
            self.assertEqual(slow.next_frame(), decoded)

    def test_what_is_opened_is_read_from_its_golden_frame(self):
        decoder = Decoder()
        decoder.feed(golden("data-opened.bin"))
        self.assertEqual(opened(decoder.next_frame()[1]), ({"content_type": "text/csv", "size": 12}, b"n\n1\n\xff\0"))

    def test_what_the_runner_sends_is_encoded_as_the_golden_frames(self):
        for name in ("ready", "preloaded", "preloaded-failed", "rehearsed", "stdout", "stderr", "result", "finished-ok",
                     "finished-crashed", "figure", "file", "display", "data-request-find", "data-request-open",
                     "data-request-read", "data-request-list"):
            data = golden(f"{name}.bin")
            payload = data[HEADER.size:]
            if payload[:1] == b"{" and name not in ("result", "display"):
                payload = json.dumps(json.loads(payload), separators=(",", ":")).encode()
            self.assertEqual(encode_frame(data[0], payload), data)

    def test_a_length_over_the_cap_is_refused_before_the_payload_is_there(self):
        for kind, cap in CONTROL_PLANE_CAPS.items():
            decoder = Decoder()
            decoder.feed(HEADER.pack(kind, cap + 1))
            with self.assertRaises(ProtocolError):
                decoder.next_frame()

    def test_an_unknown_kind_is_refused_by_its_first_byte(self):
        decoder = Decoder()
        decoder.feed(b"\x86")
        with self.assertRaises(ProtocolError):
            decoder.next_frame()
