/** Added to the variance in batch normalisation. */
export const BATCH_NORM_EPSILON = 1e-3;
