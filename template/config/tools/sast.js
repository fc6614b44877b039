// The rules of the static analysis. Comments in the code cannot turn them off: an exception is an entry here, with
// the file, the rule and the reason.
import security from 'eslint-plugin-security';

export default [
  { ignores: ['**/reports/'] },
  {
    files: ['**/*.js', '**/*.cjs', '**/*.mjs'],
    plugins: { security },
    rules: {
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-script-url': 'error',
      'security/detect-bidi-characters': 'error',
      'security/detect-buffer-noassert': 'error',
      'security/detect-child-process': 'error',
      'security/detect-disable-mustache-escape': 'error',
      'security/detect-eval-with-expression': 'error',
      'security/detect-new-buffer': 'error',
      'security/detect-non-literal-regexp': 'error',
      'security/detect-non-literal-require': 'error',
      'security/detect-pseudoRandomBytes': 'error',
      'security/detect-unsafe-regex': 'error',
    },
  },
];
