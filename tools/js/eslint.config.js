// What eslint asks of web/js. Layout is prettier's, types are tsc's.

import js from '@eslint/js';
import globals from 'globals';

export default [
  js.configs.recommended,
  {
    files: ['web/js/**/*.js'],
    languageOptions: { globals: { ...globals.browser, Go: 'readonly' } },
  },
  {
    files: ['web/testdata/**/*.js'],
    languageOptions: { globals: globals.browser },
  },
  {
    files: ['web/test/**/*.mjs'],
    languageOptions: { globals: globals.node },
  },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'max-lines-per-function': ['error', { max: 70 }],
      'no-var': 'error',
      'prefer-const': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-implicit-globals': 'error',
      'no-self-compare': 'error',
      'no-eval': 'error',
      'no-unused-vars': ['error', { caughtErrors: 'all' }],
    },
  },
];
