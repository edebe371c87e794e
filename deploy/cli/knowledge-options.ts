import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../../shared/build/compiled.js';
import { group, option } from '../../shared/config/index.js';

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

/** How to reach an S3-compatible store. */
export function s3Group() {
  return group({
    endpoint: option(z.url().optional(), {
      description: "Of an S3-compatible store that is not Amazon's; credentials come from the usual AWS variables.",
      placeholder: 'http://HOST:PORT',
    }),
    region: option(z.string().optional(), { description: 'Of the bucket; default: AWS_REGION, else us-east-1.' }),
  });
}
