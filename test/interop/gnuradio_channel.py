#!/usr/bin/env python3
"""A GNU Radio flow graph without a screen, as the channel of a SemLink channel-emulator.

    ZMQ source -> multiply by a complex gain -> + complex Gaussian noise -> ZMQ sink        (--channel gain)
    ZMQ source -> channels.channel_model (frequency offset, taps, noise)  -> ZMQ sink        (--channel model)

Everything is cf32. The emulator binds --take, this graph binds --give. Prints "ready" when it runs; ends with SIGTERM.
Noise power: E|n|^2 = 10^(-snr/10) for symbols of unit power.
"""
import argparse
import signal
import sys

from gnuradio import analog, blocks, channels, gr, zeromq


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--form", choices=["push-pull", "req-rep"], default="push-pull")
    parser.add_argument("--take", default="tcp://127.0.0.1:50060")
    parser.add_argument("--give", default="tcp://127.0.0.1:50061")
    parser.add_argument("--snr-db", type=float, default=10.0)
    parser.add_argument("--gain", type=complex, default=1 + 0j)
    parser.add_argument("--delay", type=int, default=0, help="symbols, by a Delay block")
    parser.add_argument("--channel", choices=["gain", "model"], default="gain")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    size = gr.sizeof_gr_complex
    graph = gr.top_block("SemLink channel")
    if options.form == "push-pull":
        source = zeromq.pull_source(size, 1, options.take, 10)
        sink = zeromq.push_sink(size, 1, options.give, 10)
    else:
        source = zeromq.req_source(size, 1, options.take, 10)
        sink = zeromq.rep_sink(size, 1, options.give, 10)

    # GNU Radio's Gaussian sources take the standard deviation of the complex sample.
    amplitude = 10 ** (-options.snr_db / 20)
    chain = [source]
    if options.delay > 0:
        chain.append(blocks.delay(size, options.delay))
    if options.channel == "gain":
        chain.append(blocks.multiply_const_cc(options.gain))
        adder = blocks.add_cc()
        noise = analog.noise_source_c(analog.GR_GAUSSIAN, amplitude, options.seed)
        graph.connect(noise, (adder, 1))
        chain.append(adder)
    else:
        chain.append(
            channels.channel_model(
                noise_voltage=amplitude, frequency_offset=0.0, epsilon=1.0, taps=[options.gain], noise_seed=options.seed
            )
        )
    chain.append(sink)
    graph.connect(*chain)

    def stop(*_):
        graph.stop()
        graph.wait()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    graph.start()
    print("ready", flush=True)
    signal.pause()


main()
