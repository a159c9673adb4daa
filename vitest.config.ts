import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// swc emits the decorator metadata that Nest's injection and class-validator read; esbuild does not.
const decorators = swc.vite({
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
});

/** Files at one time. Most wait for timers and sockets: with one for each core, half of the machine would idle. */
const files = 2 * availableParallelism();
/** Of files that work harder, or run beside other suites in the gate. */
const hardFiles = availableParallelism() + 1;

/** What measures delays, or memory that depends on them: one at a time, with nothing beside it. */
const load = [
  'test/e2e/lazy-pull.test.ts',
  'test/e2e/pages/browse-many.test.ts',
  'test/e2e/hosted/many-tags.test.ts',
  'test/e2e/security/{exhaustion,fuzz,long-lists,memory,pipelining,quota,shares,slow-readers}.test.ts',
  'test/chaos/{cold-pulls,orphans,silent-names}.test.ts',
];

/** What works the machine hard and measures no delay: side by side, before the load files. */
const heavy = [
  'test/e2e/observability/{at-rest,bounded}.test.ts',
  'test/e2e/push/kill.test.ts',
  'test/e2e/reload/load.test.ts',
  'test/chaos/{commit,kill,many-objects,push-replicas,rolling-restart,storm}.test.ts',
];

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

const suite = (name: string, include: string[], timeout: number, maxWorkers: number, exclude: string[] = []) => ({
  extends: true as const,
  test: {
    name,
    include,
    exclude,
    testTimeout: timeout,
    hookTimeout: timeout,
    maxWorkers,
    // Vitest wants projects with other numbers of workers in a group of their own.
    sequence: { groupOrder: maxWorkers === hardFiles ? 1 : 0 },
  },
});

type Suite = ReturnType<typeof suite>;

/** All files of a worker share its modules: loading them for each file takes longer than the tests. */
const sharing = ({ test, ...rest }: Suite) => ({ ...rest, test: { ...test, isolate: false } });

const withVariables = ({ test, ...rest }: Suite, env: Record<string, string>) => ({ ...rest, test: { ...test, env } });

const withSetup = ({ test, ...rest }: Suite, globalSetup: string) => ({
  ...rest,
  test: { ...test, globalSetup },
});

/** Vitest begins with the largest files; the longest only call a scenario, and would run alone at the end. */
class ScenariosFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isScenario = ({ moduleId }: TestSpecification) => /\/(?:kill|push-kill|replicas)\.test\.ts$/.test(moduleId);
    return [...new Set(sorted.map(({ project }) => project))].flatMap((project) => {
      const files = sorted.filter((file) => file.project === project);
      return [...files.filter(isScenario), ...files.filter((file) => !isScenario(file))];
    });
  }
}

const isShuffled = process.argv.some((argument) => argument.startsWith('--sequence.shuffle'));

export default defineConfig({
  plugins: [decorators],
  test: {
    pool: 'forks',
    ...(!isShuffled && { sequence: { sequencer: ScenariosFirst } }),
    setupFiles: ['./test/setup.ts'],
    // Modules are compiled once, by their content, for all projects and runs; in node_modules.
    experimental: { fsModuleCache: true },
    // As the command line sets it.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    projects: [
      sharing(suite('unit', ['src/**/*.test.{ts,tsx}', 'test/unit/**/*.test.ts'], 30_000, files, alone)),
      suite('alone', alone, 10_000, files),
      sharing(suite('e2e', ['test/e2e/**/*.test.ts'], 30_000, files, [...load, ...heavy])),
      // As e2e, with every response from the framework.
      withVariables(
        sharing(
          suite('framework', ['test/e2e/**/*.test.ts'], 30_000, hardFiles, [
            ...load,
            ...heavy,
            ...ofProgram,
            'test/e2e/hot/**',
          ]),
        ),
        { FRAMEWORK_ONLY: 'true' },
      ),
      sharing(suite('chaos', ['test/chaos/**/*.test.ts'], 60_000, files, [...load, ...heavy])),
      suite('load', load, 60_000, 1),
      suite('heavy', heavy, 60_000, hardFiles),
      suite('storage', ['test/storage/**/*.test.ts'], 60_000, hardFiles),
      suite('conformance', ['test/conformance/**/*.test.ts'], 300_000, 1),
      suite('browser', ['test/browser/**/*.test.ts'], 60_000, 1),
      withSetup(
        suite('clients', ['test/clients/**/*.test.ts'], 300_000, 1),
        './test/clients/support/filled-registry.ts',
      ),
    ],
  },
});
