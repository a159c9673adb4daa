/** Signals that end a command, with its exit code. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const;

/** The user ended the command. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly code: number) {
    super('interrupted');
  }
}

/** Runs work that a signal aborts; a second signal ends the process. @returns its result, or the exit code for the signal */
export async function interruptible(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const aborter = new AbortController();
  const listeners = Object.entries(signals).map(([name, code]) => {
    const listener = () => aborter.abort(new Interrupted(code));
    process.once(name, listener);
    return { name, listener };
  });
  try {
    return await work(aborter.signal);
  } catch (error) {
    const reason: unknown = aborter.signal.reason;
    if (!(reason instanceof Interrupted)) throw error;
    process.stderr.write('interrupted\n');
    return reason.code;
  } finally {
    for (const { name, listener } of listeners) process.off(name, listener);
  }
}
