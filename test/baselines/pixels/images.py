"""Images by JPEG, WebP and AVIF (Pillow), without what a receiver knows anyway.

A form is (codec, edge, colour): the image is made smaller to edge x edge (Lanczos), coded, decoded and made 32 x 32 again
(bicubic). The qualities of a form are a ladder of 16; which one was used costs 4 bits. What is stripped, all of it put back
and compared with the file whenever an image is coded (so it is known to be possible):

  JPEG  all up to the scan (623 bytes in colour, 328 in grey: markers, tables, size) and the end marker (2)
  WebP  RIFF container (20), key-frame start code, width and height (7), top byte of the first partition's length (1)
  AVIF  everything but the contents of the frame OBU: boxes, sequence header, OBU headers and lengths

The length of what is left is not counted either.
"""
import io

import numpy as np
from PIL import Image

EDGE = 32
QUALITY_BITS = 4
LADDERS = {
    "jpeg": [1, 3, 5, 7, 10, 13, 17, 22, 28, 36, 46, 58, 68, 78, 87, 94],
    "webp": [0, 3, 6, 10, 15, 20, 27, 35, 44, 53, 62, 70, 77, 84, 90, 95],
    "avif": [0, 5, 10, 16, 22, 28, 34, 40, 46, 52, 58, 65, 72, 79, 87, 95],
}
COLOURS = {"420": "4:2:0", "444": "4:4:4", "grey": None}
FORMS = [
    *[("jpeg", edge, colour) for edge, colour in ((8, "grey"), (8, "444"), (16, "420"), (16, "444"), (24, "420"), (32, "420"), (32, "444"))],
    *[("webp", edge, "420") for edge in (16, 20, 24, 32)],
    *[("avif", edge, "420") for edge in (8, 16, 20, 24, 32)],
]


def load_cifar10(folder, split, count):
    """(images [count, 32, 32, 3] bytes, labels) of `test`, or of `holdout`: training images 45,000 to 49,999."""
    name, first = ("test_batch.bin", 0) if split == "test" else ("data_batch_5.bin", 5000)
    try:
        records = np.fromfile(f"{folder}/{name}", np.uint8).reshape(10_000, 3073)[first:first + count]
    except (OSError, ValueError) as cause:
        raise SystemExit(f"CIFAR-10 cannot be read from {folder} ({cause}); run `npm run setup` to fetch it") from cause
    return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, EDGE, EDGE).transpose(0, 2, 3, 1)), records[:, 0]


class Coder:
    """One form: codes an image at a step of the quality ladder, strips, puts back and decodes."""

    def __init__(self, form):
        self.codec, self.edge, self.colour = form
        self.ladder = LADDERS[self.codec]
        self.templates = [self.file(Image.new("RGB", (EDGE, EDGE), (127, 127, 127)), step) for step in range(len(self.ladder))]

    def file(self, image, step):
        if self.edge != EDGE:
            image = image.resize((self.edge, self.edge), Image.Resampling.LANCZOS)
        if self.colour == "grey":
            image = image.convert("L")
        options = {"quality": self.ladder[step]}
        if self.codec == "jpeg" and self.colour != "grey":
            options["subsampling"] = COLOURS[self.colour]
        if self.codec == "webp":
            options["method"] = 6
        if self.codec == "avif":
            options.update(speed=6, max_threads=1, subsampling=COLOURS[self.colour])
        out = io.BytesIO()
        image.save(out, self.codec.upper(), **options)
        return out.getvalue()

    def code(self, pixels, step):
        """What is sent, bytes. Raises AssertionError should the file not be recoverable from it."""
        whole = self.file(Image.fromarray(pixels), step)
        sent = STRIP[self.codec](whole)
        assert RESTORE[self.codec](sent, self.templates[step]) == whole, f"{self.codec}: header differs from the known one"
        return sent

    def decode(self, sent, step):
        """32 x 32 x 3 bytes, as the receiver sees it."""
        image = Image.open(io.BytesIO(RESTORE[self.codec](sent, self.templates[step]))).convert("RGB")
        if self.edge != EDGE:
            image = image.resize((EDGE, EDGE), Image.Resampling.BICUBIC)
        return np.asarray(image)


def jpeg_scan(file):
    """Offset of the entropy-coded scan."""
    at = 2
    while file[at + 1] != 0xDA:
        at += 2 + int.from_bytes(file[at + 2:at + 4], "big")
    return at + 2 + int.from_bytes(file[at + 2:at + 4], "big")


def strip_jpeg(file):
    return file[jpeg_scan(file):-2]


def restore_jpeg(sent, template):
    return template[:jpeg_scan(template)] + sent + b"\xff\xd9"


def strip_webp(file):
    length = int.from_bytes(file[16:20], "little")
    return file[20:22] + file[30:20 + length]


def restore_webp(sent, template):
    frame = sent[:2] + template[22:30] + sent[2:]
    padded = frame + b"\0" * (len(frame) % 2)
    return b"RIFF" + (12 + len(padded)).to_bytes(4, "little") + b"WEBPVP8 " + len(frame).to_bytes(4, "little") + padded


def avif_parts(file):
    """Offset of the mdat box (the last one), offsets of the frame OBU's header and of its contents."""
    at = 0
    while file[at + 4:at + 8] != b"mdat":
        at += int.from_bytes(file[at:at + 4], "big")
    obu = at + 8
    while True:
        kind, contents, size, shift = (file[obu] >> 3) & 15, obu + 1, 0, 0
        while True:
            size |= (file[contents] & 127) << shift
            shift += 7
            contents += 1
            if file[contents - 1] < 128:
                break
        if kind == 6:
            return at, obu, contents
        obu = contents + size


def strip_avif(file):
    return file[avif_parts(file)[2]:]


def restore_avif(sent, template):
    box, obu, contents = avif_parts(template)
    size, length = len(sent), b""
    while True:
        length += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
        if size == 0:
            break
    item = template[box + 8:obu] + template[obu:obu + 1] + length + sent
    extent = (len(template) - box - 8).to_bytes(4, "big")  # as iloc states it
    location = template.index(extent, template.index(b"iloc"))
    head = template[:location] + len(item).to_bytes(4, "big") + template[location + 4:box]
    return head + (len(item) + 8).to_bytes(4, "big") + b"mdat" + item


STRIP = {"jpeg": strip_jpeg, "webp": strip_webp, "avif": strip_avif}
RESTORE = {"jpeg": restore_jpeg, "webp": restore_webp, "avif": restore_avif}
