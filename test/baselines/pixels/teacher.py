"""The large model at the receiver: ONNX files, described by the same JSON that `semlink teach --teacher` takes."""
import hashlib, json, os

import numpy as np

KNOWN = {"kind", "file", "mean", "std", "input", "output", "weight", "features"}


class Teacher:
    """Mean of the members' softmax by weight. Members are kind "onnx"; files are relative to the JSON."""

    def __init__(self, file):
        import onnxruntime

        with open(file) as opened:
            spec = json.load(opened)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        digest = hashlib.sha256()
        self.name, self.members = spec["name"], []
        for member in spec["members"]:
            if member["kind"] != "onnx" or set(member) - KNOWN:
                raise SystemExit(f"{file}: {member} cannot be run here; members are ONNX files with {', '.join(sorted(KNOWN))}")
            path = os.path.join(os.path.dirname(os.path.abspath(file)), member["file"])
            with open(path, "rb") as opened:
                digest.update(opened.read())
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            mean, std = (np.array(member.get(key, [other] * 3), np.float32) for key, other in (("mean", 0), ("std", 1)))
            self.members.append((session, mean, std, member.get("input", "x"), member.get("output", "logits"), member.get("weight", 1)))
        self.sha256 = digest.hexdigest()

    def classify(self, images):
        """Probabilities [N, classes] of images [N, 32, 32, 3] in bytes."""
        total = 0
        for session, mean, std, given, wanted, weight in self.members:
            values = ((images.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)
            logits = session.run([wanted], {given: values})[0]
            odds = np.exp(logits - logits.max(1, keepdims=True))
            total = total + weight * odds / odds.sum(1, keepdims=True)
        return total / total.sum(1, keepdims=True)
