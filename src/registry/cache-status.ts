/**
 * - HIT: from the store
 * - MISS: from the upstream
 * - STALE: from the store, because the upstream could not revalidate it
 * - REVALIDATED: from the store, after the upstream confirmed it
 */
export type CacheStatus = 'HIT' | 'MISS' | 'STALE' | 'REVALIDATED';
