import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../../shared/build/compiled.js';
import { option } from '../../shared/config/index.js';
import { s3Group } from '../../shared/knowledge/s3-options.js';

/** The stored knowledge that comes with SemLink. */
export const SHIPPED_KNOWLEDGE = path.join(projectRoot, 'shared', 'knowledge', 'cifar10');

/** Fields of every command that reads or writes a knowledge set. */
export function storeFields(fallback: string, description: string) {
  return {
    store: option(z.string().min(1).default(fallback), {
      description: `${description} A folder, or s3://bucket/prefix.`,
      placeholder: 'URL',
    }),
    s3: s3Group(),
  };
}
