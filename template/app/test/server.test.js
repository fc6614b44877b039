import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../src/config.js';
import { createHealth } from '../src/health.js';
import { createLogger } from '../src/logger.js';
import { startServer } from '../src/server.js';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));

/** Start the real process and read its log lines. */
async function start(env) {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env.PATH, PORT: '0', ...env } });
  const logs = [];
  const waiting = new Set();
  createInterface({ input: child.stdout }).on('line', (text) => {
    logs.push(JSON.parse(text));
    for (const look of waiting) look();
  });
  const line = (message) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = logs.find(({ msg }) => msg === message);
        if (found) resolve(found);
        if (found) waiting.delete(look);
      };
      waiting.add(look);
      child.once('exit', () => setTimeout(reject, 200, new Error(`exited without '${message}': ${JSON.stringify(logs)}`)));
      look();
    });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  return { child, logs, line, ended };
}

async function startReady(env) {
  const service = await start(env);
  const { port } = await service.line('listening');
  await service.line('ready');
  return { ...service, base: `http://127.0.0.1:${port}`, port };
}

function get(port, path, agent) {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path, agent }, (response) => {
        response.resume();
        response.on('end', () => resolve(response));
      })
      .on('error', reject);
  });
}

describe('the server', () => {
  it("keeps idle connections longer than the load balancer's 60 seconds", async () => {
    const config = loadConfig({ PORT: '0', DRAIN_SECONDS: '0', LOG_LEVEL: 'silent' });
    const logger = createLogger(config);
    const health = createHealth({ logger });
    const { server, shutdown } = await startServer({ app: (_req, res) => res.end(), config, health, logger });
    assert.ok(server.keepAliveTimeout > 60_000);
    assert.ok(server.headersTimeout > server.keepAliveTimeout);
    assert.equal(await shutdown(), true);
  });

  it('finishes a request under way, then stops', async () => {
    const config = loadConfig({ PORT: '0', DRAIN_SECONDS: '0', LOG_LEVEL: 'silent' });
    const logger = createLogger(config);
    const health = createHealth({ logger });
    const app = (_req, res) => setTimeout(() => res.end('done'), 300);
    const { port, shutdown } = await startServer({ app, config, health, logger });
    const agent = new http.Agent({ keepAlive: true });
    const answer = get(port, '/', agent);
    await sleep(50);
    const stopped = shutdown();
    assert.equal((await answer).statusCode, 200);
    assert.equal(await stopped, true); // although the client keeps its connection
    agent.destroy();
    await assert.rejects(get(port, '/'), { code: 'ECONNREFUSED' });
  });

  it('cuts what is still busy at the deadline', async () => {
    const config = { ...loadConfig({ PORT: '0', LOG_LEVEL: 'silent' }), drainSeconds: 0, shutdownSeconds: 0.2 };
    const logger = createLogger(config);
    const health = createHealth({ logger });
    const { port, shutdown } = await startServer({ app: () => {}, config, health, logger });
    const answer = assert.rejects(get(port, '/'), { code: 'ECONNRESET' });
    await sleep(50);
    assert.equal(await shutdown(), false);
    await answer;
  });
});

describe('the process', () => {
  it('drains on SIGTERM: answers, says no to health checks, then exits with 0', async () => {
    const { base, child, ended, line, port } = await startReady({ DRAIN_SECONDS: '1' });
    const agent = new http.Agent({ keepAlive: true });
    assert.equal((await get(port, '/health', agent)).statusCode, 200);
    child.kill('SIGTERM');
    await line('draining');

    const health = await fetch(`${base}/health`);
    assert.equal(health.status, 503);
    assert.equal((await health.json()).status, 'draining');
    const still = await get(port, '/', agent);
    assert.equal(still.statusCode, 200);
    assert.equal(still.headers.connection, 'close');

    assert.deepEqual(await ended, { code: 0, signal: null });
    await assert.rejects(fetch(base));
    agent.destroy();
  });

  it('stops at once on Ctrl-C', async () => {
    const { child, ended } = await startReady({ DRAIN_SECONDS: '20' });
    const startedAt = Date.now();
    child.kill('SIGINT');
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.ok(Date.now() - startedAt < 5000);
  });

  it('stops at once when it is asked twice', async () => {
    const { child, ended, line } = await startReady({ DRAIN_SECONDS: '20' });
    child.kill('SIGTERM');
    await line('draining');
    child.kill('SIGTERM');
    assert.deepEqual(await ended, { code: 130, signal: null });
  });

  it('refuses to start with a wrong configuration, and says what is wrong', async () => {
    const { ended, line } = await start({ PORT: 'eighty' });
    const message = "configuration is wrong: PORT must be a whole number from 0 to 65535, not 'eighty'.";
    const { level } = await line(message);
    assert.equal(level, 'fatal');
    assert.deepEqual(await ended, { code: 1, signal: null });
  });

  it('says so when the port is taken', async () => {
    const first = await startReady({ DRAIN_SECONDS: '0' });
    const second = await start({ PORT: String(first.port) });
    const { err } = await second.line('could not start');
    assert.equal(err.code, 'EADDRINUSE');
    assert.equal((await second.ended).code, 1);
    first.child.kill('SIGTERM');
    await first.ended;
  });
});
