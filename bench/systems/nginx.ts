/** nginx before a Node process that stays: what is replaced are nginx's own workers, or nginx. */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestApp } from '../../test/support/app.ts';
import { runToEnd, waitUntil } from './process.ts';
import type { Settings, System } from './system.ts';
import { fetchVersion, startUpstream } from './upstream.ts';

type Way = 'reload' | 'binary upgrade';

const toConfig = (
  app: TestApp,
  { workers, drainMs, version, upstream }: Settings & { version: string; upstream: number },
): string => `
user root;
worker_processes ${workers};
worker_rlimit_nofile 16384;
worker_shutdown_timeout ${drainMs}ms;
pid nginx.pid;
error_log error.log;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream node { server 127.0.0.1:${upstream}; keepalive 64; }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${app.port};
    add_header x-version ${version};
    location / {
      proxy_pass http://node;
      proxy_hide_header x-version;
      proxy_http_version 1.1;
      proxy_set_header upgrade $http_upgrade;
      proxy_set_header connection $connection_upgrade;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`;

export function toNginx(way: Way): System {
  return {
    name: `nginx, ${way}`,
    packages: ['nginx'],
    async start(app, settings) {
      const upstream = await startUpstream(app);
      // nginx executes itself by the name that it was given.
      const command = execFileSync('which', ['nginx'], { encoding: 'utf8' }).trim();
      const pidFile = path.join(app.directory, 'nginx.pid');
      const nginx = async (...args: string[]): Promise<number | null> =>
        runToEnd(command, ['-p', app.directory, '-c', 'nginx.conf', ...args], { cwd: app.directory });
      const readPid = (file = pidFile): number => Number(readFileSync(file, 'utf8'));
      const configure = (version: string): void =>
        writeFileSync(
          path.join(app.directory, 'nginx.conf'),
          toConfig(app, { ...settings, version, upstream: upstream.port }),
        );
      configure('v0');
      if ((await nginx()) !== 0) throw new Error('nginx did not start');
      return {
        async deploy(version) {
          configure(version);
          if (way === 'reload') return nginx('-s', 'reload');
          const old = readPid();
          process.kill(old, 'SIGUSR2');
          // Both answer from now on; the new one's pid file says that its workers are there.
          await waitUntil(() => isThere(() => readPid() !== old), { what: 'the new nginx' });
          await waitUntil(async () => (await fetchVersion(app)) === version, { what: version });
          process.kill(old, 'SIGWINCH');
          process.kill(old, 'SIGQUIT');
          return 0;
        },
        supervisorPid: async () => readPid(),
        async stop() {
          try {
            process.kill(readPid(), 'SIGTERM');
          } finally {
            await upstream.stop();
          }
        },
      };
    },
  };
}

function isThere(read: () => boolean): boolean {
  try {
    return read();
  } catch {
    // The file is being replaced.
    return false;
  }
}
