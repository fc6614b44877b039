import { randomUUID } from 'node:crypto';

const SAFE_ID = /^[\w.:/+=-]{1,128}$/;

/**
 * Give each request an id and a logger, and log it once when it is over.
 *
 * The id of a caller is kept where it is sane, so that one id follows a request through several services.
 * The load balancer's trace id is logged too: it is what the access logs have.
 */
export function requestLog(logger) {
  return (req, res, next) => {
    const startedAt = process.hrtime.bigint();
    const given = req.get('X-Request-Id') ?? '';
    req.id = SAFE_ID.test(given) ? given : randomUUID();
    req.log = logger.child({ requestId: req.id, traceId: req.get('X-Amzn-Trace-Id') });
    res.set('X-Request-Id', req.id);

    res.once('close', () => {
      const line = {
        method: req.method,
        path: req.originalUrl.split('?', 1)[0], // queries may carry secrets
        status: res.statusCode,
        durationMs: Math.round(Number(process.hrtime.bigint() - startedAt) / 1e4) / 100,
      };
      if (!res.writableFinished) req.log.warn(line, 'request aborted');
      else if (res.statusCode >= 500) req.log.error(line, 'request');
      // The load balancer asks every few seconds; that is no news while the answer is yes.
      else if (line.path === '/health') req.log.debug(line, 'request');
      else req.log.info(line, 'request');
    });
    next();
  };
}
