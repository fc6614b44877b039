import { createApp } from './app.js';
import { ConfigError, loadConfig } from './config.js';
import { createHealth } from './health.js';
import { createLogger } from './logger.js';
import { startServer } from './server.js';

let logger = createLogger({ appName: 'app', environment: 'unknown', version: 'unknown', logLevel: 'info' });

function fail(error, message) {
  logger.fatal(error instanceof ConfigError ? { problems: error.problems } : { err: error }, message);
  process.exit(1);
}

process.on('uncaughtException', (error) => fail(error, 'uncaught exception'));
process.on('unhandledRejection', (reason) => fail(reason, 'unhandled rejection'));

let health;
let server;

async function stop(signal, options) {
  if (!server) process.exit(0); // nothing to drain yet
  if (health.draining) process.exit(130); // second signal: stop without draining
  logger.info({ signal }, 'signal received');
  process.exit((await server.shutdown(options)) ? 0 : 1);
}

// ECS stops a task with SIGTERM; SIGINT is a developer's Ctrl-C, without a load balancer to wait for. Both are
// handled from the start, since PID 1 of a container ignores signals without a handler.
process.on('SIGTERM', () => stop('SIGTERM'));
process.on('SIGINT', () => stop('SIGINT', { drainSeconds: 0 }));

try {
  const config = loadConfig();
  logger = createLogger(config);
  health = createHealth({ logger });
  const app = createApp({ config, health, logger });
  server = await startServer({ app, config, health, logger });

  // Connect to the service's dependencies here, before it receives traffic.
  health.markReady();
  logger.info('ready');
} catch (error) {
  fail(error, error instanceof ConfigError ? `invalid configuration: ${error.message}` : 'startup failed');
}
