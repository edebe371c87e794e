#!/usr/bin/env python3
"""Draws accuracy over k from pixels.json: one panel a channel, one line an SNR, the codec that the held-out images chose.

usage: venv/bin/python test/baselines/pixels/plot.py [pixels.json [pixels.svg]]
"""
import json, os, sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "pixels"  # same file from same results
import matplotlib.pyplot as plt

results = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "results")
source, target = (sys.argv[1:] + [os.path.join(results, name) for name in ("pixels.json", "pixels.svg")][len(sys.argv) - 1:])[:2]
with open(source) as opened:
    content = json.load(opened)
rows = [row for row in content["results"] if row["best"]]
channels = list(dict.fromkeys(row["channel"] for row in rows))
figure, panels = plt.subplots(1, len(channels), figsize=(5 * len(channels), 3.8), sharey=True, squeeze=False)
snrs = sorted({row["snr_db"] for row in rows})
for panel, channel in zip(panels[0], channels):
    for i, snr in enumerate(snrs):
        line = sorted((row["k"], 100 * row["accuracy"]) for row in rows if row["channel"] == channel and row["snr_db"] == snr)
        panel.plot(*zip(*line), marker=".", color=plt.cm.viridis(i / len(snrs)), label=f"{snr} dB")
    panel.axhline(100 * content["teacher"]["accuracy"], color="grey", linewidth=0.8, linestyle=":")
    panel.set(title=channel, xscale="log", xlabel="complex channel uses an image, k", ylim=(0, 100))
    panel.set_xscale("log", base=2)
    panel.grid(alpha=0.3)
panels[0][0].set_ylabel("accuracy, % of test images")
panels[0][0].legend(fontsize="small", loc="upper left")
figure.tight_layout()
figure.savefig(target, metadata={"Date": None})
with open(target) as drawn:
    text = drawn.read()
with open(target, "w") as named:
    named.write(text.replace("<metadata>", "<title>Accuracy of pixels over k</title>\n <metadata>", 1))
