import { runCommandLine, type Commands } from '../../../../src/cli/command-line.js';

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const none: Commands = {
  serve: () => Promise.reject(new Error('not here')),
  doctor: () => {
    throw new Error('not here');
  },
  access: () => Promise.reject(new Error('not here')),
  robot: () => Promise.reject(new Error('not here')),
};

/** Runs a command in this process, one at a time. */
export async function command(...args: readonly string[]): Promise<Said> {
  const { stdout, stderr } = process;
  const heard = { stdout: '', stderr: '' };
  const writes = { stdout: stdout.write.bind(stdout), stderr: stderr.write.bind(stderr) };
  const { DOCKER_CONFIG } = process.env;
  process.env.DOCKER_CONFIG ??= '/nowhere';
  const hear = (name: 'stdout' | 'stderr') => (text: string | Uint8Array) => {
    heard[name] += Buffer.from(text as string).toString();
    return true;
  };
  stdout.write = hear('stdout');
  stderr.write = hear('stderr');
  try {
    return { code: await runCommandLine(args, none), ...heard };
  } finally {
    stdout.write = writes.stdout;
    stderr.write = writes.stderr;
    if (DOCKER_CONFIG === undefined) delete process.env.DOCKER_CONFIG;
  }
}
