/** A rolling restart as it is commonly written: fork a worker, wait until it listens, disconnect an old one. */

import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import path from 'node:path';

/** What an old worker may take to end by itself. */
const drainMs = Number(process.env['DRAIN_MS']);

cluster.setupPrimary({ exec: path.resolve(process.argv[2] ?? '') });

/** False when the worker ended before it listened. */
async function fork(): Promise<boolean> {
  const worker = cluster.fork();
  return Promise.race([once(worker, 'listening').then(() => true), once(worker, 'exit').then(() => false)]);
}

async function restart(): Promise<number> {
  const old = Object.values(cluster.workers ?? {}).filter((worker): worker is Worker => worker !== undefined);
  for (const worker of old) {
    if (!(await fork())) return 1;
    worker.disconnect();
    const timer = setTimeout(() => worker.process.kill('SIGKILL'), drainMs);
    worker.once('exit', () => clearTimeout(timer));
  }
  return 0;
}

for (let count = 0; count < Number(process.env['WORKERS']); count++) await fork();
process.send?.(0);
process.on('message', () => void restart().then((exitCode) => process.send?.(exitCode)));
process.on('SIGTERM', () => {
  for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill();
  process.exit(0);
});
