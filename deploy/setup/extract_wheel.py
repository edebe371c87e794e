"""Unpacks the members of a wheel whose names match a pattern: extract_wheel.py WHEEL FOLDER PATTERN.

A wheel is a zip archive; the CRC of every member is checked on the way.
"""

import re
import sys
import zipfile

wheel, folder, pattern = sys.argv[1], sys.argv[2], re.compile(sys.argv[3])
with zipfile.ZipFile(wheel) as archive:
    members = [name for name in archive.namelist() if pattern.match(name)]
    if not members:
        sys.exit(f"error: {wheel} holds nothing that matches {pattern.pattern}")
    for name in members:
        archive.extract(name, folder)
