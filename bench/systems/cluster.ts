import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { end } from './process.ts';
import type { System } from './system.ts';

const primary = fileURLToPath(new URL('../cluster-primary.ts', import.meta.url));

/** `entry` is a file that listens on `PORT`. */
export function toCluster(entry: string): System {
  return {
    name: 'node:cluster, rolling restart',
    async start(app, { workers, drainMs }) {
      const env = {
        ...process.env,
        PORT: String(app.port),
        WORKERS: String(workers),
        DRAIN_MS: String(drainMs),
      };
      const child = spawn(process.execPath, [primary, entry], {
        cwd: app.directory,
        env,
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      await once(child, 'message');
      return {
        async deploy() {
          if (!child.connected) return 1;
          child.send('restart');
          const [exitCode] = (await once(child, 'message')) as [number];
          return exitCode;
        },
        supervisorPid: async () => child.pid ?? 0,
        stop: async () => end(child, drainMs),
      };
    },
  };
}
