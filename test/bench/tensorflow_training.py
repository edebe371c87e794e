"""The training step of services/distiller in Python TensorFlow, to be measured beside it: `semlink bench distill --python`.

Same network (it comes as a program, written by deploy/cli/bench/network-program.ts from the network itself), same images,
batch, augmentation, channel in the loop, loss on labels, AdamW with decoupled decay and moving average, all in one
tf.function. Talks JSON lines: first the job, then {"steps": n} as often as wanted; each is answered by one line.
"""
import json
import math
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

MAX_SHIFT = 4
BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-8
NORM_EPSILON = 1e-3
LN2 = math.log(2)


class Parameters:
    """All trained numbers in one vector; shapes are learnt in a first pass, in order of first use."""

    def __init__(self):
        self.shapes, self.initial, self.decay, self.values = {}, [], [], None

    def get(self, name, shape, mean, deviation, decay):
        if self.values is not None:
            return self.values[name]
        self.shapes[name] = shape
        value = mean + deviation * tf.random.normal(shape)
        self.initial.append(tf.reshape(value, [-1]))
        self.decay.append(tf.fill([math.prod(shape)], 1.0 if decay else 0.0))
        return value

    def use(self, flat):
        parts = tf.split(flat, [math.prod(shape) for shape in self.shapes.values()])
        self.values = {name: tf.reshape(part, shape) for part, (name, shape) in zip(parts, self.shapes.items())}


def run(program, inputs, air, draws, narrow, parameters):
    """Interprets the program: one value a step, as network.ts means it. `narrow`: convolutions multiply in bfloat16."""

    def convolve(x, weights, stride):
        if not narrow:
            return tf.nn.conv2d(x, weights, stride, "SAME")
        y = tf.nn.conv2d(tf.cast(x, tf.bfloat16), tf.cast(weights, tf.bfloat16), stride, "SAME")
        return tf.cast(y, tf.float32)

    def conv_norm(x, s):
        kernel, channels = s["kernel"], x.shape[3]
        shape = [kernel, kernel, channels, s["filters"]]
        deviation = math.sqrt(2 / (kernel * kernel * channels))
        weights = parameters.get(s["name"] + "/kernel", shape, 0.0, deviation, True)
        scale = parameters.get(s["name"] + "/scale", [s["filters"]], 1.0, 0.0, False)
        offset = parameters.get(s["name"] + "/offset", [s["filters"]], 0.0, 0.0, False)
        y = convolve(x, weights, s["stride"])
        return tf.compat.v1.nn.fused_batch_norm(y, scale, offset, epsilon=NORM_EPSILON, is_training=True)[0]

    def dense(x, s):
        shape = [x.shape[1], s["units"]]
        weights = parameters.get(s["name"] + "/kernel", shape, 0.0, s["gain"] * math.sqrt(1 / shape[0]), True)
        bias = parameters.get(s["name"] + "/bias", [s["units"]], s["bias"], 0.0, False)
        return tf.matmul(x, weights) + bias

    one = {
        "input": lambda s: inputs[s["name"]],
        "draws": lambda s, x: tf.tile(x, [draws, 1]),
        "air": lambda s, x: air(x),
        "convNorm": lambda s, x: conv_norm(x, s),
        "dense": lambda s, x: dense(x, s),
        "relu": lambda s, x: tf.nn.relu(x),
        "sigmoid": lambda s, x: tf.sigmoid(x),
        "add": lambda s, a, b: a + b,
        "mul": lambda s, a, b: a * b,
        "affine": lambda s, x: x * s["a"] + s["b"],
        "clip": lambda s, x: tf.clip_by_value(x, s["low"], s["high"]),
        "log": lambda s, x: tf.math.log(x),
        "sqrt": lambda s, x: tf.sqrt(x),
        "rsqrt": lambda s, x: tf.math.rsqrt(x),
        "sum": lambda s, x: tf.reduce_sum(x, s["axes"], keepdims=True),
        "concat": lambda s, *xs: tf.concat(xs, 1),
        "reshape": lambda s, x: tf.reshape(x, [-1, *s["shape"]]),
        "globalAverage": lambda s, x: tf.reduce_mean(x, [1, 2]),
        "prefixMask": lambda s, count: tf.cast(tf.range(s["length"], dtype=tf.float32)[None] < count, tf.float32),
    }
    values = []
    for step in program["steps"]:
        values.append(one[step["op"]](step, *(values[i] for i in step["inputs"])))
    return {name: values[i] for name, i in program["outputs"].items()}


