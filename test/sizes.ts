/** What each of these runs tries; a night has hours for what the gate has minutes for (CONTRIBUTING, "Gate and night"). */
const [desk, gate, night] = [0, 1, 2];
const run = process.env.NIGHTLY === '1' ? night : process.env.CI === 'true' ? gate : desk;

const size = (...sizes: readonly [desk: number, gate: number, night: number]): number => sizes[run]!;

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

export const sizes = {
  /** Requests of nonsense that one process is sent. */
  fuzzedRequests: size(20_000, 100_000, 1_000_000),
  /** How often a password changes while images are pulled, once a second. */
  rotations: size(3, 3, 300),
  /** Requests at the moment at which credentials end. */
  requestsAtExpiry: size(100, 200, 1_000),
  /** Forged tokens, headers and scopes of each kind. */
  forgedTokens: size(1_000, 1_000, 200_000),
  /**
   * How often the program is killed, with content in a folder, during pushes to a folder and to a bucket, and with
   * content in a bucket. `KILLS` sets all. */
  kills: Number(process.env.KILLS ?? size(50, 50, 1_000)),
  killsOfPushes: Number(process.env.KILLS ?? size(20, 50, 1_000)),
  killsOfPushesToBucket: Number(process.env.KILLS ?? size(6, 6, 1_000)),
  killsOnBucket: Number(process.env.KILLS ?? size(25, 25, 1_000)),
  /** Of the system calls of a push, every which one fails. */
  faultStride: Number(process.env.FAULT_STRIDE ?? size(3, 3, 1)),
  /** Bytes of the largest layer that clients push. */
  largestLayer: size(64 * MiB, 64 * MiB, 5 * GiB),
  /** Images that clients push to three replicas, and while one of these is killed every 2 s. */
  pushesToReplicas: Number(process.env.PUSHES ?? size(30, 30, 1_000)),
  /** Reloads of the configuration in a row, and seconds in which everything is reloaded each second while clients pull. */
  reloads: size(100, 100, 1_000),
  secondsOfReloads: size(6, 6, 300),
  /** Pushes of each of 8 clients while garbage is collected without pause. */
  roundsOfPushes: Number(process.env.ROUNDS ?? size(15, 15, 1_250)),
} as const;
