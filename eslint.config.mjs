import tseslint from 'typescript-eslint';

const environment = [
  { object: 'process', property: 'env', message: 'Only cli and config read the environment (DESIGN §1).' },
];

export default tseslint.config(
  { ignores: ['build', 'dist', 'node_modules', 'data', 'results', 'coverage'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Nest modules and settings are classes with nothing but decorators.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-properties': ['error', ...environment],
      // The types of JSX bring those of browsers with them.
      'no-restricted-globals': [
        'error',
        'window',
        'document',
        'location',
        'name',
        'event',
        'self',
        'top',
        'parent',
        'status',
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: [{ name: 'node:process', importNames: ['env'], message: 'Only cli and config read the environment.' }],
        },
      ],
    },
  },
  { files: ['src/cli/**', 'src/config/**', 'test/**', 'bench/**'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['test/**', 'bench/**', '**/*.test.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['src/web/**/*.tsx'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]',
          message: 'Nothing reaches a page without being escaped.',
        },
        {
          selector: 'JSXAttribute[name.name=/^(style|on[A-Z].*)$/]',
          message: 'The content security policy applies nothing inline: use a class, or assets/script.ts.',
        },
      ],
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'no-console': 'off', 'no-restricted-properties': 'off' },
  },
);
