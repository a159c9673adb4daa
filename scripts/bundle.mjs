// Makes dist/ of build/: the modules of the program and of its dependencies joined into few files, each loaded when it is
// needed. Loading a thousand small modules takes three times as long and 20 MiB more (docs/decisions/0008-bundle.md).
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { build } from 'esbuild';
import { shortened } from './bundle.names.mjs';
import { lateCompilers, latePackages, lateTls, requiredBuiltins, rxjsModules } from './bundle.plugins.mjs';

/** Packages that the program looks for and goes without when they are not installed. */
const optional = [
  '@fastify/multipart',
  '@fastify/static',
  '@fastify/view',
  '@nestjs/microservices',
  '@nestjs/platform-express',
  '@nestjs/websockets',
  '@opentelemetry/*',
  'class-transformer',
];

/** NestJS loads all of class-validator for a pipe that is not used here; what is used here is found by esbuild. */
const unusedValidation = {
  name: 'unused validation',
  setup(builder) {
    builder.onResolve({ filter: /^class-validator$/ }, ({ kind, path }) =>
      kind === 'dynamic-import' || kind === 'require-call' ? { path, external: true } : undefined,
    );
  },
};

/** Where the bundle is cut besides: what the parser needs for one file of more than a MB stays with the process. */
const parts = ['fastify', 'reflect-metadata'];

const options = {
  write: false,
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  mainFields: ['module', 'main'],
  plugins: [unusedValidation, latePackages, lateTls, requiredBuiltins, rxjsModules, lateCompilers],
  // `shortened` does the rest.
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  // What CommonJS packages ask for when they run.
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module';const require = makeRequire(import.meta.url);",
  },
};

await Promise.all(['dist/chunks', 'dist/main.js'].map((path) => rm(path, { recursive: true, force: true })));
const builds = await Promise.all([
  // Of one file, because whatever it imports is looked for before it has chosen V8's options; so is a folder for `require`.
  build({
    ...options,
    entryPoints: ['build/main.js'],
    external: ['./command.js'],
    banner: { js: 'const require = process.getBuiltinModule;' },
  }),
  build({
    ...options,
    // The program and what the package exports: all share one copy of each module.
    entryPoints: [
      ...['command', 'app.factory', 'storage/index'].map((name) => ({ in: `build/${name}.js`, out: name })),
      ...parts.map((path) => ({
        in: path,
        out: `chunks/part-${path.replace(/^build\/|\.js$/g, '').replaceAll(/\W+/g, '-')}`,
      })),
    ],
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    external: optional,
  }),
]);

for (const { path, text } of builds.flatMap(({ outputFiles }) => outputFiles)) {
  await mkdir(dirname(path), { recursive: true });
  const short = checked(await shortened(text), path);
  await writeFile(path, withMetadata(short, path), { mode: text.startsWith('#!') ? 0o755 : 0o644 });
}

/** Has what decorators need evaluated before them, which esbuild does not see to across files. */
function withMetadata(text, path) {
  return path.endsWith('/app.factory.js') ? `import './chunks/part-reflect-metadata.js';\n${text}` : text;
}

/** V8 keeps two bytes for each character of a file that has one beyond Latin-1. */
function checked(text, path) {
  const found = /^.*[^\0-\xff].*$/m.exec(text);
  if (found) throw new Error(`${path} has a character beyond Latin-1, which doubles its size in memory: ${found[0]}`);
  return text;
}
