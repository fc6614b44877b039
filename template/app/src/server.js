import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

// The load balancer keeps idle connections for 60 s. A server that closes one first loses the race against
// a request already on its way, which the client sees as 502. So the server waits longer.
const KEEP_ALIVE_MS = 65_000;
const HEADERS_MS = 66_000;

/**
 * Listen, and know how to stop without dropping a request.
 *
 * @param {{app: Function, config: object, health: object, logger: import('pino').Logger}} parts
 * @returns {Promise<{port: number, server: import('node:http').Server,
 *   shutdown: (options?: {drainSeconds?: number}) => Promise<boolean>}>}
 */
export async function startServer({ app, config, health, logger }) {
  const server = createServer(app);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = HEADERS_MS;

  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address();
  logger.info({ port }, 'listening');

  async function stop(drainSeconds) {
    const deadline = Date.now() + config.shutdownSeconds * 1000;

    // 1. Say no to health checks, but go on answering until the load balancer sends nothing more.
    health.markDraining();
    logger.info({ drainSeconds }, 'draining');
    await sleep(drainSeconds * 1000);

    // 2. Accept no more connections; let the requests under way finish.
    const closed = new Promise((resolve) => server.close(() => resolve(true)));
    // A kept-alive connection becomes idle only once its last request has been answered.
    const sweep = setInterval(() => server.closeIdleConnections(), 100);

    // 3. What is still busy at the deadline is cut.
    const patience = new AbortController();
    const late = sleep(Math.max(0, deadline - Date.now()), false, { signal: patience.signal }).catch(() => false);
    const graceful = await Promise.race([closed, late]);
    patience.abort();
    clearInterval(sweep);
    if (!graceful) {
      logger.warn({ shutdownSeconds: config.shutdownSeconds }, 'shutdown took too long, cutting connections');
      server.closeAllConnections();
      await closed;
    }
    logger.info('stopped');
    return graceful;
  }

  let stopping;
  return {
    port,
    server,
    /** Stop once, however often it is called. Resolves to false when connections had to be cut. */
    shutdown({ drainSeconds = config.drainSeconds } = {}) {
      stopping ??= stop(drainSeconds);
      return stopping;
    },
  };
}
