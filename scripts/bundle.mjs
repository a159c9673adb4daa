// Makes dist/ of build/: the modules of the program and of its dependencies joined into few files, each loaded when it is
// needed. Loading a thousand small modules takes three times as long and 20 MiB more (docs/decisions/0008-bundle.md).
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

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

await rm('dist/chunks', { recursive: true, force: true });
await build({
  // The program and what the package exports: all share one copy of each module.
  entryPoints: ['build/main.js', 'build/app.factory.js', 'build/storage/index.js'],
  outbase: 'build',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  mainFields: ['module', 'main'],
  external: optional,
  plugins: [unusedValidation],
  // Names stay: NestJS and people who read stack traces go by them.
  keepNames: true,
  minifySyntax: true,
  minifyWhitespace: true,
  // An error that nobody catches is printed with its line.
  lineLimit: 160,
  legalComments: 'none',
  logLevel: 'warning',
  // What CommonJS packages ask for when they run.
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module';const require = makeRequire(import.meta.url);",
  },
});
