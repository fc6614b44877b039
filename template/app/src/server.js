import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

// The load balancer's idle timeout is 60 s. A server that closes an idle connection first can miss a request
// already sent on it, which the client sees as 502. So the server's timeout is longer.
const KEEP_ALIVE_MS = 65_000;
const HEADERS_MS = 66_000;

/**
 * Start the server, which can shut down without dropping requests.
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

    // 1. Fail health checks, but serve requests until the load balancer has stopped sending them.
    health.markDraining();
    logger.info({ drainSeconds }, 'draining');
    await sleep(drainSeconds * 1000);

    // 2. Stop accepting connections; finish the requests in progress.
    const closed = new Promise((resolve) => server.close(() => resolve(true)));
    // A keep-alive connection becomes idle only after its last response.
    const sweep = setInterval(() => server.closeIdleConnections(), 100);

    // 3. Close the connections that are still active at the deadline.
    const patience = new AbortController();
    const late = sleep(Math.max(0, deadline - Date.now()), false, { signal: patience.signal }).catch(() => false);
    const graceful = await Promise.race([closed, late]);
    patience.abort();
    clearInterval(sweep);
    if (!graceful) {
      logger.warn({ shutdownSeconds: config.shutdownSeconds }, 'shutdown timed out, closing connections');
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
    /** Shut down once, even if called again. Resolves to false if active connections had to be closed. */
    shutdown({ drainSeconds = config.drainSeconds } = {}) {
      stopping ??= stop(drainSeconds);
      return stopping;
    },
  };
}
