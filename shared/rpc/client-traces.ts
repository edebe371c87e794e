/**
 * Metadata of a Transmit call whose client records the root spans of its images by itself: it has decided which are
 * sampled, and the spans of a failed one are hung under its root.
 */
export const CLIENT_TRACES_KEY = 'semlink-client-traces';
