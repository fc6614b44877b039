import assert from 'node:assert/strict';
import { it } from 'node:test';
import { expectedVersion, request } from './environment.mjs';

it('answers requests that arrive together, all with the deployed version', async () => {
  const responses = await Promise.all(Array.from({ length: 20 }, () => request('/')));
  const answers = await Promise.all(responses.map((response) => response.json()));
  assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([200]));
  assert.deepEqual(new Set(answers.map(({ version }) => version)), new Set([expectedVersion]));
});
