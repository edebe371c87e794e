"""5G NR LDPC + Gray QAM over a gain that stays the same for a block: how often a block of payload bits is lost.

Whether a block is lost does not depend on what it carries, so error rates are measured once for each code and kept. A code
is (k complex channel uses, payload bits, bits a symbol). Its block error rate over AWGN is measured at a few SNRs around
its waterfall and fitted by a Gaussian tail, Q((SNR - centre) / width) in dB; over block Rayleigh fading the tail is averaged
over the gain, |h|^2 ~ Exp(1), the receiver knowing h.

SNR is the average Es/N0, n ~ CN(0, N0). The decoder is Sionna's: 20 iterations of flooding belief propagation on exact
(a posteriori) bit likelihoods. No CRC is spent: the receiver is taken to know when a block is lost, which favours pixels.
"""
import json, math, os, sys, zlib
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize
from scipy.special import erfc, log_ndtr, ndtr

MODULATIONS = {2: "QPSK", 4: "16QAM", 6: "64QAM", 8: "256QAM"}
LEAST_RATE, MOST_RATE = 1 / 5, 948 / 1024
LEAST_PAYLOAD = 12
ITERATIONS = 20


def layout(k, payload, bits):
    """(coded bits, repetitions) of a code: below rate 1/5 the whole codeword is sent several times and combined."""
    total = k * bits
    repetitions = max(1, math.ceil(total * LEAST_RATE / payload - 1e-9))
    return (k // repetitions) * bits, repetitions


def allowed(k, payload, bits):
    coded, repetitions = layout(k, payload, bits)
    return payload >= LEAST_PAYLOAD and coded > 0 and LEAST_RATE - 1e-9 <= payload / coded <= MOST_RATE


@lru_cache(None)
def capacities(bits):
    """Rates of bit-interleaved coded modulation with Gray labels, bits a symbol, at -15 to 30 dB in steps of 0.5."""
    levels = pam(bits // 2)
    points, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    labels = gray(bits // 2)
    rates = []
    for snr in np.arange(-15, 30.5, 0.5):
        sigma = math.sqrt(10 ** (-snr / 10) / 2)
        y = levels[:, None] + sigma * points
        likelihood = np.exp(-((y[:, :, None] - levels) ** 2) / (2 * sigma ** 2))
        loss = 0
        for bit in range(bits // 2):
            same = ((labels[:, None] >> bit) & 1) == ((labels[None, :] >> bit) & 1)
            ratio = likelihood.sum(2) / np.maximum((likelihood * same[:, None, :]).sum(2), 1e-300)
            loss += (np.log2(ratio) * weights).sum(1).mean()
        rates.append(2 * (bits // 2 - loss))
    return np.array(rates)


def gray(bits):
    index = np.arange(2 ** bits)
    return index ^ (index >> 1)


def pam(bits):
    """Amplitudes of one real dimension, energy 1/2."""
    levels = np.arange(2 ** bits) * 2.0 - (2 ** bits - 1)
    return levels / math.sqrt(2 * np.mean(levels ** 2))


def threshold(k, payload, bits):
    """SNR in dB at which the modulation could carry the payload if blocks were endless; infinite above 29 dB."""
    coded, repetitions = layout(k, payload, bits)
    needed = payload / (coded / bits)
    rates = capacities(bits)
    if needed >= rates[-3]:
        return math.inf
    return float(np.interp(needed, rates, np.arange(-15, 30.5, 0.5))) - 10 * math.log10(repetitions)


def candidates(k, payload, least=-13.0, most=24.0):
    """Modulations worth measuring: thresholds between `least` and `most` dB and near the best one's, nearer for long blocks."""
    slack = 0.7 if k <= 64 else 0.35 if k <= 128 else 0
    found = {bits: threshold(k, payload, bits) for bits in MODULATIONS if allowed(k, payload, bits)}
    best = min(found.values(), default=math.inf)
    return [bits for bits, snr in found.items() if least <= snr <= min(best + slack, most)]


class Simulator:
    """Sends random blocks through one code. Loads Sionna and PyTorch, so it is made only when something is missing."""

    def __init__(self, k, payload, bits):
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        import torch
        from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
        from sionna.phy.mapping import Demapper, Mapper

        torch.set_num_threads(1)
        self.torch, self.payload = torch, payload
        self.coded, self.repetitions = layout(k, payload, bits)
        self.bits, self.k = bits, k
        self.encode = LDPC5GEncoder(payload, self.coded, num_bits_per_symbol=bits)
        self.decode = LDPC5GDecoder(self.encode, num_iter=ITERATIONS, hard_out=True)
        self.map, self.demap = Mapper("qam", bits), Demapper("app", "qam", bits)

    def run(self, snr_db, most_blocks, most_errors, seed):
        """(blocks, errors) at an SNR: until `most_errors` are seen or `most_blocks` sent."""
        torch = self.torch
        random = torch.Generator().manual_seed(zlib.crc32(f"{seed},{self.k},{self.payload},{self.bits},{snr_db:.2f}".encode()))
        noise = 10 ** (-snr_db / 10) / self.repetitions  # copies combined: the noise falls
        batch = 64 if self.coded <= 1024 else 16
        blocks = errors = 0
        with torch.inference_mode():
            while blocks < most_blocks and errors < most_errors:
                sent = torch.randint(0, 2, (batch, self.payload), generator=random).float()
                symbols = self.map(self.encode(sent))
                parts = torch.randn(*symbols.shape, 2, generator=random) * math.sqrt(noise / 2)
                received = symbols + torch.view_as_complex(parts)
                got = self.decode(self.demap(received, torch.tensor(noise, dtype=torch.float32)))
                errors += int((got != sent).any(1).sum())
                blocks += batch
        return blocks, errors


def fit(points):
    """Most likely (centre, width) in dB of Q((SNR - centre) / width) for [snr_db, blocks, errors]."""
    snr, blocks, errors = np.array(points, float).T

    def loss(parameters):
        z = (snr - parameters[0]) / math.exp(parameters[1])
        return -np.sum(errors * log_ndtr(-z) + (blocks - errors) * log_ndtr(z))

    start = snr[np.argmin(abs(errors / blocks - 0.5))]
    best = min((minimize(loss, [start, math.log(w)], method="Nelder-Mead") for w in (0.4, 1.0, 2.0)), key=lambda r: r.fun)
    return [round(float(best.x[0]), 3), round(float(math.exp(best.x[1])), 3)]


def measure(k, payload, bits, seed):
    """Walks up and down from where the waterfall should be, until it has seen both ends."""
    simulator = Simulator(k, payload, bits)
    coded = simulator.coded
    # The waterfall lies about 0.8 dB above the threshold and is 14 / sqrt(coded bits) dB wide: few points do for long blocks.
    short = coded <= 512
    step = (1.0 if coded <= 256 else 0.7) if short else 17 / math.sqrt(coded)
    few, many = (0.03, 0.8) if short else (0.05, 0.7)
    blocks = 256 if coded <= 512 else 128 if coded <= 1024 else 96 if coded <= 2048 else 48
    middle = round(threshold(k, payload, bits) + (0.5 + 12 / math.sqrt(coded) if short else 0.8), 1)
    points = {}

    def rate(snr):
        snr = round(snr, 2)
        sent, errors = simulator.run(snr, blocks, blocks, seed)
        points[snr] = [snr, sent, errors]
        return errors / sent

    first = here = rate(middle)
    snr = middle
    while here > few and snr < middle + 15:
        snr += step
        here = rate(snr)
    snr, here = middle, first
    while here < many and snr > middle - 15:
        snr -= step
        here = rate(snr)
    ordered = [points[s] for s in sorted(points)]
    return dict(k=k, payload=payload, bits=bits, points=ordered, fit=fit(ordered))


class Link:
    """Block error rates, measured when first asked for and kept in a JSON file."""

    def __init__(self, file, seed):
        self.file, self.seed, self.codes, self.checks = file, seed, {}, {}
        if os.path.exists(file):
            with open(file) as stored:
                content = json.load(stored)
            if content["seed"] != seed or content["iterations"] != ITERATIONS:
                raise SystemExit(f"{file} was measured with seed {content['seed']}, not {seed}; name another --link-file")
            self.codes = {(c["k"], c["payload"], c["bits"]): c for c in content["codes"]}
            self.checks = {tuple(c[:4]): tuple(c[4:]) for c in content["checks"]}

    def save(self):
        with open(self.file + ".part", "w") as out:
            lines = lambda rows: ",\n".join("  " + json.dumps(row) for row in rows)
            codes = [self.codes[key] for key in sorted(self.codes)]
            checks = [[*key, *self.checks[key]] for key in sorted(self.checks)]
            out.write(f'{{"seed": {self.seed}, "iterations": {ITERATIONS},\n "codes": [\n{lines(codes)}\n ],\n "checks": [\n{lines(checks)}\n ]}}\n')
        os.replace(self.file + ".part", self.file)

    def code(self, k, payload, bits):
        key = (k, payload, bits)
        if key not in self.codes:
            self.codes[key] = measure(*key, self.seed)
            self.save()
            print(f"code k={k} payload={payload} {MODULATIONS[bits]}: centre {self.codes[key]['fit'][0]:.2f} dB", file=sys.stderr, flush=True)
        return self.codes[key]

    def error_rate(self, channel, k, payload, bits, snr_db):
        """By the fitted tail, which pools every block of the code and so is surer than any one point."""
        centre, width = self.code(k, payload, bits)["fit"]
        if channel == "awgn":
            return float(ndtr((centre - snr_db) / width))
        # Over u = the probability that the gain is below g: g = -ln(1 - u), midpoints of 4,000 strips.
        gains = -np.log1p(-(np.arange(4000) + 0.5) / 4000)
        return float(ndtr((centre - snr_db - 10 * np.log10(gains)) / width).mean())

    def check(self, k, payload, bits, snr_db):
        """Over AWGN, anew with another seed's noise: (blocks, errors)."""
        key = (k, payload, bits, snr_db)
        if key not in self.checks:
            simulator = Simulator(k, payload, bits)
            self.checks[key] = simulator.run(snr_db, 1024 if simulator.coded <= 512 else 256, 100, self.seed + 1)
            self.save()
        return self.checks[key]
