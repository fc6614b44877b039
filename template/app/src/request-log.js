import { randomUUID } from 'node:crypto';

const SAFE_ID = /^[\w.:/+=-]{1,128}$/;

/**
 * Give each request an ID and a logger, and log the request once it is complete.
 *
 * A valid X-Request-Id of the client is kept, so that one ID follows a request through several services.
 * The load balancer's trace ID is logged too, since its access logs contain it.
 *
 * @param {import('pino').Logger} logger
 * @param {string[]} healthPaths The paths of health checks.
 */
export function requestLog(logger, healthPaths) {
  return (req, res, next) => {
    const client = req.ip; // unknown once the connection is closed
    const startedAt = process.hrtime.bigint();
    const given = req.get('X-Request-Id') ?? '';
    req.id = SAFE_ID.test(given) ? given : randomUUID();
    req.log = logger.child({ requestId: req.id, traceId: req.get('X-Amzn-Trace-Id') });
    res.set('X-Request-Id', req.id);

    res.once('close', () => {
      const line = {
        method: req.method,
        path: req.originalUrl.split('?', 1)[0], // query strings may contain secrets
        status: res.statusCode,
        client,
        durationMs: Math.round(Number(process.hrtime.bigint() - startedAt) / 1e4) / 100,
      };
      if (!res.writableFinished) req.log.warn(line, 'request aborted');
      else if (res.statusCode >= 500) req.log.error(line, 'request');
      // The load balancer checks every few seconds, so successful checks are logged at debug level only.
      else if (healthPaths.includes(line.path)) req.log.debug(line, 'request');
      else req.log.info(line, 'request');
    });
    next();
  };
}
