import pino from 'pino';

/**
 * Create a logger that writes one JSON object per line to standard output, for the container's log driver.
 *
 * @param {{appName: string, environment: string, version: string, logLevel: string}} config
 * @param {import('pino').DestinationStream} [destination] Replaces standard output in tests.
 */
export function createLogger({ appName, environment, version, logLevel }, destination) {
  const options = {
    level: logLevel,
    base: { service: appName, environment, version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) }, // names instead of numbers, for queries
    redact: ['*.authorization', '*.cookie', '*.password'],
  };
  // The default destination is synchronous, so that the last line before an exit is not lost.
  return destination ? pino(options, destination) : pino(options);
}
