import pino from 'pino';

/**
 * A logger that writes one JSON object a line to standard output, where the container's log driver takes it.
 *
 * @param {{appName: string, environment: string, version: string, logLevel: string}} config
 * @param {import('pino').DestinationStream} [destination] Where tests listen.
 */
export function createLogger({ appName, environment, version, logLevel }, destination) {
  const options = {
    level: logLevel,
    base: { service: appName, environment, version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) }, // words read better than numbers in queries
    redact: ['*.authorization', '*.cookie', '*.password'],
  };
  // The default destination writes synchronously: the last line before an exit is never lost.
  return destination ? pino(options, destination) : pino(options);
}
