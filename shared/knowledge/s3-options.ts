import { z } from 'zod';
import { group, option } from '../config/index.js';

/** How to reach an S3-compatible store: a group of options for whoever opens one by its URL. */
export function s3Group() {
  return group({
    endpoint: option(z.url().optional(), {
      description: "Of an S3-compatible store that is not Amazon's; credentials come from the usual AWS variables.",
      placeholder: 'http://HOST:PORT',
    }),
    region: option(z.string().optional(), { description: 'Of the bucket; default: AWS_REGION, else us-east-1.' }),
  });
}
