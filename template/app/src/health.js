// Whether this task should get traffic. The load balancer asks /health and replaces a task that keeps saying no.

const CHECK_TIMEOUT_MS = 2000;

/**
 * Create the health of one process: starting, then ready, then draining.
 *
 * @param {{logger: import('pino').Logger, checkTimeoutMs?: number}} options
 */
export function createHealth({ logger, checkTimeoutMs = CHECK_TIMEOUT_MS }) {
  const checks = new Map();
  let phase = 'starting';

  async function run([name, check]) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
    });
    try {
      await Promise.race([Promise.resolve().then(check), late]);
      return [name, 'ok'];
    } catch (error) {
      // The reason goes to the log only: /health answers anybody.
      logger.warn({ check: name, err: error }, 'readiness check failed');
      return [name, 'failing'];
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    /**
     * Add a readiness check: a function that throws, rejects or hangs while this task cannot do its work.
     * Add only what replacing this task can mend: a check of a database that all tasks share takes
     * every one of them out of service at once when that database has a bad minute.
     */
    addCheck(name, check) {
      checks.set(name, check);
    },
    markReady() {
      if (phase === 'starting') phase = 'ready';
    },
    markDraining() {
      phase = 'draining';
    },
    get draining() {
      return phase === 'draining';
    },
    /** @returns {Promise<{healthy: boolean, status: string, checks: Record<string, string>}>} */
    async report() {
      if (phase !== 'ready') return { healthy: false, status: phase, checks: {} };
      const results = await Promise.all([...checks].map(run));
      const healthy = results.every(([, result]) => result === 'ok');
      return { healthy, status: healthy ? 'ok' : 'failing', checks: Object.fromEntries(results) };
    },
  };
}
