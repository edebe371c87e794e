import type { Tensor, Tensor4D } from '@tensorflow/tfjs-node-gpu';
import { nativeBackend, type OpAttribute, type Tf } from './native.js';

/** Number format in which convolutions multiply; they add up in float32 either way. */
export type Precision = 'float32' | 'bfloat16';

/** Differentiable 2-D convolutions: x [N, H, W, C], kernel [k, k, C, F], SAME padding, float32 in and out. */
export interface Convolutions {
  ofVariable(x: Tensor4D, kernel: Tensor4D, stride: number): Tensor4D;
  /** The same without a gradient for x. */
  ofConstant(x: Tensor4D, kernel: Tensor4D, stride: number): Tensor4D;
}

/** TF_BFLOAT16 of TensorFlow's C API. */
const BFLOAT16 = 14;

/**
 * Binds convolutions that multiply in the given format. In bfloat16 (8 bits of mantissa, the exponents of float32) they
 * take about half the time on a processor that has instructions for it (AVX512-BF16, AMX) or on a GPU, and longer on
 * one that has not.
 */
export function convolutions(tf: Tf, precision: Precision): Convolutions {
  const backend = nativeBackend(tf);
  const { binding } = backend;
  const float = binding.TF_FLOAT;
  const cast = (from: number, to: number): OpAttribute[] => [
    { name: 'SrcT', type: binding.TF_ATTR_TYPE, value: from },
    { name: 'DstT', type: binding.TF_ATTR_TYPE, value: to },
    { name: 'Truncate', type: binding.TF_ATTR_BOOL, value: false },
  ];
  const narrowing = cast(float, BFLOAT16);
  const widening = cast(BFLOAT16, float);
  const isFloat = precision === 'float32';

  // TensorFlow.js has no name for bfloat16: there such a tensor is called float32, and meets no operation but these.
  const operand = (x: Tensor): Tensor => {
    if (isFloat) return x;
    const [narrow] = binding.executeOp('Cast', narrowing, backend.getInputTensorIds([x]), 1);
    return backend.createOutputTensor({ ...narrow!, dtype: float });
  };

  /** `inputs` are operands and int32 shapes. */
  const multiply = (op: string, stride: number, inputs: Tensor[]): Tensor => {
    const attributes: OpAttribute[] = [
      { name: 'T', type: binding.TF_ATTR_TYPE, value: isFloat ? float : BFLOAT16 },
      { name: 'strides', type: binding.TF_ATTR_INT, value: [1, stride, stride, 1] },
      { name: 'dilations', type: binding.TF_ATTR_INT, value: [1, 1, 1, 1] },
      { name: 'padding', type: binding.TF_ATTR_STRING, value: 'SAME' },
      { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
    ];
    if (isFloat) return backend.executeSingleOutput(op, attributes, inputs);
    const [product] = binding.executeOp(op, attributes, backend.getInputTensorIds(inputs), 1);
    const [wide] = binding.executeOp('Cast', widening, [product!.id], 1);
    binding.deleteTensor(product!.id);
    return backend.createOutputTensor(wide!);
  };
  const shapeOf = (t: Tensor) => tf.tensor1d(t.shape, 'int32');
  const slopeOfKernel = (x: Tensor, kernel: Tensor, dy: Tensor, stride: number) =>
    multiply('Conv2DBackpropFilter', stride, [x, shapeOf(kernel), dy]);

  return {
    ofVariable: (x, kernel, stride) =>
      tf.customGrad((...args) => {
        const save = args[2] as unknown as (t: Tensor[]) => void;
        const operands = [operand(args[0] as Tensor), operand(args[1] as Tensor)];
        save(operands);
        return {
          value: multiply('Conv2D', stride, operands),
          gradFunc: (slope: Tensor | Tensor[], saved: Tensor[]) => {
            const [input, weights] = saved as [Tensor, Tensor];
            const dy = operand(slope as Tensor);
            const dx = multiply('Conv2DBackpropInput', stride, [shapeOf(input), weights, dy]);
            return [dx, slopeOfKernel(input, weights, dy, stride)];
          },
        };
      })(x, kernel) as Tensor4D,

    ofConstant: (x, kernel, stride) =>
      tf.customGrad((...args) => {
        const save = args[1] as unknown as (t: Tensor[]) => void;
        const operands = [operand(x), operand(args[0] as Tensor)];
        save(operands);
        return {
          value: multiply('Conv2D', stride, operands),
          gradFunc: (slope: Tensor | Tensor[], saved: Tensor[]) =>
            slopeOfKernel(saved[0]!, saved[1]!, operand(slope as Tensor), stride),
        };
      })(kernel) as Tensor4D,
  };
}
