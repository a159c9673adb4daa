/** Milliseconds that a check may take. */
export const checkDeadline = 10_000;

/** The result of a check. The detail is for people and never contains a secret. */
export interface Finding {
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
}

/** One check of the server's environment. */
export interface Check {
  readonly name: string;
  /** @param signal aborts at the deadline; the check always releases its resources. An exception counts as a failure. */
  readonly run: (signal: AbortSignal) => Promise<Finding>;
}

export interface CheckResult extends Finding {
  readonly name: string;
  /** Milliseconds. */
  readonly duration: number;
}

/** Runs a check, at most until its deadline. Never throws. */
export async function runCheck({ name, run }: Check, deadline = checkDeadline): Promise<CheckResult> {
  const start = performance.now();
  const aborter = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => {
      resolve({ status: 'fail', detail: `took longer than ${deadline / 1000} s` });
      aborter.abort(new Error('the check took too long'));
    }, deadline);
  });
  const running = run(aborter.signal).catch((error: unknown): Finding => ({ status: 'fail', detail: reasonOf(error) }));
  const finding = await Promise.race([running, late]).finally(() => clearTimeout(timer));
  return { name, ...finding, duration: Math.round(performance.now() - start) };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
