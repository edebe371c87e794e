#!/usr/bin/env python3
"""Baseline "send the pixels": JPEG, WebP or AVIF, 5G LDPC, QAM, then the large model at the receiver, on CIFAR-10.

usage: venv/bin/python test/baselines/pixels/pixels.py --teacher teacher.json [--json FILE] ... (--help)

For each channel, SNR and k the payload, modulation and code rate with the best expected accuracy are taken, and for each
payload the best size and colour sampling of the image, all on held-out images. A block that is lost is answered by a guess, right once in ten. README.md beside it says more.
"""
import argparse, json, os, sys, time

from answers import Answers
from images import FORMS
from link import MODULATIONS, Link, candidates, layout
from teacher import Teacher

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("SEMLINK_CACHE") or os.path.join(os.path.expanduser("~"), ".cache", "semlink")
CODECS = ("jpeg", "webp", "avif")
CHANNELS = ("awgn", "rayleigh-block")
SNRS = (-10, -5, 0, 5, 10, 15, 20)
LENGTHS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
PAYLOADS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144)
BITS = {name: bits for bits, name in MODULATIONS.items()}
PRIOR = 0.1
# A form is tried from the payload on that this share of the images fits into.
LEAST_SHARE = 0.3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True, help="JSON that describes ONNX files, as for `semlink teach`")
    parser.add_argument("--data", default=os.path.join(CACHE, "cifar10"), help="folder with the CIFAR-10 batches (npm run setup puts them there)")
    parser.add_argument("--images", type=int, default=10_000, help="test images, the first ones (1 to 10,000)")
    parser.add_argument("--holdout", type=int, default=5_000, help="held-out images for the choices (1 to 5,000)")
    parser.add_argument("--seed", type=int, default=1, help="of bits and noise; --check uses seed + 1")
    parser.add_argument("--link-file", default=os.path.join(HERE, "..", "results", "ldpc-qam.json"), help="measured error rates; what is missing is measured and added")
    parser.add_argument("--work", default=os.path.join(CACHE, "pixels"), help="folder where the teacher's answers are kept")
    parser.add_argument("--check", type=int, default=0, metavar="K", help="measure the error rates taken over AWGN anew, with other noise, up to this k")
    parser.add_argument("--json", help="where to write the results")
    return parser.parse_args()


def best_forms(answers, say):
    """{(codec, payload): (accuracy, form, payload filled, balance)} by the held-out images; a longer payload is never worse."""
    best = {}
    for codec in CODECS:
        ahead, forms = (PRIOR, None, 0, None), [form for form in FORMS if form[0] == codec]
        for payload in PAYLOADS:
            tried = {}
            for form in forms:
                if answers.form(form).share(payload) < LEAST_SHARE:
                    continue
                balance = answers.balance(form, payload)
                tried[form] = answers.accuracy(form, payload, PRIOR, balance)
                if tried[form] > ahead[0]:
                    ahead = (tried[form], form, payload, balance)
            # Small pictures gain nothing from more bits: once well behind a larger one they stay behind.
            forms = [form for form in forms if not any(form[1] < other[1] and tried.get(form, 1) < tried[other] - 0.04 for other in tried)]
            best[codec, payload] = ahead
            say(f"held out, {codec} in {payload} bits: {100 * ahead[0]:.1f} % {ahead[1]}")
    return best


def choose(link, best, codec, channel, k, snr_db):
    """(expected accuracy, payload, bits a symbol, form, payload filled, balance), or None where a guess is as good."""
    chosen = None
    for payload in PAYLOADS:
        accuracy, *source = best[codec, payload]
        if source[0] is None:
            continue
        for bits in candidates(k, payload):
            lost = link.error_rate(channel, k, payload, bits, snr_db)
            expected = (1 - lost) * accuracy + lost * PRIOR
            # A gain of nothing is no reason to send.
            if expected > max(chosen[0] if chosen else 0, PRIOR + 0.002):
                chosen = (expected, payload, bits, *source)
    return chosen


def row(link, answers, codec, channel, k, snr_db, chosen):
    """A line of the results, on the test images."""
    line = dict(codec=codec, channel=channel, snr_db=snr_db, k=k, accuracy=PRIOR, images=answers.count, code_rate=None, modulation=None,
                resolution=None, block_error_rate=None, payload_bits=None, colour=None, median_quality=None)
    if chosen is None:
        return line
    _, payload, bits, form, filled, balance = chosen
    lost = link.error_rate(channel, k, payload, bits, snr_db)
    coded, repetitions = layout(k, payload, bits)
    accuracy = (1 - lost) * answers.accuracy(form, filled, PRIOR, balance) + lost * PRIOR
    line.update(accuracy=round(accuracy, 4), code_rate=round(payload / (coded * repetitions), 4), modulation=MODULATIONS[bits],
                resolution=form[1], block_error_rate=round(lost, 5), payload_bits=payload, colour=form[2],
                median_quality=answers.quality(form, filled))
    return line


def check(link, lines, say):
    """Says how far the fitted error rates are from ones measured anew."""
    cells = sorted({(line["k"], line["payload_bits"], BITS[line["modulation"]], line["snr_db"]) for line in lines})
    away = []
    for cell in cells:
        blocks, errors = link.check(*cell)
        fitted = link.error_rate("awgn", *cell)
        away.append(errors / blocks - fitted)
        say(f"check {cell}: {errors} of {blocks} lost, fitted {fitted:.4f}")
    if cells:
        say(f"{len(cells)} checks: mean difference {sum(away) / len(away):+.4f}, largest {max(map(abs, away)):.4f}")


def main():
    options, started = arguments(), time.process_time()
    say = lambda text: print(f"{time.process_time() - started:6.0f} s  {text}", file=sys.stderr, flush=True)
    teacher = Teacher(options.teacher)
    say(f"teacher {teacher.name}, {teacher.sha256[:16]}")
    holdout = Answers(teacher, options.data, "holdout", options.holdout, options.work)
    test = Answers(teacher, options.data, "test", options.images, options.work)
    best = best_forms(holdout, say)
    link = Link(options.link_file, options.seed)
    results = []
    for channel in CHANNELS:
        for k in LENGTHS:
            for snr_db in SNRS:
                found = {codec: choose(link, best, codec, channel, k, snr_db) for codec in CODECS}
                ahead = max(CODECS, key=lambda codec: found[codec][0] if found[codec] else PRIOR)
                for codec in CODECS:
                    line = row(link, test, codec, channel, k, snr_db, found[codec])
                    results.append({**line, "best": codec == ahead})
                    if codec == ahead:
                        say(f"{channel} k={k} {snr_db} dB: {codec} {100 * line['accuracy']:.1f} %")
    check(link, [line for line in results if line["channel"] == "awgn" and line["payload_bits"] and line["k"] <= options.check], say)
    command = f"pixels.py --teacher {os.path.basename(options.teacher)} --images {options.images} --holdout {options.holdout} --seed {options.seed}"
    summary = dict(made_by=command, teacher=dict(name=teacher.name, sha256=teacher.sha256, accuracy=round(test.original(), 4)), prior=PRIOR)
    text = json.dumps(summary)[:-1] + ', "results": [\n' + ",\n".join(json.dumps(line) for line in results) + "\n]}\n"
    if options.json:
        with open(options.json, "w") as out:
            out.write(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
