/** HAProxy before a Node process that stays: master and worker, listening sockets passed from worker to worker. */

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestApp } from '../../test/support/app.ts';
import { end, waitUntil } from './process.ts';
import type { Settings, System } from './system.ts';
import { fetchVersion, startUpstream } from './upstream.ts';

const toConfig = (
  app: TestApp,
  {
    workers,
    drainMs,
    version,
    upstream,
    spreadMs,
  }: Settings & { version: string; upstream: number; spreadMs?: number },
): string => `
global
  nbthread ${workers}
  maxconn 8000
  hard-stop-after ${drainMs}ms
  stats socket ${path.join(app.directory, 'haproxy.sock')} mode 600 level admin expose-fd listeners
${spreadMs === undefined ? '' : `  close-spread-time ${spreadMs}ms\n`}
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend front
  bind 127.0.0.1:${app.port}
  default_backend node
backend node
  http-response set-header x-version ${version}
  server node 127.0.0.1:${upstream}
`;

/** With `close-spread-time`, idle connections are closed over the time that old workers have, and busy ones are told. */
export function toHaproxy({ isSpread }: { isSpread: boolean }): System {
  return {
    name: isSpread ? 'HAProxy, reload, close-spread-time' : 'HAProxy, reload',
    packages: ['haproxy'],
    async start(app, settings) {
      const upstream = await startUpstream(app);
      const spreadMs = isSpread ? Math.round(settings.drainMs * 0.8) : undefined;
      const configure = (version: string): void =>
        writeFileSync(
          path.join(app.directory, 'haproxy.cfg'),
          toConfig(app, { ...settings, version, upstream: upstream.port, spreadMs }),
        );
      configure('v0');
      const master = spawn('haproxy', ['-W', '-f', 'haproxy.cfg'], {
        cwd: app.directory,
        stdio: 'ignore',
      });
      await waitUntil(async () => (await fetchVersion(app)) === 'v0', { what: 'HAProxy' });
      return {
        async deploy(version) {
          configure(version);
          master.kill('SIGUSR2');
          await waitUntil(async () => (await fetchVersion(app)) === version, { what: version });
          return 0;
        },
        supervisorPid: async () => master.pid ?? 0,
        async stop() {
          await end(master, 2_000);
          await upstream.stop();
        },
      };
    },
  };
}
