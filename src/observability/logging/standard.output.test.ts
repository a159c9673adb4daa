import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

const module = new URL('standard.output.ts', import.meta.url).href;

/** Writes lines at SIGUSR2, and says on standard error how many and that it is alive. */
const script = `
  const { standardOutput } = await import(${JSON.stringify(module)});
  // What a process does that looks whether it has a terminal.
  process.stdout.isTTY;
  const output = standardOutput();
  let count = 0;
  const timer = setInterval(() => console.error('alive ' + count), 20);
  process.on('SIGUSR2', () => {
    for (let line = 0; line < 20_000; line += 1) output.write('line ' + (count += 1) + ' '.repeat(90) + '\\n');
  });
  process.on('SIGHUP', () => {
    const info = (name) => '{"level":30,"msg":"' + name + '"}\\n';
    for (let line = 0; line < 10; line += 1) output.write(info('together'));
    setImmediate(() => {
      output.write(info('before the error'));
      output.write('{"level":50,"msg":"the error"}\\n');
      output.write(info('lost'));
      process.kill(process.pid, 'SIGKILL');
    });
  });
  process.on('SIGINT', () => {
    output.write('{"level":30,"msg":"the last"}\\n');
    process.exit(3);
  });
  process.on('SIGTERM', () => clearInterval(timer));
  output.write('ready\\n');`;

function start() {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { output: '', error: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.error += chunk.toString()));
  const sees = async (what: 'output' | 'error', pattern: RegExp) => {
    for (let left = 2_500; !pattern.test(said[what]); left -= 1) {
      if (left === 0) throw new Error(`${pattern} was not seen`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, said, sees, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

it('holds nothing up when nobody reads, and says later how much is missing', { timeout: 120_000 }, async () => {
  using running = start();
  const { child, said, sees } = running;
  await sees('output', /ready/);
  child.stdout.pause();
  child.kill('SIGUSR2');
  await sees('error', /alive 20000/);
  child.stdout.resume();
  await sees('output', /\d+ log lines were dropped/);
  const lines = said.output.trimEnd().split('\n');
  const [, dropped = ''] = /(\d+) log lines were dropped/.exec(said.output) ?? [];
  const numbers = lines.filter((line) => line.startsWith('line ')).map((line) => Number(line.slice(5, 15)));
  expect(numbers.length + Number(dropped)).toBe(20_000);
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
  expect(numbers.length * 96).toBeGreaterThan(1024 * 1024);
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
});

it('loses nothing to a reader that is slow for a moment, also at the end of the process', async () => {
  using running = start();
  const { child, said, sees } = running;
  await sees('output', /ready/);
  child.stdout.pause();
  child.kill('SIGUSR2');
  await sees('error', /alive 20000/);
  child.kill('SIGTERM');
  setTimeout(() => child.stdout.resume(), 300);
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(said.output.length).toBeGreaterThan(1024 * 1024);
}, 120_000);

it('does not keep a process whose log nobody reads', async () => {
  using running = start();
  const { child, sees } = running;
  await sees('output', /ready/);
  child.stdout.pause();
  child.kill('SIGUSR2');
  await sees('error', /alive 20000/);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
}, 120_000);

it('writes lines of a turn together, and an error at once with those before it', async () => {
  using running = start();
  const { child, said, sees } = running;
  await sees('output', /ready/);
  child.kill('SIGHUP');
  expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
  const names = [...said.output.matchAll(/"msg":"([^"]*)"/g)].map(([, name]) => name);
  expect(names).toEqual([...Array.from({ length: 10 }, () => 'together'), 'before the error', 'the error']);
}, 60_000);

it('loses nothing when the process exits in the turn of a line', async () => {
  using running = start();
  const { child, said, sees } = running;
  await sees('output', /ready/);
  child.kill('SIGINT');
  expect(await once(child, 'close')).toEqual([3, null]);
  expect(said.output).toContain('the last');
}, 60_000);
