/**
 * Where an answer came from: the store; the upstream; the store although the upstream should have been asked and could
 * not be; the store after the upstream agreed.
 */
export type CacheStatus = 'HIT' | 'MISS' | 'STALE' | 'REVALIDATED';
