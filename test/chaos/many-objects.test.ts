import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';

beforeAll(build, 180_000);

const child = join(import.meta.dirname, 'support/sweep.child.mjs');
const pieces = 50_000;
const mebibyte = 1024 * 1024;

/** Content, each piece in one of a thousand repositories; a tenth is old. */
function fill(root: string, count: number): void {
  const old = new Date(Date.now() - 90 * 86_400_000);
  const folders = new Set<string>();
  for (let index = 0; index < count; index += 1) {
    const hex = createHash('sha256').update(String(index)).digest('hex');
    const record = `repositories/registry.test/team${index % 1_000}/app/_blobs/sha256/${hex}`;
    for (const path of [`blobs/sha256/${hex.slice(0, 2)}/${hex}`, record]) {
      const folder = dirname(join(root, path));
      if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
      folders.add(folder);
      writeFileSync(join(root, path), path === record ? '{"version":1,"size":5}' : String(index));
      if (index % 10 === 0) utimesSync(join(root, path), old, old);
    }
  }
}

describe('100,000 objects', () => {
  it('are swept in little memory, and do not keep the program from being ready', { timeout: 600_000 }, async () => {
    await using folder = await Folder.make();
    const root = folder.file('data');
    fill(root, pieces);
    fill(folder.file('small'), 1_000);
    const start = async (at: string) => {
      const from = performance.now();
      const args = ['--listen', '127.0.0.1:0', '--max-size', '1TiB', 'filesystem', '--root', at];
      await (await Program.start(args))[Symbol.asyncDispose]();
      return performance.now() - from;
    };
    const starts: { many: number; none: number }[] = [];
    for (let round = 0; round < 3; round += 1)
      starts.push({ many: await start(root), none: await start(folder.file(`empty${round}`)) });
    const [many, none] = (['many', 'none'] as const).map((kind) => Math.min(...starts.map((each) => each[kind])));
    // A machine that others use starts anything slowly; what is stored must not matter.
    expect(many!).toBeLessThan(Math.max(2_000, none! * 1.5));

    // A block each: a twentieth has to go for the low-water mark, and it is the old ones that do.
    const quota = Math.round((pieces * 2 * 4096 * 0.97) / 0.95 / 1.02);
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      child,
      root,
      String(quota),
      folder.file('small'),
    ]);
    const result = JSON.parse(stdout) as Record<string, number>;
    process.stdout.write(`starts in ${Math.round(many!)} ms (empty: ${Math.round(none!)} ms); swept: ${stdout}\n`);
    expect(result.seen).toBeGreaterThanOrEqual(2 * pieces);
    expect(result.removedContents).toBeGreaterThan(0);
    expect(result.removedRecords).toBe(result.removedContents);
    expect(result.objects).toBe(pieces - result.removedContents!);
    expect(result.growth).toBeLessThan(20 * mebibyte);
  });
});
