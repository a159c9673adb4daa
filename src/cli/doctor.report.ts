import type { CheckResult } from '../config/check.js';
import { ConfigurationError, lineOf, type Problem } from '../config/configuration-error.js';
import { printable } from './progress.line.js';

/** What a valid configuration probably has wrong, and the checks of everything else. */
export interface Examination {
  readonly warnings: readonly Problem[];
  readonly results: AsyncIterable<CheckResult>;
}

/**
 * Prints the result of each check as it completes.
 * @param examine loads the configuration, which is itself the first check, and yields the results.
 * @returns 1 when a check failed, otherwise 0.
 */
export async function reportDoctor(examine: () => Examination, json: boolean): Promise<number> {
  const failed: string[] = [];
  const report = (result: CheckResult) => {
    if (result.status === 'fail') failed.push(result.name);
    process.stdout.write(`${json ? JSON.stringify(result) : rowOf(result)}\n`);
  };
  try {
    const { warnings, results } = examine();
    report({ name: 'configuration', status: 'ok', detail: 'valid', duration: 0 });
    for (const problem of warnings) {
      report({ name: 'configuration', status: 'warn', detail: lineOf(problem), duration: 0 });
    }
    for await (const result of results) report(result);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    for (const problem of error.problems) {
      report({ name: 'configuration', status: 'fail', detail: lineOf(problem), duration: 0 });
    }
  }
  return failed.length > 0 ? 1 : 0;
}

function rowOf({ name, status, detail, duration }: CheckResult): string {
  return `${status.padEnd(4)}  ${printable(name).padEnd(32)}  ${`${duration} ms`.padStart(8)}  ${printable(detail)}`;
}
