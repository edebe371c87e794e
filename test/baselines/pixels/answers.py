"""What the teacher says of every image at every quality, asked when first needed and kept: codecs and networks are slow."""
import os
from functools import lru_cache

import numpy as np

from images import QUALITY_BITS, Coder, load_cifar10

BATCH = 50
CLASSES = 10
UNKNOWN = -1


class Answers:
    """Of the first `count` images of a split. Kept in `folder` by teacher, so that more images later cost only those."""

    def __init__(self, teacher, data_folder, split, count, folder):
        self.teacher, self.split, self.count = teacher, split, count
        self.images, self.labels = load_cifar10(data_folder, split, count)
        self.folder = os.path.join(folder, f"{split}-{teacher.sha256[:16]}")
        os.makedirs(self.folder, exist_ok=True)

    @lru_cache(None)
    def form(self, form):
        return FormAnswers(self, form)

    def balance(self, form, payload):
        """Mean probability [10] of each class over the images that fit, 1 where none does.

        Small, blocky images all look like the same few classes to a network that never saw such; dividing by this mean takes
        the bias out, and costs the receiver nothing.
        """
        steps = self.form(form).fitting(payload)
        return self.form(form).probabilities(steps)[steps >= 0].mean(0) if (steps >= 0).any() else np.ones(CLASSES)

    def accuracy(self, form, payload, prior, balance):
        """Accuracy [0, 1] when `payload` bits arrive whole, each image at the best quality that fits; guessed where none does."""
        steps = self.form(form).fitting(payload)
        right = np.argmax(self.form(form).probabilities(steps) / balance, 1) == self.labels
        return float(np.where(steps < 0, prior, right).mean())

    def quality(self, form, payload):
        """Median quality, of the images that fit."""
        steps = self.form(form).fitting(payload)
        return int(np.median(np.take(self.form(form).coder.ladder, steps[steps >= 0])))

    def original(self):
        """Accuracy of the teacher on the images as they are."""
        parts = [self.teacher.classify(self.images[i:i + BATCH]) for i in range(0, self.count, BATCH)]
        return float((np.argmax(np.concatenate(parts), 1) == self.labels).mean())


class FormAnswers:
    def __init__(self, answers, form):
        self.answers, self.coder = answers, Coder(form)
        self.file = os.path.join(answers.folder, "-".join(map(str, form)) + ".npz")
        steps = len(self.coder.ladder)
        self.sizes = np.full((answers.count, steps), UNKNOWN, np.int16)
        self.known = np.full((answers.count, steps, CLASSES), UNKNOWN, np.float32)
        if os.path.exists(self.file):
            with np.load(self.file) as stored:
                more = len(stored["sizes"])
                self.sizes = np.concatenate([stored["sizes"], self.sizes[more:]])
                self.known = np.concatenate([stored["known"], self.known[more:]])

    def size(self, image, step):
        if self.sizes[image, step] == UNKNOWN:
            self.sizes[image, step] = len(self.coder.code(self.answers.images[image], step))
        return self.sizes[image, step]

    @lru_cache(None)
    def fitting(self, payload):
        """For each image the highest step of the ladder that fits (by halving: sizes grow with quality), or -1."""
        most = (payload - QUALITY_BITS) // 8
        steps = np.empty(self.answers.count, int)
        for image in range(self.answers.count):
            low, high = -1, len(self.coder.ladder) - 1
            while low < high:
                middle = (low + high + 1) // 2
                if self.size(image, middle) <= most:
                    low = middle
                else:
                    high = middle - 1
            steps[image] = low
        return steps

    def probabilities(self, steps):
        """The teacher's [N, 10] for each image at its step; of no meaning where the step is -1."""
        unseen = [i for i, step in enumerate(steps) if step >= 0 and self.known[i, step, 0] == UNKNOWN]
        for at in range(0, len(unseen), BATCH):
            some = unseen[at:at + BATCH]
            seen = np.stack([self.coder.decode(self.coder.code(self.answers.images[i], steps[i]), steps[i]) for i in some])
            self.known[some, steps[some]] = self.answers.teacher.classify(seen)
        if unseen:
            np.savez_compressed(self.file, sizes=self.sizes, known=self.known)
        return self.known[np.arange(len(steps)), steps]

    def share(self, payload):
        """Of the images, those that fit."""
        return float((self.fitting(payload) >= 0).mean())
