#!/usr/bin/env python3
"""Cross-check of SemLink's channels with NVIDIA Sionna's: the same settings, each its own random numbers, equal statistics.

usage: venv/bin/python test/baselines/sionna-channel.py [--links 4000] [--json FILE]
Needs test/baselines/requirements.txt and a compiled project (npm run build). Exits 1 when anything differs by more than
its limit; limits are what two samples of this size may differ by.

Conventions compared: noise n ~ CN(0, N0) at Es/N0; Rayleigh block fading h ~ CN(0, 1); TDL-A to -E of TR 38.901 with
delay spread 300 ns at 1 MBd on 32 subcarriers, power of all taps 1, maximum Doppler shift 1 kHz, line of sight at 0.7 of it.
"""
import argparse, json, math, os, subprocess, sys, tempfile

import numpy as np
import torch
from scipy.stats import ks_2samp
from sionna.phy import config
from sionna.phy.channel import AWGN, GenerateFlatFadingChannel, cir_to_ofdm_channel
from sionna.phy.channel.tr38901 import TDL

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SYMBOL_RATE, SUBCARRIERS, TIMES, DOPPLER, SPREAD = 1e6, 32, 48, 1e3, 300e-9
CARRIER, LIGHT = 3.5e9, 299_792_458.0

parser = argparse.ArgumentParser()
parser.add_argument("--links", type=int, default=4000)
parser.add_argument("--json")
args = parser.parse_args()
config.seed = 1
torch.manual_seed(1)
rows = []


def ours(settings, links, symbols):
    """Received symbols and gains of the project, [links, symbols] each."""
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "samples.cf32")
        program = os.path.join(ROOT, "dist/test/baselines/channel-samples.js")
        subprocess.run(["node", program, json.dumps(settings), str(links), str(symbols), file], check=True)
        both = np.fromfile(file, dtype=np.complex64).reshape(links, 2, symbols)
    return both[:, 0], both[:, 1]


def compare(channel, what, mine, theirs):
    """Means of independent values of each side (one a link), which may differ by 4.5 standard errors."""
    limit = 4.5 * math.sqrt(np.var(mine) / len(mine) + np.var(theirs) / len(theirs))
    rows.append(dict(channel=channel, what=what, semlink=float(np.mean(mine)), sionna=float(np.mean(theirs)), limit=limit,
                     difference=float(abs(np.mean(mine) - np.mean(theirs)))))


def compare_distributions(channel, what, mine, theirs, limit):
    distance = ks_2samp(np.ravel(mine), np.ravel(theirs)).statistic
    rows.append(dict(channel=channel, what=what, semlink=None, sionna=None, limit=limit, difference=float(distance)))


def correlation(h, axis, lag):
    """Mean of h(i + lag) conj(h(i)) along an axis, for each link."""
    later = np.take(h, range(lag, h.shape[axis]), axis)
    return np.mean(later * np.conj(np.take(h, range(h.shape[axis] - lag), axis)), axis=(1, 2))


# Noise.
received, _ = ours(dict(model="awgn", snrDb=7), 100, 1000)
noise = np.ravel(received) - 1
theirs = AWGN()(torch.zeros(noise.size, dtype=torch.complex64), torch.tensor(10 ** -0.7)).numpy()
compare("awgn 7 dB", "noise power / N0", abs(noise) ** 2 / 10 ** -0.7, abs(theirs) ** 2 / 10 ** -0.7)
compare_distributions("awgn 7 dB", "KS, real part", noise.real, theirs.real, 0.01)
compare_distributions("awgn 7 dB", "KS, imaginary part", noise.imag, theirs.imag, 0.01)

# Block Rayleigh, one gain a symbol.
_, gains = ours(dict(model="rayleigh-block", snrDb=60, coherenceSymbols=1), 100, 1000)
theirs = GenerateFlatFadingChannel(1, 1)(gains.size).numpy().ravel()
compare("rayleigh-block", "mean power", np.ravel(abs(gains)) ** 2, abs(theirs) ** 2)
compare_distributions("rayleigh-block", "KS, envelope", abs(gains), abs(theirs), 0.01)

# Tapped delay lines.
speed = DOPPLER * LIGHT / CARRIER
frequencies = torch.tensor((np.arange(SUBCARRIERS) - SUBCARRIERS // 2) * SYMBOL_RATE / SUBCARRIERS, dtype=torch.float32)
for letter in "ABCDE":
    name = f"tdl-{letter.lower()}"
    settings = dict(model=name, snrDb=60, delaySpreadSeconds=SPREAD, dopplerHz=DOPPLER, timeDomain=False,
                    subcarriers=SUBCARRIERS, symbolRateHz=SYMBOL_RATE)
    _, mine = ours(settings, args.links, SUBCARRIERS * TIMES)
    mine = mine.reshape(args.links, TIMES, SUBCARRIERS)
    tdl = TDL(letter, SPREAD, CARRIER, min_speed=speed, max_speed=speed)
    theirs = []
    for start in range(0, args.links, 500):
        a, tau = tdl(min(500, args.links - start), TIMES, SYMBOL_RATE / SUBCARRIERS)
        theirs.append(cir_to_ofdm_channel(frequencies, a, tau).numpy()[:, 0, 0, 0, 0])
    theirs = np.concatenate(theirs)
    compare(name, "mean power", np.mean(abs(mine) ** 2, axis=(1, 2)), np.mean(abs(theirs) ** 2, axis=(1, 2)))
    for subcarrier in (0, SUBCARRIERS // 2):
        compare_distributions(name, f"KS, envelope of subcarrier {subcarrier}", abs(mine[:, 0, subcarrier]),
                              abs(theirs[:, 0, subcarrier]), 1.95 * math.sqrt(2 / args.links))
    for lag in (1, 4, 12):
        m, t = correlation(mine, 2, lag), correlation(theirs, 2, lag)
        compare(name, f"re correlation, {lag} subcarriers", m.real, t.real)
        compare(name, f"im correlation, {lag} subcarriers", m.imag, t.imag)
    for lag in (4, 12, 24, 40):
        m, t = correlation(mine, 1, lag), correlation(theirs, 1, lag)
        compare(name, f"re correlation, {lag * SUBCARRIERS} us", m.real, t.real)
        compare(name, f"im correlation, {lag * SUBCARRIERS} us", m.imag, t.imag)

failed = [row for row in rows if not row["difference"] <= row["limit"]]
print("| channel | what | SemLink | Sionna | difference | limit |\n|---|---|---|---|---|---|")
for row in rows:
    shown = lambda value: "" if value is None else f"{value:.4f}"
    print(f"| {row['channel']} | {row['what']} | {shown(row['semlink'])} | {shown(row['sionna'])} "
          f"| {row['difference']:.4f} | {row['limit']:.4f} |" + (" **differs**" if row in failed else ""))
print(f"\n{len(rows) - len(failed)} passed, {len(failed)} failed ({args.links} links, torch {torch.__version__})")
if args.json:
    with open(args.json, "w") as file:
        json.dump(dict(rows=rows), file, indent=1)
sys.exit(1 if failed else 0)
