/** Node processes that accept from one listening socket, which the bench itself holds: new ones are started and waited for, then the
 *  old ones get SIGTERM. How they end is a library's affair; one that has not ended by a second after the limit is killed. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { BoundSocket } from 'node:net';
import { end } from './process.ts';
import type { System } from './system.ts';

interface Library {
  readonly name: string;
  /** Its entry: what it adds to the service, as its own documentation has it. */
  readonly entry: string;
}

/** The library's time is up first. */
const KILL_AFTER_MS = 1_000;

const toEntry = (imports: string, body: string): string =>
  `import { createService, listen } from './service.ts';\n${imports}\nconst { server } = createService();\n` +
  `const drainMs = Number(process.env.DRAIN_MS);\n${body}\nlisten(server);\n`;

const libraries: readonly Library[] = [
  {
    name: 'close-with-grace',
    entry: toEntry(
      `import closeWithGrace from 'close-with-grace';`,
      `closeWithGrace({ delay: drainMs, logger: false }, () => new Promise((resolve) => server.close(resolve)));`,
    ),
  },
  {
    name: 'http-terminator',
    entry: toEntry(
      `import { createHttpTerminator } from 'http-terminator';`,
      `const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: drainMs });
process.once('SIGTERM', () => terminator.terminate().then(() => process.exit(0)));`,
    ),
  },
  {
    name: '@godaddy/terminus',
    entry: toEntry(
      `import terminus from '@godaddy/terminus';`,
      `terminus.createTerminus(server, { timeout: drainMs, signal: 'SIGTERM' });`,
    ),
  },
];

export const sharedSocketSystems: readonly System[] = libraries.map(({ name, entry }) => ({
  name,
  files: { 'entry.mjs': entry },
  async start(app, { workers, drainMs }) {
    const socket = new BoundSocket({ port: app.port, host: '127.0.0.1' });
    const env = { ...process.env, LISTEN_FD: '3', DRAIN_MS: String(drainMs) };
    const startOne = async (): Promise<ChildProcess> => {
      const child = spawn(process.execPath, ['entry.mjs'], {
        cwd: app.directory,
        env,
        stdio: ['ignore', 'ignore', 'inherit', socket.fd(), 'ipc'],
      });
      const [first] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
      if (first !== 'ready') throw new Error(`${name} ended before it listened`);
      return child;
    };
    const startAll = async (): Promise<ChildProcess[]> =>
      Promise.all(Array.from({ length: workers }, startOne));
    let current = await startAll();
    let ending: Promise<unknown> = Promise.resolve();
    return {
      async deploy() {
        const next = await startAll();
        ending = Promise.all(current.map(async (child) => end(child, drainMs + KILL_AFTER_MS)));
        current = next;
        return 0;
      },
      supervisorPid: async () => process.pid,
      async stop() {
        await ending;
        await Promise.all(current.map(async (child) => end(child, 0)));
        socket.close();
      },
    };
  },
}));
