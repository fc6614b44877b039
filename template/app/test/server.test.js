import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../src/config.js';
import { createHealth } from '../src/health.js';
import { createLogger } from '../src/logger.js';
import { startServer } from '../src/server.js';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));

/** Start the real process and read its log lines; it is killed after the test. */
async function start(t, env) {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env.PATH, PORT: '0', ...env } });
  t.after(() => child.kill('SIGKILL'));
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
      const missing = () => new Error(`exited without '${message}': ${JSON.stringify(logs)}`);
      child.once('exit', () => setTimeout(() => reject(missing()), 200));
      look();
    });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  return { child, logs, line, ended };
}

async function startReady(t, env) {
  const service = await start(t, env);
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
  async function serve(t, app, overrides = {}) {
    const config = { ...loadConfig({ PORT: '0', DRAIN_SECONDS: '0', LOG_LEVEL: 'silent' }), ...overrides };
    const logger = createLogger(config);
    const running = await startServer({ app, config, health: createHealth({ logger }), logger });
    t.after(() => {
      running.server.closeAllConnections();
      running.server.close();
    });
    return running;
  }

  it("keeps idle connections longer than the load balancer's 60 seconds", async (t) => {
    const { server, shutdown } = await serve(t, (_req, res) => res.end());
    assert.ok(server.keepAliveTimeout > 60_000);
    assert.ok(server.headersTimeout > server.keepAliveTimeout);
    assert.equal(await shutdown(), true);
  });

  it('finishes a request in progress, then stops', async (t) => {
    const arrived = new EventEmitter();
    const { port, shutdown } = await serve(t, (_req, res) => {
      arrived.emit('request');
      setTimeout(() => res.end('done'), 300);
    });
    const agent = new http.Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    const request = once(arrived, 'request');
    const answer = get(port, '/', agent);
    await request;
    const stopped = shutdown();
    assert.equal((await answer).statusCode, 200);
    assert.equal(await stopped, true); // although the client keeps its connection
    await assert.rejects(get(port, '/'), { code: 'ECONNREFUSED' });
  });

  it('closes active connections at the deadline', async (t) => {
    const arrived = new EventEmitter();
    const { port, shutdown } = await serve(t, () => arrived.emit('request'), { shutdownSeconds: 0.2 });
    const request = once(arrived, 'request');
    const answer = assert.rejects(get(port, '/'), { code: 'ECONNRESET' });
    await request;
    assert.equal(await shutdown(), false);
    await answer;
  });
});

describe('the process', () => {
  it('drains on SIGTERM: serves requests, fails health checks, then exits with 0', async (t) => {
    const { base, child, ended, line, port } = await startReady(t, { DRAIN_SECONDS: '2' });
    const agent = new http.Agent({ keepAlive: true });
    t.after(() => agent.destroy());
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
  });

  it('stops immediately on SIGINT', async (t) => {
    const { child, ended } = await startReady(t, { DRAIN_SECONDS: '20' });
    const startedAt = Date.now();
    child.kill('SIGINT');
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.ok(Date.now() - startedAt < 5000);
  });

  it('stops immediately on a second signal', async (t) => {
    const { child, ended, line } = await startReady(t, { DRAIN_SECONDS: '20' });
    child.kill('SIGTERM');
    await line('draining');
    child.kill('SIGTERM');
    assert.deepEqual(await ended, { code: 130, signal: null });
  });

  it('does not start with an invalid configuration, and reports the problem', async (t) => {
    const { ended, line } = await start(t, { PORT: 'eighty' });
    const message = "invalid configuration: PORT must be a whole number from 0 to 65535, not 'eighty'.";
    const { level } = await line(message);
    assert.equal(level, 'fatal');
    assert.deepEqual(await ended, { code: 1, signal: null });
  });

  it('reports a port that is in use', async (t) => {
    const first = await startReady(t, { DRAIN_SECONDS: '0' });
    const second = await start(t, { PORT: String(first.port) });
    const { err } = await second.line('startup failed');
    assert.equal(err.code, 'EADDRINUSE');
    assert.equal((await second.ended).code, 1);
    first.child.kill('SIGTERM');
    await first.ended;
  });
});
