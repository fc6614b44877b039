// Configuration comes from environment variables only. It is read and validated once, at startup, so that
// an invalid value fails the deployment instead of a later request.

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export class ConfigError extends Error {
  /** @param {string[]} problems One sentence for each invalid variable. */
  constructor(problems) {
    super(problems.join(' '));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Read the configuration.
 *
 * @param {Record<string, string | undefined>} env The environment variables.
 * @throws {ConfigError} At least one variable is invalid; the message names all of them.
 */
export function loadConfig(env = process.env) {
  const problems = [];

  // An empty variable counts as unset, so that task definitions can always set it.
  const text = (name, fallback) => env[name]?.trim() || fallback;

  const integer = (name, fallback, { min, max }) => {
    const given = text(name, String(fallback));
    if (/^\d+$/.test(given) && Number(given) >= min && Number(given) <= max) return Number(given);
    problems.push(`${name} must be a whole number from ${min} to ${max}, not '${given}'.`);
    return fallback;
  };

  const choice = (name, fallback, choices) => {
    const given = text(name, fallback);
    if (choices.includes(given)) return given;
    problems.push(`${name} must be one of ${choices.join(', ')}, not '${given}'.`);
    return fallback;
  };

  const path = (name, fallback) => {
    const given = text(name, fallback);
    const [root, ...parts] = given.split('/');
    if (!root && parts.length > 0 && parts.every((part) => /^[\w.~-]+$/.test(part))) return given;
    problems.push(`${name} must be a path such as ${fallback}, not '${given}'.`);
    return fallback;
  };

  const appName = text('APP_NAME', 'app');
  const config = {
    appName,
    environment: text('APP_ENVIRONMENT', 'local'),
    version: text('APP_VERSION', 'dev'),
    message: text('APP_MESSAGE', `Hello from ${appName}`),
    port: integer('PORT', 8080, { min: 0, max: 65535 }),
    // Tasks answer /health, whatever the load balancer asks for: it may ask for the new path before the new tasks run.
    healthPaths: [...new Set(['/health', path('HEALTH_PATH', '/health')])],
    logLevel: choice('LOG_LEVEL', 'info', LOG_LEVELS),
    // How long requests are accepted after SIGTERM, until the load balancer has stopped sending them.
    drainSeconds: integer('DRAIN_SECONDS', 5, { min: 0, max: 60 }),
    // Timeout of the whole shutdown. Keep it below the container's StopTimeout, after which ECS sends SIGKILL.
    shutdownSeconds: integer('SHUTDOWN_SECONDS', 25, { min: 1, max: 115 }),
  };

  if (config.drainSeconds >= config.shutdownSeconds) {
    problems.push(
      `DRAIN_SECONDS (${config.drainSeconds}) must be less than SHUTDOWN_SECONDS (${config.shutdownSeconds}).`,
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}