class Training:
    def __init__(self, job):
        self.job, self.config = job, job["training"]
        size, images = job["image_bytes"], job["images"]
        data = np.fromfile(job["data"], np.uint8)
        self.rgb = data[: images * size].reshape(images, job["height"], job["width"], 3)
        self.labels = data[images * size :].astype(np.int32)
        self.random = np.random.default_rng(self.config["seed"])
        self.order, self.at = np.empty(0, int), 0
        self.parameters = Parameters()
        grey = tf.zeros([1, job["height"], job["width"], 3])
        self.forward(grey, self.channel(1, 1), 1)
        flat = tf.concat(self.parameters.initial, 0)
        self.weights, self.average = tf.Variable(flat), tf.Variable(flat)
        self.first, self.second = tf.Variable(tf.zeros_like(flat)), tf.Variable(tf.zeros_like(flat))
        self.decay = tf.concat(self.parameters.decay, 0)
        self.steps = tf.Variable(0.0)

    def channel(self, n, group):
        c = self.config
        shared = lambda: tf.repeat(tf.random.uniform([n // group, 1]), group, axis=0)  # noqa: E731
        snr_db = c["snrLowDb"] + shared() * (c["snrHighDb"] - c["snrLowDb"])
        faded = -tf.math.log(1 - tf.random.uniform([n, 1]))
        gain = tf.where(tf.random.uniform([n, 1]) < c["rayleighShare"], faded, tf.ones([n, 1]))
        lengths = tf.constant(c["channelUses"], tf.float32)
        k = tf.gather(lengths, tf.cast(shared() * len(c["channelUses"]), tf.int32))
        frame_snr_db = snr_db + 10 / math.log(10) * tf.math.log(tf.maximum(gain, 1e-9))
        return {"snr_db": snr_db, "gain": gain, "frame_snr_db": frame_snr_db, "k": k, "noise": 10 ** (-snr_db / 10)}

    def forward(self, rgb, channel, draws):
        def air(symbols):
            gain, noise = channel["gain"][..., None], channel["noise"][..., None]
            sent = tf.cast(tf.range(symbols.shape[1], dtype=tf.float32)[None, :, None] < channel["k"][..., None], tf.float32)
            disturbance = tf.random.normal(tf.shape(symbols)) * tf.sqrt(gain * noise / 2) * sent
            return (symbols * gain + disturbance) / (gain + noise)

        inputs = {
            "rgb": rgb,
            "average_snr_db": channel["snr_db"],
            "frame_snr_db": channel["frame_snr_db"],
            "k": channel["k"],
        }
        return run(self.job["program"], inputs, air, draws, self.config["precision"] == "bfloat16", self.parameters)

    def loss(self, rgb, labels):
        c = self.config
        draws = c["channelDraws"]
        sent = c["batchSize"] * draws
        channel = self.channel(sent, c["groupSize"])
        out = self.forward(tf.cast(rgb, tf.float32), channel, draws)
        classes = out["scores"].shape[1]
        target = tf.one_hot(labels, classes) * (1 - c["labelSmoothing"]) + c["labelSmoothing"] / classes
        entropy = lambda p, scores: tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(p, scores))  # noqa: E731
        task, auxiliary = entropy(tf.tile(target, [draws, 1]), out["scores"]), entropy(target, out["direct"])
        bits = tf.constant(0.0)
        if c["groupSize"] > 1:
            power = tf.reduce_sum(out["symbols"] ** 2, 2)
            grouped = tf.reshape(power, [-1, c["groupSize"], power.shape[1]])
            snr = tf.reshape(channel["gain"] / channel["noise"], [-1, c["groupSize"], 1])
            bound = tf.math.log1p(tf.reduce_mean(grouped, 1, keepdims=True) * snr) / LN2
            bits = tf.reduce_sum(bound) / sent
        right = tf.reduce_mean(tf.cast(tf.argmax(out["scores"], 1, tf.int32) == tf.tile(labels, [draws]), tf.float32))
        return task + c["auxiliaryWeight"] * auxiliary + c["bottleneck"] * bits, tf.stack([task, auxiliary, bits, right])

    @tf.function
    def step(self, rgb, labels, rate):
        c = self.config
        with tf.GradientTape() as tape:
            self.parameters.use(self.weights)
            loss, terms = self.loss(rgb, labels)
        gradient = tape.gradient(loss, self.weights)
        self.steps.assign_add(1.0)
        m = self.first.assign(self.first * BETA1 + gradient * (1 - BETA1))
        v = self.second.assign(self.second * BETA2 + gradient**2 * (1 - BETA2))
        direction = m / (1 - BETA1**self.steps) / (tf.sqrt(v / (1 - BETA2**self.steps)) + EPSILON)
        weights = self.weights.assign_sub((direction + self.weights * self.decay * c["weightDecay"]) * rate)
        keep = tf.minimum(c["averageDecay"], self.steps / (self.steps + 10))
        self.average.assign(self.average * keep + weights * (1 - keep))
        return terms

    def batch(self):
        """Images shifted by up to 4 pixels, mirrored at the border, and flipped."""
        n, (height, width) = self.config["batchSize"], self.rgb.shape[1:3]
        if self.at + n > len(self.order):
            self.order, self.at = self.random.permutation(len(self.rgb)), 0
        indices = self.order[self.at : self.at + n]
        self.at += n
        draw = lambda: self.random.integers(-MAX_SHIFT, MAX_SHIFT + 1, (n, 1))  # noqa: E731
        mirror = lambda i, size: size - 1 - np.abs(size - 1 - np.abs(i))  # noqa: E731
        columns = np.arange(width)
        seen = np.where(self.random.random((n, 1)) < 0.5, columns[::-1], columns)
        rows = mirror(np.arange(height) + draw(), height)[:, :, None]
        return self.rgb[indices[:, None, None], rows, mirror(seen + draw(), width)[:, None, :]], self.labels[indices]

    def advance(self, steps):
        for _ in range(steps):
            rgb, labels = self.batch()
            # Read every step, as a training record wants it.
            terms = self.step(rgb, labels, tf.constant(self.job["learning_rate"], tf.float32)).numpy()
        return [float(term) for term in terms]


def main():
    answer = lambda message: print(json.dumps(message), flush=True)  # noqa: E731
    job = json.loads(sys.stdin.readline())
    tf.config.threading.set_intra_op_parallelism_threads(job["training"]["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.random.set_seed(job["training"]["seed"])
    training = Training(job)
    answer({
        "parameters": int(training.weights.shape[0]),
        "tensorflow": tf.__version__,
        "gpu": bool(tf.config.list_physical_devices("GPU")),
    })
    for line in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        task, auxiliary, bits, accuracy = training.advance(json.loads(line)["steps"])
        seconds = time.perf_counter() - start
        answer({"seconds": seconds, "processor_seconds": time.process_time() - processor, "task": task})


main()
