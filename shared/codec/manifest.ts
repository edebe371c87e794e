import { z } from 'zod';
import { calibrationSchema, isAscending } from './calibration.js';

const costSchema = z.object({
  /** Trained numbers of the served graph. */
  parameters: z.int().positive(),
  /** 10^6 floating-point operations an image; a multiply and an add count as two. */
  mflop: z.number().positive(),
});

/** `manifest.json` of a published model: all that a service or a reader needs to know of it. */
export const manifestSchema = z
  .object({
    format: z.literal('semlink-model/1'),
    /** Name of the model and of its folder; frames ask for it by this. */
    version: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'lower-case letters, digits, ".", "_" and "-", at most 64'),
    dataset: z.string(),
    classNames: z.array(z.string()).min(2),
    network: z.object({
      width: z.int().positive(),
      height: z.int().positive(),
      classes: z.int().min(2),
      stages: z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]),
      maxChannelUses: z.int().positive(),
      conditionUnits: z.int().positive(),
      decoderUnits: z.int().positive(),
      unadapted: z.boolean().optional(),
    }),
    /** Lengths k a frame can have, ascending; the last is the network's maxChannelUses. */
    channelUses: z.array(z.int().positive()).min(1).refine(isAscending, 'must ascend'),
    cost: z.object({ encoder: costSchema, decoder: costSchema }),
    calibration: calibrationSchema,
    /** How it was made: enough to make it again. */
    training: z.object({
      command: z.string(),
      seed: z.int(),
      split: z.string(),
      images: z.int().positive(),
      epochs: z.number().positive(),
      batchSize: z.int().positive(),
      steps: z.int().positive(),
      seconds: z.number(),
      threads: z.int(),
      software: z.record(z.string(), z.string()),
      options: z.record(z.string(), z.unknown()),
      /** The stored knowledge it learned from; absent: from labels. */
      knowledge: z
        .object({
          teacher: z.string(),
          teacherSha256: z.string(),
          augmentationSha256: z.string(),
          views: z.int().positive(),
          topK: z.int().positive(),
        })
        .optional(),
      /** The published model whose weights it began from; absent: random ones. */
      startedFrom: z.object({ model: z.string(), weightsSha256: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
    }),
    /** SHA-256 of every other file of the folder, by path. */
    files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
  })
  .refine((m) => m.classNames.length === m.network.classes, {
    path: ['classNames'],
    message: "must be one for each of the network's classes",
  })
  .refine((m) => m.channelUses.at(-1) === m.network.maxChannelUses, {
    path: ['channelUses'],
    message: "the last must be the network's maxChannelUses",
  })
  .refine((m) => m.calibration.channelUses.join() === m.channelUses.join(), {
    path: ['calibration', 'channelUses'],
    message: "must be the model's channelUses: rate control goes by these rows",
  });

/** A published model's description. */
export type Manifest = z.infer<typeof manifestSchema>;
