// What keeps the bundle small in memory. Each plugin has its reason in docs/decisions/0008-bundle.md.
import { createRequire, isBuiltin } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/**
 * Modules of Node are required, not imported: an import reads every property of the module, and those of `node:http`,
 * `node:tls` and others load an HTTP client and the root certificates.
 */
export const requiredBuiltins = {
  name: 'required builtins',
  setup(builder) {
    const namespace = 'builtin';
    builder.onResolve({ filter: /./, namespace }, ({ path }) => ({ path, external: true }));
    builder.onResolve({ filter: /^(node:)?[a-z_0-9]+(\/[a-z_]+)?$/ }, ({ path, kind }) => {
      if (kind !== 'import-statement' || !isBuiltin(path)) return undefined;
      return { path: nodeNameOf(path), namespace, sideEffects: false };
    });
    builder.onLoad({ filter: /./, namespace }, ({ path }) => ({ contents: facadeOf(path), loader: 'js' }));
  },
};

/** TLS takes 3 MiB: the program and its framework load it when they use it. */
export const lateTls = {
  name: 'late TLS',
  setup(builder) {
    const namespace = 'late builtin';
    builder.onResolve({ filter: /./, namespace }, ({ path }) => ({ path, external: true }));
    builder.onResolve({ filter: /^(node:)?(https|http2|tls)$/ }, ({ path, importer }) =>
      /\/(build|@nestjs\/core)\/|\/fastify\/lib\/server\.js$/.test(importer)
        ? { path: nodeNameOf(path), namespace }
        : undefined,
    );
    builder.onLoad({ filter: /./, namespace }, ({ path }) => ({
      // A prototype, which esbuild passes on to whoever imports names.
      contents: `module.exports = Object.create(new Proxy({}, { get: (_, name) => require('${path}')[name] }));`,
      loader: 'js',
    }));
  },
};

const nodeNameOf = (path) => path.replace(/^(node:)?/, 'node:');

/** An ES module whose exports cost nothing unless they are used. */
function facadeOf(path) {
  const names = Object.getOwnPropertyNames(require(path)).filter((name) => /^\w+$/.test(name) && name !== 'default');
  const lines = names.map(
    (name) => `const m_${name} = /* @__PURE__ */ read('${name}');\nexport { m_${name} as ${name} };`,
  );
  return [
    `const builtin = /* @__PURE__ */ require('${path}');`,
    'const read = (name) => builtin[name];',
    'export default builtin;',
    ...lines,
  ].join('\n');
}

/** Of rxjs its ES modules, of which esbuild leaves out what nobody uses; Node's condition names one large module. */
export const rxjsModules = {
  name: 'ES modules of rxjs',
  setup(builder) {
    builder.onResolve({ filter: /^rxjs(\/operators)?$/ }, ({ path }) => ({
      path: fileURLToPath(import.meta.resolve(`rxjs/package.json`)).replace(
        'package.json',
        path === 'rxjs' ? 'dist/esm/index.js' : 'dist/esm/operators/index.js',
      ),
      sideEffects: false,
    }));
  },
};

/** Compilers of JSON schemas, which no route here has, and what injects requests in tests: loaded if somebody calls them. */
export const lateCompilers = {
  name: 'late compilers',
  setup(builder) {
    const namespace = 'late';
    builder.onResolve({ filter: /./, namespace }, ({ path }) => ({ path, external: true }));
    builder.onResolve({ filter: /^@fastify\/(ajv-compiler|fast-json-stringify-compiler)$/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, namespace } : undefined,
    );
    builder.onResolve({ filter: /^light-my-request$/ }, ({ path }) => ({ path, external: true }));
    builder.onLoad({ filter: /./, namespace }, ({ path }) => ({
      contents: `module.exports = (...own) => (...given) => require('${path}')(...own)(...given);`,
      loader: 'js',
    }));
  },
};

/** Packages whose modules are evaluated when something of them is used, which may be never. */
export const latePackages = {
  name: 'late packages',
  setup(builder) {
    const namespace = 'late package';
    const real = 'real package';
    builder.onResolve(
      { filter: /^(jose|js-yaml|semver)$/ },
      async ({ path, importer, kind, resolveDir, pluginData }) => {
        if (pluginData === real || !/\/(build|fastify\/lib)\//.test(importer) || kind === 'dynamic-import')
          return undefined;
        const { path: found } = await builder.resolve(path, { importer, kind, resolveDir, pluginData: real });
        return { path: `${found}.cjs`, namespace, pluginData: found };
      },
    );
    builder.onLoad({ filter: /./, namespace }, ({ pluginData: found }) => ({
      contents: `module.exports = Object.create(new Proxy({}, { get: (_, name) => require(${JSON.stringify(found)})[name] }));`,
      loader: 'js',
      resolveDir: dirname(found),
    }));
  },
};
