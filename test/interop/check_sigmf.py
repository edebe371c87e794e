#!/usr/bin/env python3
"""Opens recordings of the channel-emulator with the `sigmf` package of the SigMF project (pip install sigmf): validates
each against the standard's schema, checks its SHA-512, reads all samples, and prints what it found.

    python3 check_sigmf.py FOLDER/*.sigmf-meta
"""
import sys

import numpy
import sigmf

for name in sys.argv[1:]:
    recording = sigmf.sigmffile.fromfile(name)
    recording.validate()
    samples = recording.read_samples()
    frames = recording.get_annotations()
    last = frames[-1]
    assert last["core:sample_start"] + last["core:sample_count"] == len(samples), "annotations do not cover the samples"
    # Raw integers, as they are in the file: read_samples has divided them by 32768.
    scale = recording.get_global_info().get("semlink:scale", 1 / 32768) * 32768
    power = numpy.mean(numpy.abs(samples * scale) ** 2)
    links = {frame["semlink:link"] for frame in frames}
    kind = recording.get_global_info()["core:datatype"]
    print(f"{name.split('/')[-1]}: {kind}, {len(samples)} samples, {len(frames)} frames, {len(links)} links, power {power:.3f}")
