import { execFileSync } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runToEnd } from './process.ts';
import type { System } from './system.ts';

const command = fileURLToPath(new URL('../node_modules/.bin/pm2', import.meta.url));

/** Cluster mode. `entry` is a JavaScript file. */
export function toPm2(entry: string): System {
  return {
    name: 'pm2 reload',
    async start(app, { workers, drainMs }) {
      const home = mkdtempSync(path.join(tmpdir(), 'midflight-pm2-'));
      const env = { ...process.env, PM2_HOME: home, PORT: String(app.port) };
      const pm2 = async (...args: string[]): Promise<number | null> =>
        runToEnd(command, args, { cwd: app.directory, env });
      const readPid = (): number => Number(readFileSync(path.join(home, 'pm2.pid'), 'utf8'));
      await pm2('start', entry, '--name', 'app', '-i', String(workers), '--kill-timeout', String(drainMs));
      return {
        deploy: async () => pm2('reload', 'app'),
        async findSupervisor() {
          const list = JSON.parse(
            execFileSync(command, ['jlist', '--silent'], { env, encoding: 'utf8' }),
          ) as object[];
          return list.length === 0 ? null : readPid();
        },
        supervisorPid: async () => readPid(),
        async stop() {
          await pm2('kill');
          rmSync(home, { recursive: true, force: true });
        },
      };
    },
  };
}
