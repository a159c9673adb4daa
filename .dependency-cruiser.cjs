// The import rules of the rooms. Each line says who may see whom; `npm run check` runs them.
const room = (name) => `^src/${name}/`;
const rooms = [
  'cli',
  'process',
  'oci',
  'config',
  'storage',
  'upstream',
  'access',
  'events',
  'registry',
  'distribution',
  'admin',
  'observability',
  'web',
];
const never = (from, to) => ({
  name: `${from}-never-sees-${to}`.replaceAll('/', '-'),
  severity: 'error',
  from: { path: room(from) },
  to: { path: room(to) },
});
const mayOnlySee = (from, allowed) => ({
  name: `${from}-sees-only-${allowed.join('-') || 'itself'}`,
  severity: 'error',
  from: { path: room(from), pathNot: '[.]test[.]tsx?$' },
  to: {
    path: rooms
      .filter((r) => r !== from && !allowed.includes(r))
      .map(room)
      .concat('^src/[^/]+[.]ts$'),
  },
});
const packageOnlyIn = (name, packages, from) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: [...from, '[.]test[.]tsx?$'] },
  to: { path: packages.map((p) => `^node_modules/${p}/`) },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    mayOnlySee('oci', []),
    mayOnlySee('config', ['oci']),
    mayOnlySee('cli', ['config', 'oci']),
    mayOnlySee('storage', ['oci', 'config']),
    mayOnlySee('upstream', ['oci', 'config']),
    mayOnlySee('access', ['oci', 'config']),
    mayOnlySee('events', ['oci', 'config']),
    mayOnlySee('registry', ['oci', 'config', 'storage', 'upstream', 'events']),
    mayOnlySee('distribution', ['oci', 'config', 'registry', 'access', 'events']),
    mayOnlySee('admin', ['oci', 'config', 'registry', 'access']),
    mayOnlySee('observability', ['oci', 'config', 'registry', 'access', 'events']),
    mayOnlySee('web', ['oci', 'config', 'registry', 'access', 'events', 'admin', 'observability']),
    {
      // The services on top choose by namespace what is below them.
      name: 'registry-by-its-face',
      severity: 'error',
      from: { path: ['distribution', 'admin', 'observability', 'web'].map(room), pathNot: '[.]test[.]ts$' },
      to: { path: '^src/registry/[^/]+/', pathNot: '^src/registry/(statistics|eviction|browsing|explaining)/' },
    },
    never('registry/mirrored', 'registry/hosted'),
    never('registry/hosted', 'registry/mirrored'),
    never('registry/hosted', 'upstream'),
    packageOnlyIn(
      'fastify-at-the-edge',
      ['fastify', '@fastify', '@nestjs/platform-fastify'],
      [
        room('distribution'),
        room('admin'),
        room('observability'),
        room('web'),
        '^src/app[.]factory[.]ts$',
        '^src/process/serve[.]ts$',
      ],
    ),
    packageOnlyIn('axios-only-in-upstream', ['axios'], [room('upstream')]),
    packageOnlyIn('prom-client-only-in-observability', ['prom-client'], [room('observability')]),
    packageOnlyIn('aws-only-in-s3', ['@aws-sdk', '@smithy'], ['^src/storage/providers/s3/']),
    packageOnlyIn('commander-only-in-cli', ['commander'], [room('cli')]),
    packageOnlyIn('preact-only-in-web', ['preact', 'preact-render-to-string'], [room('web')]),
    packageOnlyIn('yaml-only-in-config', ['js-yaml'], [room('config')]),
    {
      name: 'no-attic-folders',
      severity: 'error',
      from: {},
      to: { path: '/(utils|common|helpers|shared|types)/', pathNot: 'node_modules' },
    },
    {
      name: 'no-dev-dependencies-in-src',
      severity: 'error',
      from: { path: '^src/', pathNot: '[.]test[.]tsx?$' },
      // Optional peers are installed here for their tests.
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.json'],
    },
  },
};
