/** What runs in the thread of a configuration: evaluates the file that it is given the URL of, and says the value. */

import { registerHooks } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

/** What a configuration finds as the package `midflight`: nothing is installed yet when it is read. */
const ownPackage = 'data:text/javascript,export const defineConfig = (config) => config;';

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'midflight' ? { url: ownPackage, shortCircuit: true } : next(specifier, context),
});

const loaded = (await import(workerData as string)) as { default?: unknown };
try {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(loaded.default ?? {});
} catch (error) {
  // What it says would not get over.
  throw new TypeError(String(error), { cause: error });
}
