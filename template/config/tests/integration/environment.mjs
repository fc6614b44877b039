// The environment under test. The pipeline sets the variables; `make integration-tests` does on a laptop.
const { SERVICE_URL, EXPECTED_VERSION, ENVIRONMENT_NAME } = process.env;

/** The version that was deployed. */
export const expectedVersion = EXPECTED_VERSION;

/** The environment's name, such as `dev`: for tests that production should not see. */
export const environmentName = ENVIRONMENT_NAME;

/**
 * Send a request to the environment.
 *
 * @param {string} path Of the URL, such as `/orders?limit=1`.
 * @param {RequestInit} [options] As for fetch; after ten seconds the request fails.
 */
export function request(path, options = {}) {
  return fetch(new URL(path, SERVICE_URL), { signal: AbortSignal.timeout(10_000), ...options });
}
