/** A large model that says what it sees: all that the teaching job knows of it. */
export interface Teacher {
  readonly name: string;
  /** Hex SHA-256 over everything that its answers depend on. */
  readonly sha256: string;
  readonly classes: number;
  /** Values of its feature; 0: it gives none. */
  readonly featureSize: number;
  /**
   * Classifies some images.
   *
   * @param rgb count x height x width x 3 bytes, R, G, B of a pixel together, 0 to 255
   */
  predict(rgb: Uint8Array, count: number): Promise<TeacherAnswer>;
  close(): Promise<void>;
}

export interface TeacherAnswer {
  /** count x classes, each row a distribution at temperature 1. */
  readonly probabilities: Float32Array;
  /** count x featureSize, where there is a feature. */
  readonly features?: Float32Array;
}

/** What runs one model: an ONNX file, a model server, a SavedModel. */
export interface ModelBackend {
  /** Hex SHA-256 of the model, as far as it can be seen. */
  readonly sha256: string;
  /**
   * @param input batch of normalised images, `shape` values, the first dimension the batch
   * @returns the outputs asked for when it was opened, each batch x its size values
   */
  run(input: Float32Array, shape: readonly number[]): Promise<ModelOutputs>;
  close(): Promise<void>;
}

export interface ModelOutputs {
  readonly output: Float32Array;
  readonly features?: Float32Array;
}

/** Names of a model's tensors. */
export interface ModelTensors {
  readonly input: string;
  readonly output: string;
  /** Left out: no feature is wanted. */
  readonly features?: string | undefined;
}
