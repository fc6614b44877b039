import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createApp } from '../src/app.js';
import { loadConfig } from '../src/config.js';
import { createHealth } from '../src/health.js';
import { createLogger } from '../src/logger.js';
import { startServer } from '../src/server.js';

const config = loadConfig({
  APP_NAME: 'orders',
  APP_ENVIRONMENT: 'test',
  APP_VERSION: 'abc123',
  PORT: '0',
  HEALTH_PATH: '/live',
  LOG_LEVEL: 'debug',
  DRAIN_SECONDS: '0',
});

let base, health, logs, running;

function addRoutes(app) {
  app.get('/boom', () => {
    throw new Error('the password is hunter2');
  });
  app.get('/boom-later', async () => {
    await Promise.resolve();
    throw new Error('later');
  });
  app.get('/teapot', () => {
    throw Object.assign(new Error('I am a teapot'), { status: 418 });
  });
}

beforeEach(async () => {
  logs = [];
  const logger = createLogger(config, { write: (line) => logs.push(JSON.parse(line)) });
  health = createHealth({ logger, checkTimeoutMs: 50 });
  running = await startServer({ app: createApp({ config, health, logger }, addRoutes), config, health, logger });
  base = `http://127.0.0.1:${running.port}`;
});

afterEach(() => running.shutdown());

/** The log line of the request, which is written after the response. */
async function requestLine(message = 'request') {
  for (let i = 0; i < 100; i += 1) {
    const line = logs.find(({ msg }) => msg === message);
    if (line) return line;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return assert.fail(`no line '${message}' among ${JSON.stringify(logs)}`);
}

describe('GET /', () => {
  it('returns message, version and environment', async () => {
    const response = await fetch(`${base}/`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^application\/json/);
    assert.deepEqual(await response.json(), {
      message: 'Hello from orders',
      version: 'abc123',
      environment: 'test',
    });
  });

  it('does not reveal the framework, and is not cached', async () => {
    const { headers } = await fetch(`${base}/`);
    assert.equal(headers.get('x-powered-by'), null);
    assert.equal(headers.get('cache-control'), 'no-store');
  });
});

describe('GET /health', () => {
  const get = async () => {
    const response = await fetch(`${base}/health`);
    return { status: response.status, body: await response.json() };
  };

  it('fails before the service is ready', async () => {
    assert.deepEqual(await get(), { status: 503, body: { status: 'starting', checks: {} } });
  });

  it('succeeds once the service is ready', async () => {
    health.markReady();
    assert.deepEqual(await get(), { status: 200, body: { status: 'ok', checks: {} } });
  });

  it('answers at the path that the load balancer asks for, too', async () => {
    health.markReady();
    assert.equal((await fetch(`${base}/live`)).status, 200);
    assert.equal((await requestLine()).level, 'debug');
  });

  it('fails from the moment the service drains', async () => {
    health.markReady();
    health.markDraining();
    health.markReady();
    assert.deepEqual(await get(), { status: 503, body: { status: 'draining', checks: {} } });
  });

  it('runs every check, and only logs the reason of a failure', async () => {
    health.markReady();
    health.addCheck('cache', () => true);
    health.addCheck('queue', async () => {
      throw new Error('secret-host refused');
    });
    assert.deepEqual(await get(), { status: 503, body: { status: 'failing', checks: { cache: 'ok', queue: 'failing' } } });
    const line = await requestLine('readiness check failed');
    assert.equal(line.check, 'queue');
    assert.equal(line.err.message, 'secret-host refused');
  });

  it('recovers when its checks do', async () => {
    let broken = true;
    health.markReady();
    health.addCheck('flaky', () => {
      if (broken) throw new Error('down');
    });
    assert.equal((await get()).status, 503);
    broken = false;
    assert.equal((await get()).status, 200);
  });

  it('does not wait for a check that hangs', async () => {
    health.markReady();
    health.addCheck('stuck', () => new Promise(() => {}));
    assert.deepEqual((await get()).body.checks, { stuck: 'failing' });
  });
});

describe('errors', () => {
  it('returns 404 in JSON for unknown paths', async () => {
    const response = await fetch(`${base}/nowhere`, { headers: { 'X-Request-Id': 'id-1' } });
    assert.equal(response.status, 404);
    assert.deepEqual(await response.json(), { error: 'Not found', requestId: 'id-1' });
  });

  for (const path of ['/boom', '/boom-later']) {
    it(`keeps the error of ${path} out of the response`, async () => {
      const response = await fetch(`${base}${path}`);
      const body = await response.text();
      assert.equal(response.status, 500);
      assert.equal(JSON.parse(body).error, 'Internal server error');
      assert.ok(!body.includes('hunter2'));
      const line = await requestLine('request failed');
      assert.equal(line.level, 'error');
      assert.match(line.err.stack, /app\.test\.js/);
    });
  }

  it('returns the message of a 4xx error', async () => {
    const response = await fetch(`${base}/teapot`);
    assert.equal(response.status, 418);
    assert.equal((await response.json()).error, 'I am a teapot');
  });
});

describe('the request log', () => {
  it('is one structured line with the request ID, without the query string', async () => {
    const response = await fetch(`${base}/?token=secret`, {
      headers: { 'X-Request-Id': 'abc-123', 'X-Amzn-Trace-Id': 'Root=1-2-3' },
    });
    assert.equal(response.headers.get('x-request-id'), 'abc-123');
    const line = await requestLine();
    assert.equal(line.level, 'info');
    assert.equal(line.service, 'orders');
    assert.equal(line.version, 'abc123');
    assert.equal(line.requestId, 'abc-123');
    assert.equal(line.traceId, 'Root=1-2-3');
    assert.equal(line.method, 'GET');
    assert.equal(line.path, '/');
    assert.equal(line.status, 200);
    assert.ok(line.durationMs >= 0);
    assert.match(line.time, /^\d{4}-\d\d-\d\dT/);
    assert.ok(!JSON.stringify(line).includes('secret'));
  });

  it("has the client's address that the load balancer appended, not those that the client claims", async () => {
    await fetch(base, { headers: { 'X-Forwarded-For': '10.0.0.1, 192.0.2.9, 203.0.113.7' } });
    assert.equal((await requestLine()).client, '203.0.113.7');
  });

  it('has the address of the connection where no load balancer is', async () => {
    await fetch(base);
    assert.match((await requestLine()).client, /127\.0\.0\.1$/);
  });

  it('generates an ID if the given one is missing or invalid', async () => {
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-/;
    assert.match((await fetch(base)).headers.get('x-request-id'), uuid);
    const forged = await fetch(base, { headers: { 'X-Request-Id': '"}{' } });
    assert.match(forged.headers.get('x-request-id'), uuid);
  });

  it('logs successful health checks at debug level', async () => {
    health.markReady();
    await fetch(`${base}/health`);
    assert.equal((await requestLine()).level, 'debug');
  });
});
