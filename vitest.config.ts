import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

// swc emits the decorator metadata that Nest's injection and class-validator read; esbuild does not.
const decorators = swc.vite({
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
});

/** Many files wait for timers and sockets; with one worker, Vitest's choice for two cores, half of the machine would idle. */
const workers = Math.max(2, availableParallelism() - 1);

/** What measures delays, memory or time under load, or works the machine hard: one at a time, with nothing beside it. */
const load = [
  'test/e2e/observability/{at-rest,bounded}.test.ts',
  'test/e2e/lazy-pull.test.ts',
  'test/e2e/pages/browse-many.test.ts',
  'test/e2e/reload/load.test.ts',
  'test/e2e/hosted/many-tags.test.ts',
  'test/e2e/push/stalling-clients.test.ts',
  'test/e2e/security/{exhaustion,fuzz,long-lists,memory,pipelining,quota,shares}.test.ts',
  'test/chaos/{cold-pulls,many-objects,orphans,rolling-restart,silent-names,storm}.test.ts',
];

/** What works the machine hard for minutes and measures nothing: after the load files, side by side. */
const kills = ['test/e2e/push/kill.test.ts', 'test/chaos/{commit,kill,push-replicas}.test.ts'];

/** What replaces modules or timers, or reads state of a module from its start: each file has modules of its own. */
const alone = ['src/{storage/reading,upstream/credentials,config/proxy}/**/*.test.ts'];

/** Files that only run the program, which sends what it can before the framework. */
const ofProgram = readdirSync('test/e2e', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => `test/e2e/${file}`)
  .filter((file) => {
    const text = readFileSync(file, 'utf8');
    return text.includes("/program.js'") && !/\/(mirror|stage|hosting|notifying)\.js'/.test(text);
  });

const suite = (name: string, include: string[], timeout: number, parallel: boolean, exclude: string[] = []) => ({
  extends: true as const,
  test: { name, include, exclude, testTimeout: timeout, hookTimeout: timeout, maxWorkers: parallel ? workers : 1 },
});

type Suite = ReturnType<typeof suite>;

/** All files of a worker share its modules: loading them for each file takes longer than the tests. */
const sharing = ({ test, ...rest }: Suite) => ({ ...rest, test: { ...test, isolate: false } });

/** Vitest wants projects with other numbers of workers in a group of their own. */
const later = ({ test, ...rest }: Suite) => ({ ...rest, test: { ...test, sequence: { groupOrder: 1 } } });

const withVariables = ({ test, ...rest }: Suite, env: Record<string, string>) => ({ ...rest, test: { ...test, env } });

const withSetup = ({ test, ...rest }: Suite, globalSetup: string) => ({
  ...rest,
  test: { ...test, globalSetup },
});

export default defineConfig({
  plugins: [decorators],
  test: {
    pool: 'forks',
    setupFiles: ['./test/setup.ts'],
    // As the command line sets it.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    projects: [
      sharing(suite('unit', ['src/**/*.test.{ts,tsx}', 'test/unit/**/*.test.ts'], 30_000, true, alone)),
      suite('alone', alone, 10_000, true),
      suite('e2e', ['test/e2e/**/*.test.ts'], 30_000, true, [...load, ...kills]),
      // As e2e, with every response from the framework.
      withVariables(
        suite('framework', ['test/e2e/**/*.test.ts'], 30_000, true, [
          ...load,
          ...kills,
          ...ofProgram,
          'test/e2e/hot/**',
        ]),
        { FRAMEWORK_ONLY: 'true' },
      ),
      suite('chaos', ['test/chaos/**/*.test.ts'], 60_000, true, [...load, ...kills]),
      suite('load', load, 60_000, false),
      later(suite('kills', kills, 60_000, true)),
      suite('storage', ['test/storage/**/*.test.ts'], 60_000, true),
      suite('conformance', ['test/conformance/**/*.test.ts'], 300_000, false),
      suite('browser', ['test/browser/**/*.test.ts'], 60_000, false),
      withSetup(
        suite('clients', ['test/clients/**/*.test.ts'], 300_000, false),
        './test/clients/support/filled-registry.ts',
      ),
    ],
  },
});
