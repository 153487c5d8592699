"""WAV files byte by byte, as they should be and as they should not."""

import struct

import numpy as np

RATE = 8000


def wav(samples, rate=RATE, bits=16, channels=1, kind=1, stated=None):
    """The bytes of a WAV file; `stated`: what its header says of the samples' bytes."""
    if bits == 24:
        data = b"".join(int(x).to_bytes(3, "little", signed=True) for x in samples)
    else:
        data = np.asarray(samples, {8: "u1", 16: "<i2", 32: "<f4" if kind == 3 else "<i4"}[bits])
        data = data.tobytes()
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits)
    length = len(data) if stated is None else stated
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", length) + data
    return b"RIFF" + struct.pack("<I", len(body) - len(data) + length) + body
