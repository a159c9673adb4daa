import { Injectable } from '@nestjs/common';
import { useGranularity } from '../../eviction/retention.js';

/** Times of garbage collection, in milliseconds. */
@Injectable()
export class GarbageTimes {
  /** How long everything is kept after it was last pushed or used: clients push blobs long before the manifest. */
  grace = 86_400_000;
  /** A record is renewed at most once in this time. */
  granularity = useGranularity;
}
