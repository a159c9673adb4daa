const one = () => 1;

/**
 * Options of an `LRUCache` that holds so many entries and takes memory as it fills. With `max` it allocates for all of
 * them when it is created.
 */
export function atMost(entries: number) {
  return { maxSize: entries, sizeCalculation: one } as const;
}
