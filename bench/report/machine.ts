import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

/** What the figures depend on. */
export interface Machine {
  readonly kernel: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  /** Processes that ran or waited for the processor or the disk in the minute before. */
  readonly load: number;
  readonly mirror: string;
  /** Of the Node binary that runs the mirror. */
  readonly node: string;
  readonly dockerRegistry: string;
  readonly wrk: string;
}

/** @throws Error when a program the benchmark needs is not installed. */
export function describeMachine(node: string): Machine {
  return {
    kernel: `${type()} ${release()}`,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    load: loadavg()[0] ?? 0,
    mirror: mirrorVersion(),
    node: firstLine(node, ['--version']),
    dockerRegistry: firstLine('docker-registry', ['--version']).split(' ').at(-1) ?? '',
    // wrk tells its version and exits with 1.
    wrk: /^wrk (?:debian\/)?(\S+)/.exec(firstLine('wrk', ['-v']))?.[1] ?? 'unknown',
  };
}

export function machineLines(machine: Machine): string {
  return [
    `mirror ${machine.mirror} on Node ${machine.node}, docker-registry ${machine.dockerRegistry}, wrk ${machine.wrk}`,
    `${machine.kernel}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, load before ${machine.load.toFixed(1)}`,
  ].join('\n');
}

/** Of this repository, with the commit where that is known. */
export function mirrorVersion(): string {
  return [packageVersion(), commit()].filter((part) => part !== undefined).join(' ');
}

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Undefined outside a clone. */
function commit(): string | undefined {
  const options = { cwd: import.meta.dirname, encoding: 'utf8' } as const;
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], options);
  return status === 0 ? `(${stdout.trim()})` : undefined;
}

function firstLine(command: string, args: readonly string[]): string {
  const { error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${command} does not run: ${error.message}`);
  return (stdout || stderr).split('\n')[0]?.trim() ?? '';
}
