import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, loadConfig } from '../src/config.js';

describe('configuration', () => {
  it('has a default for everything', () => {
    assert.deepEqual(loadConfig({}), {
      appName: 'app',
      environment: 'local',
      version: 'dev',
      message: 'Hello from app',
      port: 8080,
      healthPaths: ['/health'],
      logLevel: 'info',
      drainSeconds: 5,
      shutdownSeconds: 25,
    });
  });

  it('reads the variables that the task definition sets', () => {
    const config = loadConfig({
      APP_NAME: 'orders',
      APP_ENVIRONMENT: 'prod',
      APP_VERSION: '0a1b2c',
      PORT: '9090',
      HEALTH_PATH: '/internal/healthz',
      LOG_LEVEL: 'debug',
    });
    assert.equal(config.message, 'Hello from orders');
    assert.equal(config.environment, 'prod');
    assert.equal(config.version, '0a1b2c');
    assert.equal(config.port, 9090);
    assert.deepEqual(config.healthPaths, ['/health', '/internal/healthz']);
    assert.equal(config.logLevel, 'debug');
  });

  it('treats an empty variable as unset', () => {
    assert.equal(loadConfig({ PORT: '', APP_VERSION: ' ' }).version, 'dev');
  });

  for (const port of ['abc', '-1', '80.5', '65536', '0x50', '1e3']) {
    it(`rejects the port ${port}`, () => {
      assert.throws(
        () => loadConfig({ PORT: port }),
        (error) => error instanceof ConfigError && error.message.includes(`PORT must be a whole number`),
      );
    });
  }

  for (const path of ['health', '/', '/a//b', '/a?b', '/:id', '/*']) {
    it(`rejects the health path ${path}`, () => {
      assert.throws(() => loadConfig({ HEALTH_PATH: path }), /HEALTH_PATH must be a path such as \/health, not /);
    });
  }

  it('reports all problems at once', () => {
    assert.throws(
      () => loadConfig({ PORT: 'x', LOG_LEVEL: 'loud', DRAIN_SECONDS: '30' }),
      ({ problems }) => {
        assert.equal(problems.length, 3);
        assert.match(problems[0], /^PORT /);
        assert.match(problems[1], /^LOG_LEVEL must be one of trace, .* not 'loud'\.$/);
        assert.match(problems[2], /^DRAIN_SECONDS \(30\) must be less than SHUTDOWN_SECONDS/);
        return true;
      },
    );
  });

  it('is immutable', () => {
    const config = loadConfig({});
    assert.throws(() => {
      config.port = 1;
    }, TypeError);
  });
});
