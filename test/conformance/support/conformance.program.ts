import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where `.ci/install-clients` puts it; nothing else on a path has such a general name. */
const program = process.env.CONFORMANCE ?? '/usr/local/lib/oci-conformance/conformance';

/** Milliseconds for one run. */
const deadline = 240_000;

export type Version = '1.1' | 'dev';

export interface Outcome {
  readonly tests: number;
  readonly failures: number;
  readonly skipped: number;
  /** What the report says of each failure. */
  readonly failed: readonly string[];
  /** Kinds of skipped tests and the reasons, each once. */
  readonly skips: readonly string[];
}

/** Runs the OCI conformance program with every API on. @param folder where it leaves its report */
export async function runConformance(
  url: string,
  version: Version,
  namespace: string,
  folder: string,
): Promise<Outcome> {
  await mkdir(folder, { recursive: true });
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    OCI_REGISTRY: new URL(url).host,
    OCI_TLS: 'disabled',
    // Other runs leave their repositories.
    OCI_REPO1: `${namespace}/${version.replace('.', '-')}/repo1`,
    OCI_REPO2: `${namespace}/${version.replace('.', '-')}/repo2`,
    OCI_VERSION: version,
    OCI_RESULTS_DIR: folder,
  };
  const output = await new Promise<string>((resolve, reject) => {
    execFile(program, { env, cwd: folder, maxBuffer: 64 * 1024 * 1024, timeout: deadline }, (error, stdout, stderr) => {
      // 1 says that tests failed; the report says which.
      if (error && error.code !== 1) reject(new Error(`${program}: ${error.message}`));
      else resolve(`${stdout}${stderr}`);
    });
  });
  const report = await readFile(join(folder, 'junit.xml'), 'utf8').catch(() => undefined);
  if (report === undefined) throw new Error(`there is no report: ${output.slice(-2_000)}`);
  return outcomeOf(report);
}

function outcomeOf(report: string): Outcome {
  const [suites] = /<testsuites [^>]*>/.exec(report) ?? [];
  if (suites === undefined) throw new Error(`this is no report: ${report.slice(0, 500)}`);
  // A count of none is left out.
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suites)?.[1] ?? 0);
  const cases = report.split('<testcase ').slice(1);
  const withStatus = (status: string) => cases.filter((text) => new RegExp(`^[^>]* status="${status}"`).test(text));
  return {
    tests: count('tests'),
    failures: count('failures'),
    skipped: count('skipped'),
    failed: withStatus('failure').map((text) => text.slice(0, 1_500)),
    skips: [...new Set(withStatus('skipped').map(reasonOf))],
  };
}

function reasonOf(text: string): string {
  const name = /name="[^"]*\/([^"/]+)"/.exec(text)?.[1] ?? '';
  return `${name}: ${/<system-out>([^<]*)/.exec(text)?.[1] ?? 'no reason'}`;
}
