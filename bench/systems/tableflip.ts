import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runToEnd, waitUntil } from './process.ts';
import type { System } from './system.ts';
import { fetchVersion } from './upstream.ts';

const TRIES = 5;
const RETRY_MS = 1_000;
const source = fileURLToPath(new URL('../tableflip/main.go', import.meta.url));

/** A Go server of one process; it knows no WebSockets, uploads or events. */
export const tableflip: System = {
  name: 'tableflip (Go)',
  packages: ['golang-go', 'golang-github-cloudflare-tableflip-dev'],
  async start(app, { drainMs }) {
    const inApp = (file: string): string => path.join(app.directory, file);
    const go = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode' };
    if (
      (await runToEnd('go', ['build', '-o', inApp('service'), source], { cwd: app.directory, env: go })) !== 0
    )
      throw new Error('go build failed');
    writeFileSync(inApp('version'), 'v0');
    const env = { ...process.env, PORT: String(app.port), DRAIN_MS: String(drainMs) };
    spawn(inApp('service'), { cwd: app.directory, env, stdio: ['ignore', 'ignore', 'inherit'] });
    await waitUntil(async () => (await fetchVersion(app)) === 'v0', { what: 'the Go server' });
    const readPid = (): number => Number(readFileSync(inApp('tableflip.pid'), 'utf8'));
    return {
      async deploy(version) {
        writeFileSync(inApp('version'), version);
        // One that comes before the last old process has ended is refused.
        for (let tries = 0; tries < TRIES && (await fetchVersion(app)) !== version; tries++) {
          process.kill(readPid(), 'SIGHUP');
          await sleep(RETRY_MS);
        }
        return 0;
      },
      supervisorPid: async () => readPid(),
      stop: async () => void process.kill(readPid(), 'SIGKILL'),
    };
  },
};
