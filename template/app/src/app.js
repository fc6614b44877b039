import express from 'express';
import { requestLog } from './request-log.js';

/**
 * Create the HTTP application (routes, error handling, request log) without a server, so that tests can mount it.
 *
 * @param {{config: object, health: ReturnType<import('./health.js').createHealth>, logger: import('pino').Logger}} parts
 * @param {(app: import('express').Express) => void} [addRoutes] Adds routes before the 404 handler.
 */
export function createApp({ config, health, logger }, addRoutes = () => {}) {
  const app = express();
  app.disable('x-powered-by');
  // The load balancer appends the client's address to X-Forwarded-For: req.ip is the last one, since whoever sends the
  // request can write those before it. Each further proxy, such as CloudFront, counts one more.
  app.set('trust proxy', 1);

  app.use((_req, res, next) => {
    // Otherwise clients with keep-alive connections keep sending requests to a task that is about to stop.
    if (health.draining) res.set('Connection', 'close');
    next();
  });
  app.use(requestLog(logger, config.healthPaths));

  app.get(config.healthPaths, async (_req, res) => {
    const { healthy, status, checks } = await health.report();
    res.status(healthy ? 200 : 503).set('Cache-Control', 'no-store').json({ status, checks });
  });

  app.get('/', (_req, res) => {
    const { message, version, environment } = config;
    res.set('Cache-Control', 'no-store').json({ message, version, environment });
  });

  addRoutes(app);

  app.use((req, res) => {
    res.status(404).json({ error: 'Not found', requestId: req.id });
  });

  // Express recognizes an error handler by its four parameters.
  app.use((error, req, res, next) => {
    const status = Number.isInteger(error?.status) && error.status >= 400 && error.status < 600 ? error.status : 500;
    (req.log ?? logger)[status >= 500 ? 'error' : 'warn']({ err: error }, 'request failed');
    if (res.headersSent) return next(error);
    // Internal errors are only logged; clients get the message of 4xx errors.
    const message = status < 500 ? error.message : 'Internal server error';
    return res.status(status).json({ error: message, requestId: req.id });
  });

  return app;
}
