// The health of this task. The load balancer checks it; ECS replaces a task that stays unhealthy.

const CHECK_TIMEOUT_MS = 2000;

/**
 * Create the health of a process: starting, then ready, then draining.
 *
 * @param {{logger: import('pino').Logger, checkTimeoutMs?: number}} options
 */
export function createHealth({ logger, checkTimeoutMs = CHECK_TIMEOUT_MS }) {
  const checks = new Map();
  let phase = 'starting';

  async function run([name, check]) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`timed out after ${checkTimeoutMs} ms`)), checkTimeoutMs);
    });
    try {
      await Promise.race([Promise.resolve().then(check), late]);
      return [name, 'ok'];
    } catch (error) {
      // The reason is only logged, since the response is public.
      logger.warn({ check: name, err: error }, 'readiness check failed');
      return [name, 'failing'];
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    /**
     * Add a readiness check: a function that throws, rejects or hangs while this task cannot serve requests.
     * Add a check only if replacing the task can fix the problem: a check of a shared database takes all
     * tasks out of service at once when that database is briefly unavailable.
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
